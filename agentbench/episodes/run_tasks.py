"""A whole run on a folder: locked, resumed where it stopped, played, recorded, summarised."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from rich.console import Console

from agentbench.app.lock import locked
from agentbench.config.model import Price
from agentbench.episodes.branching import run_tree
from agentbench.episodes.clock import Waited
from agentbench.episodes.failures import FailureStreak
from agentbench.episodes.pool import run_pool
from agentbench.episodes.progress import showing
from agentbench.episodes.run_episode import EpisodeParts, Limits, failed
from agentbench.episodes.store import (
    TRAJECTORIES,
    EpisodeId,
    TrajectoryWriter,
    finished_ids,
    read_trajectories,
    repair,
)
from agentbench.episodes.summary import ExpertSettings, Summary, write_summary
from agentbench.episodes.table import final_table
from agentbench.episodes.tally import Tally
from agentbench.errors import DataError, Interrupted, PreflightError, RunFailed
from agentbench.types import EndReason, Task, Trajectory

MakeParts = Callable[[Task, int], EpisodeParts]
"""Builds what one episode needs from its task and the episode's own seed."""

Watch = Callable[[Trajectory], None]
"""Sees each episode once it is on disk; what it keeps stays in memory."""

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
    """Each episode's own seed is derived from this one, the task's id and the sample."""
    episode_timeout_s: float
    """Of an episode's executed path, and of each branch."""
    max_failures: float
    """Share of episodes, in [0, 1], that may end with an error."""
    expert: ExpertSettings = ExpertSettings()
    prices: Mapping[str, Price] = MappingProxyType({})
    """What the tokens of a role cost; roles without a price are not counted in money."""
    quiet: bool = False
    """Print neither progress nor the final table."""
    samples: int = 1
    """Episodes of each task."""
    watch: Watch | None = None
    """Sees each episode of this run, in the order in which they end."""
    table: bool = True
    """Print the final table; off for runs that print tables of their own."""
    progress: bool = True
    """Print how far the run is while it runs."""
    breakers: tuple[Waited, ...] = ()
    """Of the servers that the run waits for while they are down: clocks of episodes stand still."""

    def paused_s(self) -> float:
        """Seconds for which the run has waited for servers so far."""
        return sum(breaker.down_s for breaker in self.breakers)

    def status(self) -> str:
        """Which servers are waited for; empty where none is."""
        return ", ".join(breaker.status for breaker in self.breakers if breaker.is_down)


class Player(Protocol):
    """Who plays a run's episodes: this process, or workers elsewhere."""

    @property
    def lost(self) -> int:
        """Workers that were lost so far."""
        ...

    async def play(self, task: Task, sample: int) -> Trajectory:
        """One episode; its failures are data on the trajectory, and what is raised ends the run."""
        ...


class Here:
    """Plays episodes in this process."""

    lost = 0

    def __init__(self, make_parts: MakeParts, settings: PoolSettings) -> None:
        self._make_parts = make_parts
        self._seed = settings.seed
        self._limits = Limits(settings.horizon, settings.episode_timeout_s, settings.paused_s)

    async def play(self, task: Task, sample: int) -> Trajectory:
        """One episode with its branches; a `make_parts` that fails is its error."""
        seed = episode_seed(self._seed, task.id, sample)
        try:
            parts = self._make_parts(task, seed)
        except Exception as failure:  # recorded like any other failure of an episode
            return failed(task, failure, seed, sample)
        return await run_tree(task, parts, self._limits, seed, sample=sample)


async def run_tasks(tasks: Sequence[Task], make_parts: MakeParts, settings: PoolSettings, folder: Path) -> Summary:
    """Plays a run in this process, as `run_episodes` does; a `make_parts` that fails is that episode's error."""
    return await run_episodes(tasks, Here(make_parts, settings), settings, folder)


async def run_episodes(tasks: Sequence[Task], player: Player, settings: PoolSettings, folder: Path) -> Summary:
    """Plays the episodes that the folder does not hold yet, all first samples first, and sums up all it then holds.

    Episodes that ended with an error in an earlier run are played again. Everything finished is on disk whatever
    happens, `summary.json` included.

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
        planned = [_Planned(task, sample) for sample in range(settings.samples) for task in tasks]
        waiting = [episode for episode in planned if episode.id not in finished]
        try:
            progress = console if settings.progress else Console(quiet=True)
            async with showing(tally, len(planned), progress, settings.status):
                await _play(waiting, player, settings, folder, tally)
        except BaseException:
            with suppress(PreflightError):  # where the disk is full, the first complaint about it says it all
                write_summary(folder, tally.summary(player.lost))
            raise
        summary = tally.summary(player.lost)
        write_summary(folder, summary)
    if settings.table:
        console.print(final_table(summary))
    _judge(summary, settings, tally.first_error)
    return summary


class _Planned(NamedTuple):
    """An episode that is to be played."""

    task: Task
    sample: int

    @property
    def id(self) -> EpisodeId:
        return EpisodeId(self.task.id, self.sample)


def episode_seed(seed: int, task_id: str, sample: int = 0) -> int:
    """A 32-bit seed for a task's episode: the same on every machine, whatever other tasks and samples there are."""
    digest = hashlib.blake2b(f"{seed}:{task_id}".encode(), digest_size=4, person=sample.to_bytes(16, "big"))
    return int.from_bytes(digest.digest(), "big")


def _refuse_repeated(tasks: Sequence[Task]) -> None:
    repeated = [task_id for task_id, count in Counter(task.id for task in tasks).items() if count > 1]
    if repeated:
        raise DataError("the tasks of this run", f"several have the id {repeated[0]!r}", next_step="make ids unique")


def _earlier(path: Path, tasks: Sequence[Task], tally: Tally, console: Console) -> set[EpisodeId]:
    """Counts what an earlier run finished in this folder; the ids."""
    if not path.exists():
        return set()
    cut = repair(path)
    if cut:
        line = f"{path}: cut off a torn last line of {cut} bytes; its episode is played again"
        _log.warning(line)
        console.print(line, highlight=False, soft_wrap=True)
    finished = finished_ids(path)
    foreign = {episode.task for episode in finished} - {task.id for task in tasks}
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
    waiting: Sequence[_Planned], player: Player, settings: PoolSettings, folder: Path, tally: Tally
) -> None:
    streak = FailureStreak(max(FEWEST_ALIKE, settings.concurrency))

    async def play(episode: _Planned) -> Trajectory:
        return await player.play(episode.task, episode.sample)

    with TrajectoryWriter(folder) as writer:

        def keep(trajectory: Trajectory) -> None:
            kept = _append(writer, trajectory)
            tally.add(kept)
            if settings.watch is not None:
                settings.watch(kept)
            streak.note(kept)

        try:
            await run_pool(waiting, play, keep, settings.concurrency)
        except Interrupted as stop:
            raise Interrupted(f"{stop}; {tally.n} episodes are on disk") from None


def _append(writer: TrajectoryWriter, trajectory: Trajectory) -> Trajectory:
    try:
        writer.append(trajectory)
    except TypeError as failure:  # an environment's evidence without a JSON form is that episode's failure
        trajectory = failed(trajectory.task, failure, trajectory.seed, trajectory.sample)
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
