"""Several runs on the same tasks in one record: figures, what training cost, paired differences, tasks that flipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from agentbench.errors import ConfigError
from agentbench.reporting.comparable import Setting, differing_settings, refuse_incomparable, world_hashes
from agentbench.reporting.divergence import Divergence, divergence
from agentbench.reporting.facts import EpisodeFacts
from agentbench.reporting.paired import Pair, PairedDifference, holm, paired_difference
from agentbench.reporting.run_folder import Run
from agentbench.reporting.statistics import Figures, figures
from agentbench.reporting.trained import Training, training_of
from agentbench.types import Trajectory, record

COMPARISON = "comparison.json"


@record
class ComparedRun:
    """One run of a comparison."""

    name: str
    folder: str
    figures: Figures
    """Of the tasks that all runs have."""
    training: Training | None
    """What its model's training cost; `None` where no run folder tells."""


@record
class Flip:
    """A task of which one run solved a larger share than the other."""

    task: str
    question: str
    first: float
    """Share of its episodes that the first run solved."""
    second: float
    samples: tuple[int, int]
    """Of either run, the episode that is looked at: the first one that shows the flip."""
    apart: Divergence | None
    """Where the two went different ways; `None` where every step was the same."""


@record
class Against:
    """One run against the first."""

    name: str
    difference: PairedDifference
    p_holm: float
    """Its p, corrected for the number of runs that are compared with the first."""
    flips: tuple[Flip, ...]


@record
class Comparison:
    """All of it; the first run is what the others are compared with."""

    runs: tuple[ComparedRun, ...]
    baselines: dict[str, Figures]
    """Of the first run, on the same tasks."""
    against_first: tuple[Against, ...]
    settings: dict[str, list[Any]]
    """Keys in which the runs differ, with the value in each."""
    allowed: tuple[str, ...]
    """Keys in which they may differ because somebody said so."""


class Played(NamedTuple):
    """A run and the facts of its episodes."""

    run: Run
    name: str
    facts: Sequence[EpisodeFacts]

    @property
    def setting(self) -> Setting:
        """What comparisons depend on."""
        tasks = {episode.task: episode.asked for episode in self.facts}
        return Setting(self.name, self.run.config, tasks, world_hashes(self.run.record))


def compare(runs: Sequence[Run], allow: Sequence[str], seed: int = 0) -> Comparison:
    """The comparison of two or more runs.

    Raises:
        ConfigError: they were set up otherwise, or share no task.
        PreflightError, DataError: a run's episodes cannot be read.
    """
    played = [Played(run, name, run.facts()) for run, name in zip(runs, names(runs), strict=True)]
    refuse_incomparable([each.setting for each in played], allow)
    shared = set.intersection(*({episode.task for episode in each.facts} for each in played))
    if not shared:
        raise ConfigError(["tasks: the runs have none in common"])
    cut = [each._replace(facts=[fact for fact in each.facts if fact.task in shared]) for each in played]
    differences = [_difference(cut[0], other, seed) for other in cut[1:]]
    corrected = holm([difference.p for difference in differences])
    beside = {name: [fact for fact in facts if fact.task in shared] for name, facts in cut[0].run.baselines().items()}
    return Comparison(
        runs=tuple(_compared(each, seed) for each in cut),
        baselines={name: figures(facts, seed) for name, facts in beside.items()},
        against_first=tuple(
            Against(other.name, difference, p, tuple(_flips(cut[0], other)))
            for other, difference, p in zip(cut[1:], differences, corrected, strict=True)
        ),
        settings=differing_settings([each.run.config for each in cut]),
        allowed=tuple(allow),
    )


def names(runs: Iterable[Run]) -> list[str]:
    """The shortest ends of the runs' folders that tell them apart."""
    parts = [run.folder.resolve().parts for run in runs]
    longest = max(len(each) for each in parts)
    for length in range(1, longest + 1):
        found = ["/".join(each[-length:]) for each in parts]
        if len(set(found)) == len(found):
            return found
    raise ConfigError(["compare: the same run is named twice"])


def _compared(played: Played, seed: int) -> ComparedRun:
    run = played.run
    return ComparedRun(played.name, str(run.folder), figures(played.facts, seed), training_of(run))


def _shares(facts: Iterable[EpisodeFacts]) -> dict[str, tuple[int, int]]:
    counts: dict[str, tuple[int, int]] = {}
    for episode in facts:
        solved, played = counts.get(episode.task, (0, 0))
        counts[episode.task] = (solved + episode.solved, played + 1)
    return counts


def _difference(first: Played, second: Played, seed: int) -> PairedDifference:
    ours, theirs = _shares(first.facts), _shares(second.facts)
    return paired_difference([Pair(ours[task], theirs[task]) for task in ours], seed)


def _flips(first: Played, second: Played) -> Iterator[Flip]:
    """Tasks gained first, then those lost, each by id."""
    ours, theirs = _shares(first.facts), _shares(second.facts)
    moved = {task: Fraction(*theirs[task]) - Fraction(*ours[task]) for task in ours}
    flipped = sorted((task for task, by in moved.items() if by), key=lambda task: (moved[task] < 0, task))
    firsts = _episodes(first, {task: moved[task] < 0 for task in flipped})
    seconds = _episodes(second, {task: moved[task] > 0 for task in flipped})
    for task in flipped:
        one, other = firsts[task], seconds[task]
        first_share, second_share = (float(Fraction(*counts[task])) for counts in (ours, theirs))
        samples = (one.sample, other.sample)
        yield Flip(task, one.task.turns[0].query, first_share, second_share, samples, divergence(one, other))


def _episodes(played: Played, wanted: Mapping[str, bool]) -> dict[str, Trajectory]:
    """An episode of each wanted task with the wanted success: the one with the lowest sample."""
    chosen: dict[str, Trajectory] = {}
    for trajectory in played.run.trajectories():
        task = trajectory.task.id
        if task in wanted and trajectory.success is wanted[task]:
            before = chosen.get(task)
            if before is None or trajectory.sample < before.sample:
                chosen[task] = trajectory
    return chosen
