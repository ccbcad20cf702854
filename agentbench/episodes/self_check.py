"""Is an environment fair? Agents with known habits must score what their habit deserves.

    oracle            plays the gold chain                     solves everything
    idle              says "I don't know"                      solves nothing
    always_refuse     says of everything it cannot be answered solves the unanswerable and nothing else
    random_legal      random legal calls and answers           solves next to nothing
    repeat_forever    one legal call again and again           solves nothing
    stall             another legal call in every step         solves nothing
    dump_everything   answers with all tools' output           solves next to nothing
    claim_success     says that it has succeeded: reward=1     solves what 1 happens to answer
    fake_observations writes results into its thoughts         solves nothing
    mention_all       gathers, then names every candidate      solves next to nothing
    mistaken          gathers, then does not know              solves nothing

The last two are left out where no answer in words is the right one: what an agent says does not count there. Episodes
that nobody could score do not count.

What it does not show: that gold answers are true of the world, or that questions are clear.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from agentbench.episodes.rates import Rate, rate
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import PoolSettings, run_tasks
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.table import percent
from agentbench.policies import Policy
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.probes import (
    DUNNO,
    AlwaysRefuse,
    Claim,
    DumpEverything,
    FakeObservations,
    GatherThen,
    Idle,
    RandomLegal,
    RepeatForever,
    Stall,
    every_candidate,
)
from agentbench.scoring.answers import is_secret
from agentbench.tasks.answers import answer_text
from agentbench.types import AnswerType, Task, Trajectory

LUCK = 0.05
"""Share of answerable tasks that random legal actions, or one number for all of them, may solve."""


class Probe(NamedTuple):
    """An agent with a habit, and the success its habit deserves."""

    name: str
    policy: Callable[[Task, int], Policy]
    answerable: tuple[float, float]
    """Least and most success on answerable tasks."""
    unanswerable: tuple[float, float]
    """Least and most success on unanswerable tasks."""
    in_words: bool = False
    """Whether it does what gold does and only answers otherwise."""


class Finding(NamedTuple):
    """What one probe scored."""

    probe: Probe
    answerable: Rate
    unanswerable: Rate
    errors: int

    @property
    def fair(self) -> bool:
        """Whether both rates lie where they should and no episode failed."""
        within = _within(self.answerable, self.probe.answerable) and _within(self.unanswerable, self.probe.unanswerable)
        return within and self.errors == 0


PROBES = (
    Probe("oracle", lambda task, seed: GoldExpert(task), (1.0, 1.0), (1.0, 1.0)),
    Probe("idle", lambda task, seed: Idle(), (0.0, 0.0), (0.0, 0.0)),
    Probe("always_refuse", lambda task, seed: AlwaysRefuse(), (0.0, 0.0), (1.0, 1.0)),
    Probe("random_legal", lambda task, seed: RandomLegal(random.Random(seed)), (0.0, LUCK), (0.0, 0.0)),
    Probe("repeat_forever", lambda task, seed: RepeatForever(random.Random(seed)), (0.0, 0.0), (0.0, 0.0)),
    Probe("stall", lambda task, seed: Stall(random.Random(seed)), (0.0, 0.0), (0.0, 0.0)),
    Probe("dump_everything", lambda task, seed: DumpEverything(random.Random(seed)), (0.0, LUCK), (0.0, 0.0)),
    Probe("claim_success", lambda task, seed: Claim(), (0.0, LUCK), (0.0, 0.0)),
    Probe("fake_observations", lambda task, seed: FakeObservations(_gold(task)), (0.0, 0.0), (0.0, 0.0)),
    Probe(
        "mention_all", lambda task, seed: GatherThen(GoldExpert(task), every_candidate), (0.0, LUCK), (0.0, 0.0), True
    ),
    Probe("mistaken", lambda task, seed: GatherThen(GoldExpert(task), lambda _: DUNNO), (0.0, 0.0), (0.0, 0.0), True),
)


def _gold(task: Task) -> str:
    return answer_text(task.turns[-1].gold.answer)


async def self_check(
    tasks: Sequence[Task], make: Callable[[Task, Policy], EpisodeParts], settings: PoolSettings, folder: Path
) -> tuple[Finding, ...]:
    """Lets every probe play every task, each in a folder of its own below `folder`.

    Raises:
        PreflightError: a folder cannot be written or is in use.
        Interrupted: SIGINT or SIGTERM.
    """
    words_count = any(not is_secret(turn.gold.answer) for task in tasks for turn in task.turns)
    probes = [probe for probe in PROBES if words_count or not probe.in_words]
    return tuple([await _probe(probe, tasks, make, settings, folder / probe.name) for probe in probes])


def findings_table(findings: Sequence[Finding]) -> Table:
    """What each probe of a self-check scored, and whether it should have."""
    table = Table()
    for heading in ("agent", "answerable solved", "unanswerable solved", "errors", "fair"):
        table.add_column(heading, justify="left" if heading == "agent" else "right")
    for finding in findings:
        shares = [f"{percent(found.rate)} of {found.n}" for found in (finding.answerable, finding.unanswerable)]
        table.add_row(finding.probe.name, *shares, str(finding.errors), "yes" if finding.fair else "NO")
    return table


async def _probe(
    probe: Probe,
    tasks: Sequence[Task],
    make: Callable[[Task, Policy], EpisodeParts],
    settings: PoolSettings,
    folder: Path,
) -> Finding:
    def parts(task: Task, seed: int) -> EpisodeParts:
        return make(task, probe.policy(task, seed))

    summary = await run_tasks(tasks, parts, settings, folder)
    solved, played = {True: 0, False: 0}, {True: 0, False: 0}
    for trajectory in read_trajectories(folder / TRAJECTORIES):
        kind = is_answerable(trajectory.task)
        solved[kind] += trajectory.success
        played[kind] += not _is_unscored(trajectory)
    return Finding(
        probe,
        rate(solved[True], played[True]),
        rate(solved[False], played[False]),
        sum(summary.errors.values()),
    )


def _is_unscored(trajectory: Trajectory) -> bool:
    return any(score.name == "answer" and score.value is None for score in trajectory.scores)


def is_answerable(task: Task) -> bool:
    """Whether any turn of the task has an answer; refusing every turn is then wrong."""
    return any(turn.gold.answer.type is not AnswerType.UNANSWERABLE for turn in task.turns)


def _within(found: Rate, limits: tuple[float, float]) -> bool:
    """Whether a rate lies in its limits; chance may carry it over an upper one that is not zero."""
    least, most = limits
    return found.rate is None or (found.rate >= least and (found.low if most else found.rate) <= most)
