"""ToolBench's traces as a file of trajectories, which rows are built of as of any other."""

from __future__ import annotations

import os
from pathlib import Path

from agentbench.build import Report
from agentbench.config.source import ToolbenchSource
from agentbench.episodes.store import TRAJECTORIES, TrajectoryWriter
from agentbench.tasks.toolbench import read_trace, trace_files


def made_trajectories(source: ToolbenchSource, folder: Path, report: Report) -> None:
    """Writes the traces that can be trained on, and says how many these are.

    Raises:
        PreflightError: there is no trace.
        DataError: a file is broken.
    """
    read = [read_trace(path) for path in trace_files(source.path)]
    kept = [trajectory for trajectory in read if trajectory is not None]
    with TrajectoryWriter(folder) as writer:
        for trajectory in kept:
            writer.append(trajectory)
    answered = sum(trajectory.success for trajectory in kept)
    report(
        f"{len(read)} traces: {answered} with an answer, {len(kept) - answered} given up, {len(read) - len(kept)} empty"
    )
    path = os.path.relpath(folder / TRAJECTORIES)
    report(f"trajectories: {path}")
    report(f"next: python -m agentbench.build_prefs prefs=sft tokenizer=MODEL trajectories=[{path}]")
