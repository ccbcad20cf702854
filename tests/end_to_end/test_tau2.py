"""Conversations as a user runs them: agent, simulated user and judge are models behind one real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentbench.episodes.store import TRAJECTORIES, read_trajectories

from ..tools.tau2.town import write_town
from .conftest import Run

SAYS = {"tool": None, "message": "How many lamps are there?", "ends": False}
ENDS = {"tool": None, "message": "Thank you.", "ends": True}


class _Plays(BaseHTTPRequestHandler):
    """An agent who says one thing, a user who asks and is content, and a judge who agrees."""

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "all"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = self._text(body)
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self._answer({"choices": [choice], "usage": {"prompt_tokens": 50, "completion_tokens": 10}})

    def _text(self, body: dict[str, Any]) -> str:
        match body.get("response_format", {}).get("json_schema", {}).get("name"):
            case "user":
                return json.dumps(ENDS if "There are 2." in body["messages"][1]["content"] else SAYS)
            case "judge":
                return json.dumps({"verdicts": [{"reason": "It says so.", "holds": True}]})
            case _:
                return "There are 2."

    def _answer(self, value: object) -> None:
        body = orjson.dumps(value)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def models() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Plays) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/v1"
        serving.shutdown()
        thread.join()


def endpoint(key: str, address: str) -> list[str]:
    return [f"{key}.endpoint.base_url={address}", f"{key}.endpoint.name=all"]


def test_an_evaluation_talks_to_a_simulated_user_and_asks_a_judge(run: Run, models: str, tmp_path: Path) -> None:
    town = write_town(tmp_path / "town")
    agent = ("model=openai", f"model.base_url={models}", "model.name=all", "env=tau2", f"env.root={town}")
    user = ("env.user.kind=llm", *endpoint("env.user", models), "env.user.endpoint.price.prompt=2")
    judge = ("judge=llm", *endpoint("judge", models))
    played = run("eval", *agent, *user, *judge, "hydra.run.dir=outputs/talk")
    assert (played.code, played.err) == (0, "")
    folder = tmp_path / "outputs" / "talk"
    by_id = {each.task.id: each for each in read_trajectories(folder / TRAJECTORIES)}
    (step,) = by_id["retail-count"].history.steps
    assert by_id["retail-count"].history.opening.text == "Be kind.\n\nHow many lamps are there?"
    assert (step.observation.text, by_id["retail-count"].success) == ("Thank you.", True)
    assert not by_id["retail-misspelt"].success  # it wanted an order cancelled
    assert {folder.name for folder in (folder / "baselines").iterdir()} >= {"idle", "gold"}
    summary = json.loads((folder / "summary.json").read_bytes())
    # Two users with a reply of 50 and 10 tokens each, at 2 dollars a million; what they open with, the baselines paid.
    assert summary["tokens"]["user"] == {"prompt_tokens": 100, "completion_tokens": 20, "cached_tokens": 0}
    assert summary["cost_usd"]["user"] == pytest.approx(100 * 2e-6)


def test_a_root_without_domains_is_one_line(run: Run, tmp_path: Path) -> None:
    ended = run("rollout", "env=tau2", f"env.root={tmp_path}", "expert_mode=ground_truth")
    assert ended.code == 5 and "Traceback" not in ended.err
    assert "cannot read" in ended.err and "set env.root to τ²-bench's folder of domains" in ended.err
