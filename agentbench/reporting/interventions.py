"""When the expert stepped in, and whether it was needed: an overseer judged by what agent and expert then said.

An intervention was needed where the agent would have done something else than the expert; that is known only where
the alternative was kept (`expert_mode.save_alternate_trace=true`). A step of the agent's own that was graded bad is
one that the overseer let through. Neither says that the expert was right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from agentbench.episodes.rates import Rate, TaskCounts
from agentbench.episodes.tally import differ
from agentbench.types import Actor, Step, StepCategory, Trajectory, record

LAST_STEP = 10
"""Steps after this one are taken together."""
FINE = (
    StepCategory.CORRECT_FINAL,
    StepCategory.CORRECT_REFUSAL,
    StepCategory.GOLD_CALL,
    StepCategory.OTHER_CALL,
)
"""Categories of steps that nobody had to prevent."""


@record
class Interventions:
    """What an overseer did in a run."""

    by_step: tuple[Rate, ...]
    """Share of the first, second … steps that the expert took; the last entry holds all later steps."""
    needed: dict[str, Rate]
    """By reason: of the expert's steps whose alternative is known, those at which the agent would have done something
    else."""
    let_through: Rate
    """Of the agent's own steps, those graded bad."""


def interventions(trajectories: Iterable[Trajectory]) -> Interventions:
    """Counts over all episodes; intervals take steps of one task together."""
    by_step: list[TaskCounts] = []
    needed: dict[str, TaskCounts] = defaultdict(TaskCounts)
    let_through = TaskCounts()
    for trajectory in trajectories:
        task = trajectory.task.id
        for index, step in enumerate(trajectory.history.steps):
            by_expert = step.decision.actor is Actor.EXPERT
            place = min(index, LAST_STEP)
            by_step += [TaskCounts() for _ in range(place + 1 - len(by_step))]
            by_step[place].add(task, by_expert)
            if not by_expert:
                let_through.add(task, step.category not in FINE)
            for wanted in _agents_differ(trajectory, step) if by_expert else ():
                needed[step.decision.reason or "always"].add(task, wanted)
    shares = tuple(counts.rate() for counts in by_step)
    return Interventions(shares, {reason: needed[reason].rate() for reason in sorted(needed)}, let_through.rate())


def _agents_differ(trajectory: Trajectory, step: Step) -> Iterator[bool]:
    """Whether the agent would have done something else, where that is known."""
    for other in step.decision.alternatives:
        if other.actor is Actor.AGENT:
            yield differ(step.decision.action, other.action, trajectory.history.tools)
