"""Episodes that were played elsewhere or before, scored here and kept like a run of our own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from agentbench.app.lock import locked
from agentbench.episodes.pool import run_pool
from agentbench.episodes.store import TRAJECTORIES, EpisodeId, TrajectoryWriter, read_trajectories, repair
from agentbench.episodes.summary import Summary, write_summary
from agentbench.episodes.table import final_table
from agentbench.episodes.tally import Tally
from agentbench.scoring import Scorer
from agentbench.types import Branch, EndReason, Score, Step, Trajectory


class Rescoring(NamedTuple):
    """Who scores, and how."""

    scorers: Sequence[Scorer]
    tally: Tally
    concurrency: int
    """Episodes being scored at once."""
    table: bool = True
    """Print the final table."""


async def keep_scored(trajectories: Iterable[Trajectory], rescoring: Rescoring, folder: Path) -> Summary:
    """Scores each trajectory that the folder does not hold yet anew, keeps it there, and sums up all it then holds.

    Trajectories that ended with an error keep it and get no scores. A scorer that raises ends the run; what was scored
    stays, and the same command goes on with it.

    Raises:
        PreflightError: another process uses the folder, or it cannot be written.
        Interrupted: SIGINT or SIGTERM.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        kept = _earlier(folder / TRAJECTORIES, rescoring.tally)
        waiting = [each for each in trajectories if EpisodeId(each.task.id, each.sample) not in kept]
        try:
            await _score_all(waiting, rescoring, folder)
        finally:
            summary = rescoring.tally.summary()
            write_summary(folder, summary)
    if rescoring.table:
        Console().print(final_table(summary))
    return summary


async def _score_all(waiting: Sequence[Trajectory], rescoring: Rescoring, folder: Path) -> None:
    async def score(trajectory: Trajectory) -> Trajectory:
        scored = await _with_scored_branches(trajectory, rescoring.scorers)
        return dataclasses.replace(scored, scores=await _scores(trajectory, rescoring.scorers))

    with TrajectoryWriter(folder) as writer:

        def keep(scored: Trajectory) -> None:
            writer.append(scored)
            rescoring.tally.add(scored)

        await run_pool(waiting, score, keep, rescoring.concurrency)


def _earlier(path: Path, tally: Tally) -> set[EpisodeId]:
    if not path.exists():
        return set()
    repair(path)
    kept = set()
    for trajectory in read_trajectories(path):
        tally.add(trajectory)
        kept.add(EpisodeId(trajectory.task.id, trajectory.sample))
    return kept


async def _with_scored_branches(trajectory: Trajectory, scorers: Sequence[Scorer]) -> Trajectory:
    """The tree with every way through it scored. What only the environment knew of a branch's end was not kept."""
    steps = await _scored_steps(trajectory, (), trajectory.history.steps, scorers)
    return dataclasses.replace(trajectory, history=dataclasses.replace(trajectory.history, steps=steps))


async def _scored_steps(
    tree: Trajectory, before: tuple[Step, ...], steps: tuple[Step, ...], scorers: Sequence[Scorer]
) -> tuple[Step, ...]:
    made: list[Step] = []
    for index, step in enumerate(steps):
        so_far = (*before, *steps[:index])
        branches = [await _scored_branch(tree, so_far, branch, scorers) for branch in step.branches]
        made.append(dataclasses.replace(step, branches=tuple(branches)) if branches else step)
    return tuple(made)


async def _scored_branch(
    tree: Trajectory, before: tuple[Step, ...], branch: Branch, scorers: Sequence[Scorer]
) -> Branch:
    history = dataclasses.replace(tree.history, steps=(*before, *branch.steps))
    way = dataclasses.replace(tree, history=history, end=branch.end, evidence={}, error=branch.error, seed=branch.seed)
    steps = await _scored_steps(tree, before, branch.steps, scorers)
    return dataclasses.replace(branch, steps=steps, scores=await _scores(way, scorers))


async def _scores(trajectory: Trajectory, scorers: Sequence[Scorer]) -> tuple[Score, ...]:
    if trajectory.end is EndReason.ERROR:
        return ()
    return tuple([score for scorer in scorers for score in await scorer.score(trajectory)])
