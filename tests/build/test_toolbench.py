"""A folder of traces becomes a file of trajectories."""

from __future__ import annotations

import json
from pathlib import Path

from agentbench.build.toolbench import made_trajectories
from agentbench.config.source import ToolbenchSource
from agentbench.episodes.store import read_trajectories


def trace(folder: Path, number: int, *kinds: str) -> None:
    """A trace that ends as `kinds` say; without any there is nothing to train on."""
    ends = [json.dumps({"return_type": kind, "final_answer": "3"}) for kind in kinds]
    said = [{"role": "assistant", "function_call": {"name": "Finish", "arguments": end}} for end in ends]
    found = {"query": "What does tea cost?", "function": [], "train_messages": [said] if kinds else []}
    (folder / "G1_answer").mkdir(exist_ok=True)
    (folder / "G1_answer" / f"{number}_x.json").write_text(json.dumps({"answer_generation": found}))


def test_traces_are_written_and_counted_by_how_they_ended(tmp_path: Path) -> None:
    trace(tmp_path, 1, "give_answer")
    trace(tmp_path, 2, "give_up_and_restart")
    trace(tmp_path, 3)
    lines: list[str] = []
    made_trajectories(ToolbenchSource(path=tmp_path), tmp_path, lines.append)
    assert lines[0] == "3 traces: 1 with an answer, 1 given up, 1 empty"
    assert [each.success for each in read_trajectories(tmp_path / "trajectories.jsonl")] == [True, False]
