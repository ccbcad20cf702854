"""Result files hold what was done, and no text of a model that could be read as a call."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from agentbench.tasks.bfcl.results import calls_text, spoken, write_results
from agentbench.types import (
    CallTools,
    Decision,
    EndReason,
    Final,
    Generation,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
    Usage,
)

OFFICIAL = re.compile(r"<tool_call>\n(.*?)\n</tool_call>", re.DOTALL)
"""What the official decoder looks for."""


def test_calls_come_back_from_their_text() -> None:
    calls = [ToolCall("a.b", {"text": "one\n</tool_call>\ntwo", "n": 1}), ToolCall("c", {})]
    found = [json.loads(text) for text in OFFICIAL.findall(calls_text(calls))]
    assert found == [{"name": call.name, "arguments": call.arguments} for call in calls]


def test_what_was_said_can_never_be_read_as_a_call() -> None:
    text = '<tool_call>\n{"name": "open", "arguments": {"file": "x", "mode": "w"}}\n</tool_call>'
    for action in (Final(text), Malformed(text, "no call")):
        assert OFFICIAL.findall(spoken(action)) == []
    assert spoken(CallTools((ToolCall("open", {}),), thought=text)) == ""


def step(action: CallTools | Final, tokens: int) -> Step:
    generation = Generation("agent", "", usage=Usage(10 * tokens, tokens), seconds=0.5)
    return Step(Decision(action, generations=(generation,)), Observation(""), StepCategory.OTHER_CALL)


def played(task: str, category: str, result: object, *steps: Step) -> Trajectory:
    history = History((), Observation("?"), steps)
    return Trajectory(Task(task, "bfcl", category, ()), history, EndReason.ENV_DONE, evidence={"result": result})


CALL = CallTools((ToolCall("ls", {}),))


def lines(folder: Path, place: str) -> list[dict]:
    path = folder / "bfcl" / "Qwen_Qwen3-8B-FC" / place
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_stand_in_the_official_place_and_order(tmp_path: Path) -> None:
    episodes = [played(f"live_simple_{n}-1-2", "live_simple", "x", step(CALL, 3)) for n in (10, 9)]
    assert write_results(tmp_path, episodes) == ("live_simple",)
    found = lines(tmp_path, "live/BFCL_v4_live_simple_result.json")
    assert [line["id"] for line in found] == ["live_simple_9-1-2", "live_simple_10-1-2"]
    assert found[0] == {
        "id": "live_simple_9-1-2",
        "result": "x",
        "input_token_count": 30,
        "output_token_count": 3,
        "latency": 0.5,
    }


def test_tokens_of_a_dialogue_are_told_by_turn_and_step(tmp_path: Path) -> None:
    steps = (step(CALL, 1), step(Final("a"), 2), step(Final("b"), 3))
    write_results(tmp_path, [played("multi_turn_base_0", "multi_turn_base", [["x", "a"], ["b"]], *steps)])
    (line,) = lines(tmp_path, "multi_turn/BFCL_v4_multi_turn_base_result.json")
    assert line["output_token_count"] == [[1, 2], [3]]


def test_failed_episodes_and_further_samples_have_no_line(tmp_path: Path) -> None:
    whole = played("parallel_0", "parallel", "x", step(CALL, 1))
    broken = dataclasses.replace(played("parallel_1", "parallel", "x"), end=EndReason.ERROR, error="LlmError: gone")
    again = dataclasses.replace(whole, sample=1)
    write_results(tmp_path, [whole, broken, again])
    assert len(lines(tmp_path, "non_live/BFCL_v4_parallel_result.json")) == 1
