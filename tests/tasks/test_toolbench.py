"""Traces of ToolBench's form become trajectories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentbench.errors import DataError, PreflightError
from agentbench.tasks.toolbench import read_trace, trace_files
from agentbench.types import CallTools, EndReason, Final, Malformed, Outcome, ToolCall

SHARED = Path(__file__).parents[3] / "shared/data/toolbench"


def said(name: str, arguments: str, thought: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": thought, "function_call": {"name": name, "arguments": arguments}}


def result(text: str) -> dict[str, str]:
    return {"role": "function", "name": "x", "content": text}


def finish(kind: str, **more: str) -> dict[str, Any]:
    return said("Finish", json.dumps({"return_type": kind, **more}))


CALLS = [
    {"role": "system", "content": "You can use tools."},
    {"role": "user", "content": "What does tea cost?"},
    said("price_for_shop", '{"thing": "tea"}', "I look it up."),
    result('{"error": "", "response": "3"}'),
    said("price_for_shop", '{"thing": "tea"'),
    result('{"error": "", "response": "what?"}'),
    said("stock_for_shop", "{}"),
    result('{"error": "out of order", "response": ""}'),
]


def trace(tmp_path: Path, *end: dict[str, Any], number: str = "7") -> Path:
    price = {"type": "object", "properties": {}, "required": [], "optional": []}
    functions = [{"name": name, "description": "", "parameters": price} for name in ("price_for_shop", "Finish")]
    found = {"query": "What does tea cost?", "function": functions, "train_messages": [[], [*CALLS, *end]]}
    path = tmp_path / "G1_answer" / f"{number}_ChatGPT_DFS.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"win": True, "answer_generation": found}))
    return path


def test_a_trace_becomes_steps_with_what_came_of_them(tmp_path: Path) -> None:
    found = read_trace(trace(tmp_path, finish("give_answer", final_answer="3")))
    assert found is not None and found.success and found.end is EndReason.FINAL
    call, odd, failed, last = (step.decision.action for step in found.history.steps)
    assert call == CallTools((ToolCall("price_for_shop", {"thing": "tea"}),), "I look it up.")
    assert isinstance(odd, Malformed) and isinstance(failed, CallTools) and last == Final("3")
    outcomes = [step.observation.outcome for step in found.history.steps]
    assert outcomes == [Outcome.OK, Outcome.MALFORMED, Outcome.TOOL_ERROR, Outcome.OK]


def test_finish_is_no_tool_and_the_folder_is_the_domain(tmp_path: Path) -> None:
    found = read_trace(trace(tmp_path, finish("give_answer", final_answer="3")))
    assert found is not None and [tool.name for tool in found.history.tools] == ["price_for_shop"]
    assert (found.task.id, found.task.domain) == ("toolbench-G1-7", "G1")
    assert "optional" not in found.history.tools[0].parameters


def test_a_trace_that_gave_up_is_no_success(tmp_path: Path) -> None:
    found = read_trace(trace(tmp_path, finish("give_up_and_restart")))
    assert found is not None and not found.success and len(found.history.steps) == 3


def test_what_is_no_trace_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "G1_answer" / "1_x.json"
    path.parent.mkdir()
    path.write_text('{"win": true}')
    with pytest.raises(DataError, match="no trace of ToolBench"):
        read_trace(path)
    with pytest.raises(PreflightError, match="no trace below"):
        trace_files(tmp_path / "elsewhere")


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ToolBench data at ../shared/data/toolbench")
def test_the_data_sets_own_examples_are_read() -> None:
    read = [read_trace(path) for path in trace_files(SHARED)]
    kept = [trajectory for trajectory in read if trajectory is not None]
    assert (len(read), len(kept), sum(trajectory.success for trajectory in kept)) == (15, 13, 9)
