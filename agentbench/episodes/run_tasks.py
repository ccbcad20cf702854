"""A whole run on a folder: locked, resumed where it stopped, played, recorded, summarised."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rich.console import Console

from agentbench.app.lock import locked
from agentbench.config.model import Price
from agentbench.episodes.failures import FailureStreak
from agentbench.episodes.pool import run_pool
from agentbench.episodes.progress import showing
from agentbench.episodes.run_episode import EpisodeParts, Limits, failed, run_episode
from agentbench.episodes.store import TRAJECTORIES, TrajectoryWriter, finished_ids, read_trajectories, repair
from agentbench.episodes.summary import ExpertSettings, Summary, write_summary
from agentbench.episodes.table import final_table
from agentbench.episodes.tally import Tally
from agentbench.errors import DataError, Interrupted, RunFailed
from agentbench.types import EndReason, Task, Trajectory

MakeParts = Callable[[Task, int], EpisodeParts]
"""Builds what one episode needs from its task and the episode's own seed."""

FEWEST_ALIKE = 8
"""A run ends early when this many first episodes, or the concurrency if that is more, all fail alike."""

_log = logging.getLogger(__name__)


class PoolSettings(NamedTuple):
    """How a run's episodes are played."""

    concurrency: int
    """Episodes under way at once."""
    horizon: int
    """Most steps of an episode."""
    seed: int
    """Each episode's own seed is derived from this one and the task's id."""
    episode_timeout_s: float
    max_failures: float
    """Share of episodes, in [0, 1], that may end with an error."""
    expert: ExpertSettings = ExpertSettings()
    prices: Mapping[str, Price] = MappingProxyType({})
    """What the tokens of a role cost; roles without a price are not counted in money."""
    quiet: bool = False
    """Print neither progress nor the final table."""


async def run_tasks(tasks: Sequence[Task], make_parts: MakeParts, settings: PoolSettings, folder: Path) -> Summary:
    """Plays the tasks that the folder does not hold yet, one episode each, and sums up all that it then holds.

    Episodes that ended with an error in an earlier run are played again. Everything finished is on disk whatever
    happens, `summary.json` included. A `make_parts` that fails is that episode's error.

    Raises:
        DataError: two tasks have the same id, or the folder holds broken lines or episodes of other tasks.
        PreflightError: another process uses the folder, it cannot be written, or the first episodes all fail alike.
        Interrupted: SIGINT or SIGTERM.
        RunFailed: more than `max_failures` of all episodes ended with an error.
    """
    _refuse_repeated(tasks)
    console = Console(quiet=settings.quiet)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        tally = Tally(settings.expert, settings.prices)
        finished = _earlier(folder / TRAJECTORIES, tasks, tally, console)
        waiting = [task for task in tasks if task.id not in finished]
        try:
            async with showing(tally, len(tasks), console):
                await _play(waiting, make_parts, settings, folder, tally)
        finally:
            summary = tally.summary()
            write_summary(folder, summary)
    console.print(final_table(summary))
    _judge(summary, settings, tally.first_error)
    return summary


def episode_seed(seed: int, task_id: str) -> int:
    """A 32-bit seed for a task's episode: the same on every machine, whatever other tasks there are."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{task_id}".encode(), digest_size=4).digest(), "big")


def _refuse_repeated(tasks: Sequence[Task]) -> None:
    repeated = [task_id for task_id, count in Counter(task.id for task in tasks).items() if count > 1]
    if repeated:
        raise DataError("the tasks of this run", f"several have the id {repeated[0]!r}", next_step="make ids unique")


def _earlier(path: Path, tasks: Sequence[Task], tally: Tally, console: Console) -> set[str]:
    """Counts what an earlier run finished in this folder; the ids."""
    if not path.exists():
        return set()
    cut = repair(path)
    if cut:
        line = f"{path}: cut off a torn last line of {cut} bytes; its episode is played again"
        _log.warning(line)
        console.print(line, highlight=False, soft_wrap=True)
    finished = finished_ids(path)
    foreign = finished - {task.id for task in tasks}
    if foreign:
        raise DataError(
            path, f"holds the task {min(foreign)!r}, which is not among this run's", None, "use a new folder"
        )
    known = {task.id: task for task in tasks}
    for trajectory in read_trajectories(path):
        if trajectory.end is not EndReason.ERROR:
            _refuse_changed(path, trajectory.task, known)
            tally.add(trajectory)
    return finished


def _refuse_changed(path: Path, played: Task, known: Mapping[str, Task]) -> None:
    if played != known[played.id]:
        problem = f"the task {played.id!r} it holds asks something else than this run's task of that id"
        raise DataError(path, problem, None, "the world was prepared anew; use a new folder")


async def _play(
    waiting: Sequence[Task], make_parts: MakeParts, settings: PoolSettings, folder: Path, tally: Tally
) -> None:
    limits = Limits(settings.horizon, settings.episode_timeout_s)
    streak = FailureStreak(max(FEWEST_ALIKE, settings.concurrency))

    async def play(task: Task) -> Trajectory:
        seed = episode_seed(settings.seed, task.id)
        try:
            parts = make_parts(task, seed)
        except Exception as failure:  # recorded like any other failure of an episode
            return failed(task, failure, seed)
        return await run_episode(task, parts, limits, seed)

    with TrajectoryWriter(folder) as writer:

        def keep(trajectory: Trajectory) -> None:
            kept = _append(writer, trajectory)
            tally.add(kept)
            streak.note(kept)

        try:
            await run_pool(waiting, play, keep, settings.concurrency)
        except Interrupted as stop:
            raise Interrupted(f"{stop}; {tally.n} episodes are on disk") from None


def _append(writer: TrajectoryWriter, trajectory: Trajectory) -> Trajectory:
    try:
        writer.append(trajectory)
    except TypeError as failure:  # an environment's evidence without a JSON form is that episode's failure
        trajectory = failed(trajectory.task, failure, trajectory.seed)
        writer.append(trajectory)
    return trajectory


def _judge(summary: Summary, settings: PoolSettings, first_error: str) -> None:
    failures = sum(summary.errors.values())
    if failures and failures / summary.n > settings.max_failures:
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(summary.errors.items()))
        allowed = f"{100 * settings.max_failures:g} % are allowed"
        raise RunFailed(
            f"{failures} of {summary.n} episodes ended with an error ({kinds}); {allowed}; the first was {first_error}"
        )
