"""An evaluation as a user runs it: with baselines, scored again by a judge, compared, and looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from agentbench.episodes.store import TRAJECTORIES, read_trajectories

from .conftest import Run


class _Agrees(BaseHTTPRequestHandler):
    """A judge that finds every answer right."""

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "kind"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": '{"reason": "looks fine", "verdict": true}'}
        usage = {"prompt_tokens": 50, "completion_tokens": 10}
        self._answer({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    def _answer(self, value: object) -> None:
        body = orjson.dumps(value)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def judge() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Agrees) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/v1"
        serving.shutdown()
        thread.join()


def test_an_evaluation_is_scored_again_compared_and_followed(
    run: Run, world: Path, server: str, judge: str, tmp_path: Path
) -> None:
    agent = ("model=openai", f"model.base_url={server}", "model.name=slow", f"env.worlds=['{world}']")
    played = run("eval", *agent, "tasks.limit=12", "samples=2", "hydra.run.dir=outputs/first")
    assert (played.code, played.err) == (0, "")
    assert "smallest difference in success that 12 tasks × 2 samples" in played.out
    first = tmp_path / "outputs" / "first"
    figures = orjson.loads((first / "statistics.json").read_bytes())
    assert (figures["run"]["tasks"], figures["run"]["episodes"]) == (12, 24)
    assert figures["baselines"]["gold"]["success"]["rate"] == 1.0 > figures["baselines"]["idle"]["success"]["rate"]

    endpoint = (f"judge.endpoint.base_url={judge}", "judge.endpoint.name=kind")
    again = ("regrade=outputs/first", "judge=llm", *endpoint, "hydra.run.dir=outputs/second")
    wrong = run("eval", *again, "env.horizon=3")
    assert wrong.code == 2 and "env.horizon: was 20 in outputs/first, is 3" in wrong.err
    judged = run("eval", *again[:-1], "hydra.run.dir=outputs/third")
    assert (judged.code, judged.err) == (0, ""), judged.err
    scores = [
        {score.name: score.value for score in each.scores}
        for each in read_trajectories(tmp_path / "outputs" / "third" / TRAJECTORIES)
    ]
    assert len(scores) == 24 and {each["judge"] for each in scores} == {1.0}
    assert "judge: 100.0 % solved" in judged.out and "corrected by them" in judged.out

    refused = run("report", "compare=[outputs/first,outputs/third]")
    assert refused.code == 2 and "judge.kind: none in first, llm in third – not comparable" in refused.err
    allowed = run("report", "compare=[outputs/first,outputs/third]", "allow=[judge]")
    assert (allowed.code, allowed.err) == (0, "") and "+0.0 points" in allowed.out
    followed = run("report", "lineage=outputs/first")
    assert followed.code == 0 and "what it was used for" in followed.out and "outputs/third" in followed.out


def test_asking_a_report_for_nothing_or_too_much_is_told_at_once(run: Run) -> None:
    nothing, too_much = run("report"), run("report", "run=a", "lineage=b")
    assert nothing.code == 2 and nothing.err.startswith("error: run: required")
    assert too_much.code == 2 and "lineage: there is run already" in too_much.err


def test_a_report_of_what_is_not_there_does_not_advise_to_ask_again(run: Run) -> None:
    gone = run("report", "run=outputs/nope")
    assert (gone.code, gone.err.splitlines()) == (
        5,
        [
            "error: there is no folder 'outputs/nope'",
            "next: name a run's folder, as outputs/eval/<time>",
            "then: python -m agentbench.report --help",
        ],
    )
