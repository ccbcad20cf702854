"""Episodes that were played elsewhere, scored here and kept like a run of our own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from agentbench.app.lock import locked
from agentbench.episodes.store import TRAJECTORIES, TrajectoryWriter
from agentbench.episodes.summary import Summary, write_summary
from agentbench.episodes.table import final_table
from agentbench.episodes.tally import Tally
from agentbench.errors import PreflightError
from agentbench.scoring import Scorer
from agentbench.types import EndReason, Score, Trajectory


async def keep_scored(
    trajectories: Iterable[Trajectory], scorers: Sequence[Scorer], tally: Tally, folder: Path
) -> Summary:
    """Scores each trajectory anew, writes it to the folder, and sums up; prints the final table.

    Trajectories that ended with an error keep it and get no scores.

    Raises:
        PreflightError: the folder holds trajectories already, another process uses it, or it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / TRAJECTORIES).exists():
        raise PreflightError(f"{folder} holds trajectories already", "use a new folder")
    with locked(folder), TrajectoryWriter(folder) as writer:
        for trajectory in trajectories:
            scored = dataclasses.replace(trajectory, scores=await _scores(trajectory, scorers))
            writer.append(scored)
            tally.add(scored)
        summary = tally.summary()
        write_summary(folder, summary)
    Console().print(final_table(summary))
    return summary


async def _scores(trajectory: Trajectory, scorers: Sequence[Scorer]) -> tuple[Score, ...]:
    if trajectory.end is EndReason.ERROR:
        return ()
    return tuple([score for scorer in scorers for score in await scorer.score(trajectory)])
