"""Functions as tools through the commands: a user's own, a teacher's calls, a session at the terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentbench.tasks.files import write_tasks
from agentbench.types import Answer, AnswerType, CallTools, Gold, Task, ToolCall, Turn

from .conftest import Run, environment

OWN_TOOL = """
def tip(bill: float, percent: float = 15) -> dict:
    return {"tip": round(bill * percent / 100, 2)}
"""
OWN_ENV = """
defaults: [playground, _self_]
tools:
  tip:
    function: shop_tools.tip
    description: The tip on a bill.
    parameters:
      type: object
      properties: {bill: {type: number}, percent: {type: number}}
      required: [bill]
"""


class _Teacher(BaseHTTPRequestHandler):
    """A chat model that adds with the calculator, asks the search something pointless first, and says the result."""

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "teacher"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer({"choices": [{"message": self._message(asked["messages"]), "finish_reason": "stop"}], "usage": {}})

    def _message(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        said = [message for message in messages if message["role"] == "tool"]
        question = next(message["content"] for message in reversed(messages) if message["role"] == "user")
        match len(said):
            case 0:
                return self._call("search", {"query": "xyzzy"})
            case 1:
                return self._call("calculator", {"expression": " + ".join(re.findall(r"\d+", question))})
            case _:
                return {"role": "assistant", "content": str(json.loads(said[-1]["content"])["result"])}

    def _call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        function = {"name": name, "arguments": json.dumps(arguments)}
        calls = [{"id": "call_1", "type": "function", "function": function}]
        return {"role": "assistant", "content": "", "tool_calls": calls}

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def teacher() -> Iterator[tuple[str, ...]]:
    """What puts the teacher into the agent's place."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Teacher) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield ("model=openai", f"model.base_url=http://127.0.0.1:{serving.server_port}/v1", "model.name=teacher")
        serving.shutdown()
        thread.join()


@pytest.fixture
def sums(tmp_path: Path) -> str:
    """A task file with six sums to train on."""
    tasks = []
    for n in range(6):
        gold = Gold(
            Answer(AnswerType.NUMBER, 2.0 * n + 30), (CallTools((ToolCall("calculator", {"expression": "?"}),)),)
        )
        turn = Turn(f"What is {n + 10} plus {n + 20}?", gold)
        tasks.append(Task(f"sum-{n}", "own", "sums", (turn,), data={"split": "train"}))
    write_tasks(tmp_path / "sums.jsonl", tasks)
    return "tasks.file=sums.jsonl"


def episodes(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "trajectories.jsonl").read_text().splitlines()]


def scores(episode: dict[str, Any]) -> dict[str, float]:
    return {score["name"]: score["value"] for score in episode["scores"]}


def test_a_tool_of_one_s_own_takes_ten_lines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine/env").mkdir(parents=True)
    (tmp_path / "mine/env/shop.yaml").write_text(OWN_ENV)
    (tmp_path / "shop_tools.py").write_text(OWN_TOOL)
    gold = Gold(Answer(AnswerType.NUMBER, 9.0), (CallTools((ToolCall("tip", {"bill": 60.0}),)),))
    write_tasks(tmp_path / "tips.jsonl", [Task("tip-1", "own", "tips", (Turn("The tip on 60?", gold),))])
    chosen = ("--config-dir", "mine", "env=shop", "tasks.file=tips.jsonl", "expert_mode=ground_truth")
    done = run("rollout", *chosen, "hydra.run.dir=played")
    assert done.code == 0, done.err
    (episode,) = episodes(tmp_path / "played")
    assert scores(episode) == {"answer": 1.0, "tool_accuracy": 1.0, "format": 1.0, "execution": 1.0}
    assert episode["history"]["steps"][0]["observation"]["text"] == '{"tip":9.0}'
    assert len(episode["history"]["tools"]) == 4  # beside the three that come along


def test_what_a_teacher_calls_is_executed(run: Run, teacher: tuple[str, ...], sums: str, tmp_path: Path) -> None:
    done = run("rollout", "env=playground", *teacher, sums, "hydra.run.dir=taught")
    assert done.code == 0, done.err
    assert [scores(each)["answer"] for each in episodes(tmp_path / "taught")] == [1.0] * 6
    assert {scores(each)["tool_accuracy"] for each in episodes(tmp_path / "taught")} == {0.5}  # one call too many


@pytest.mark.slow
def test_what_a_teacher_calls_is_kept_where_it_helped(
    run: Run, teacher: tuple[str, ...], sums: str, student: Path
) -> None:
    assert run("rollout", "env=playground", *teacher, sums, "hydra.run.dir=taught").code == 0
    made = ("prefs=sft", "template=tiny", f"tokenizer={student}", "trajectories=[taught/trajectories.jsonl]")
    kept = run("build_prefs", *made, f"prefs.helpful.path={student}", "prefs.helpful.threshold=100", "hydra.run.dir=no")
    assert kept.code == 5 and "calls that did not help 12, trajectories without a call that helped 6" in kept.err
    done = run("build_prefs", *made, f"prefs.helpful.path={student}", "hydra.run.dir=rows")
    assert done.code in (0, 5) and "calls that did not help" in done.out + done.err


def test_a_session_shows_calls_results_and_answers(teacher: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.playground", *teacher],
        input=":tools\nWhat is 17 plus 25?\n\n:new\n:quit\n",
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    for shown in ("weather(city, date)", 'calculator(expression="17 + 25")', '{"result":42}', "agent: 42"):
        assert shown in done.stdout
    (folder,) = (tmp_path / "outputs/playground").iterdir()
    (episode,) = episodes(folder)
    assert episode["task"]["turns"][0]["query"] == "What is 17 plus 25?" and scores(episode)["execution"] == 1.0


def test_a_session_without_a_model_server_ends_with_one_line(tmp_path: Path) -> None:
    gone = ("model=openai", "model.base_url=http://127.0.0.1:9/v1", "model.name=x", "model.down_timeout_s=0")
    command = [sys.executable, "-m", "examples.playground", *gone]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=100, input=""
    )
    assert done.returncode == 5 and "error: " in done.stdout and "Traceback" not in done.stderr
