"""A run in figures, each with its interval, and the same figures of an agent that does nothing and of the gold chains.

Episodes that ended with an error, or that nobody could score, say nothing about the agent. They count as unsolved in
every figure but `success_without_failures`, so that the two bound what the run would have shown without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from agentbench.episodes.rates import Rate, TaskCounts, families_solved
from agentbench.reporting.estimates import Estimate, mean, several
from agentbench.reporting.facts import MEASURES, EpisodeFacts
from agentbench.reporting.judged import JudgedSuccess, Verdict, judged_success
from agentbench.reporting.repeats import Repeated, over_runs
from agentbench.types import StepCategory, record

STATISTICS = "statistics.json"

LAST_STEP = 10
"""Steps after this one are taken together where categories are told by step."""


@record
class Figures:
    """What came of some episodes of an agent."""

    tasks: int
    episodes: int
    success: Rate
    """Failures count as unsolved: the lower bound."""
    success_without_failures: Rate
    """Of the other episodes."""
    failures: dict[str, int]
    """Episodes that say nothing about the agent, by kind."""
    groups: dict[str, dict[str, Rate]]
    """Success by domain, scenario, tool_availability and hops, and of the turns, by their number, those that the
    rules call right."""
    families: Rate
    """Families of tasks of which all were solved, where tasks belong to one: AppWorld's scenario goal completion."""
    refused_rightly: Rate
    """Of the turns that cannot be answered."""
    refused_wrongly: Rate
    """Of the turns that can."""
    measures: dict[str, Estimate]
    """Means per episode, by name; with several episodes per task each task counts by its episodes."""
    scores: dict[str, Estimate]
    """Means of the scores beside `answer`, where they judged."""


@record
class Statistics:
    """A run's figures with those of the baselines on the same tasks."""

    run: Figures
    baselines: dict[str, Figures]
    pass_at: dict[int, Estimate]
    """By k: at least one of k episodes of a task solved."""
    pass_all: dict[int, Estimate]
    """By k: all of k episodes of a task solved."""
    categories_by_step: tuple[dict[str, int], ...]
    """How many first, second … steps were of which category; the last entry holds all later steps."""
    judged: JudgedSuccess | None
    """`None` where no judge spoke."""
    repeats: dict[str, Repeated]
    """Success and scores over repeated runs, one for each sample; empty where every task was played once."""


class Labels(NamedTuple):
    """What people know of episodes: whether they were solved, by task and sample; and where that is written."""

    solved: Mapping[tuple[str, int], bool]
    source: str


def statistics(
    episodes: Sequence[EpisodeFacts],
    baselines: Mapping[str, Sequence[EpisodeFacts]],
    labels: Labels | None,
    seed: int = 0,
) -> Statistics:
    """All figures; a judge's errors are measured by the labels, or else by the rules' own score."""
    any_solved, all_solved = several(_counts(episodes), seed)
    return Statistics(
        run=figures(episodes, seed),
        baselines={name: figures(played, seed) for name, played in baselines.items()},
        pass_at=any_solved,
        pass_all=all_solved,
        categories_by_step=categories_by_step(episodes),
        judged=_judged(episodes, labels, seed),
        repeats=over_runs(episodes),
    )


def figures(episodes: Sequence[EpisodeFacts], seed: int = 0) -> Figures:
    """The figures of one agent's episodes."""
    turns = [(episode.task, turn) for episode in episodes for turn in episode.turns]
    return Figures(
        tasks=len({episode.task for episode in episodes}),
        episodes=len(episodes),
        success=_success(episodes),
        success_without_failures=_success([episode for episode in episodes if not episode.failure]),
        failures=dict(Counter(episode.failure for episode in episodes if episode.failure)),
        groups=_groups(episodes),
        families=families_solved((each.family, each.sample, each.solved) for each in episodes),
        refused_rightly=_rate((task, turn.refused) for task, turn in turns if not turn.answerable),
        refused_wrongly=_rate((task, turn.refused) for task, turn in turns if turn.answerable),
        measures=_means(episodes, MEASURES, lambda episode: episode.measures, seed),
        scores=_means(episodes, _score_names(episodes), _judged_scores, seed),
    )


def categories_by_step(episodes: Iterable[EpisodeFacts]) -> tuple[dict[str, int], ...]:
    """Counts of step categories by the step's number."""
    counts: list[Counter[str]] = []
    for episode in episodes:
        for index, category in enumerate(episode.categories):
            place = min(index, LAST_STEP)
            counts += [Counter() for _ in range(place + 1 - len(counts))]
            counts[place][category.value] += 1
    order = [category.value for category in StepCategory]
    return tuple({name: count[name] for name in order if count[name]} for count in counts)


def _success(episodes: Iterable[EpisodeFacts]) -> Rate:
    return _rate((episode.task, episode.solved) for episode in episodes)


def _rate(outcomes: Iterable[tuple[str, bool]]) -> Rate:
    counts = TaskCounts()
    for task, right in outcomes:
        counts.add(task, right)
    return counts.rate()


def _groups(episodes: Iterable[EpisodeFacts]) -> dict[str, dict[str, Rate]]:
    found: dict[str, dict[str, TaskCounts]] = {}
    for episode in episodes:
        for by, name in episode.groups.items():
            found.setdefault(by, {}).setdefault(name, TaskCounts()).add(episode.task, episode.solved)
        for turn in episode.turns:
            found.setdefault("turn", {}).setdefault(str(turn.number), TaskCounts()).add(episode.task, turn.right)
    return {by: {name: counts.rate() for name, counts in sorted(group.items())} for by, group in found.items()}


def _means(
    episodes: Sequence[EpisodeFacts],
    names: Iterable[str],
    values: Callable[[EpisodeFacts], Mapping[str, float]],
    seed: int,
) -> dict[str, Estimate]:
    told = {
        name: [(episode.task, values(episode)[name]) for episode in episodes if name in values(episode)]
        for name in names
    }
    return {name: mean(pairs, seed) for name, pairs in told.items() if pairs}


def _score_names(episodes: Iterable[EpisodeFacts]) -> list[str]:
    return sorted({name for episode in episodes for name in episode.scores} - {"answer"})


def _judged_scores(episode: EpisodeFacts) -> dict[str, float]:
    return {name: value for name, value in episode.scores.items() if value is not None}


def _counts(episodes: Iterable[EpisodeFacts]) -> dict[str, tuple[int, int]]:
    counts: dict[str, tuple[int, int]] = {}
    for episode in episodes:
        solved, played = counts.get(episode.task, (0, 0))
        counts[episode.task] = (solved + episode.solved, played + 1)
    return counts


def _judged(episodes: Iterable[EpisodeFacts], labels: Labels | None, seed: int) -> JudgedSuccess | None:
    verdicts = []
    for episode in episodes:
        judged = episode.scores.get("judge")
        if judged is not None:
            rules = episode.scores.get("answer")
            known = None if rules is None else rules == 1.0
            label = labels.solved.get((episode.task, episode.sample)) if labels else known
            verdicts.append(Verdict(episode.task, judged == 1.0, label))
    return judged_success(verdicts, seed) if verdicts else None
