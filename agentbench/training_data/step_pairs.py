"""Step preferences: in one state, the expert's action over the agent's, where the two do different things.

A state offers the executed action, the alternatives kept beside it, and the first steps of branches. The prompt of a
pair is everything up to that state. A call that was never carried out has no reward category, so no filter by
category touches it; answers and unreadable texts need no environment and are graded here all the same.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from agentbench.config.prefs import StepPrefs
from agentbench.scoring.steps import categorise
from agentbench.training_data.rows import PreferenceRow
from agentbench.training_data.transcript import Transcriber, moves_text, opening_and, said, tools_text
from agentbench.types import (
    Action,
    Actor,
    CallTools,
    Decision,
    History,
    Observation,
    Step,
    StepCategory,
    Task,
    ToolSpec,
    Trajectory,
)

Differ = Callable[[Action, Action, tuple[ToolSpec, ...]], bool]
"""Whether two actions in the same state do different things."""

NOT_EXECUTED = "not_executed"
"""Stands where a reward category would, for calls that were never carried out."""


class StepPairs:
    """Makes the pairs of trajectories, one after the other, and counts in `dropped` why others are left out."""

    def __init__(self, config: StepPrefs, transcriber: Transcriber, differ: Differ) -> None:
        self.dropped: Counter[str] = Counter()
        self._config = config
        self._transcriber = transcriber
        self._differ = differ

    def rows(self, trajectory: Trajectory) -> Iterator[PreferenceRow]:
        """The pairs of one trajectory and its branches, without id; the same pair may come from two places.

        Raises:
            DataError: the task's gold chain refers to something that does not exist.
        """
        empty = dataclasses.replace(trajectory.history, steps=())
        tools = tools_text(trajectory.history.tools)
        for state in states(empty, trajectory.history.steps):
            for chosen, rejected in self._pairs(trajectory.task, state):
                pair = Pair(state.before, chosen, rejected, _margin(chosen, rejected))
                yield pair_row(self._transcriber, trajectory.task, tools, pair)

    def _pairs(self, task: Task, state: State) -> Iterator[tuple[Option, Option]]:
        options = options_in(task, state)
        experts = [option for option in options if option.decision.actor is Actor.EXPERT]
        agents = [option for option in options if option.decision.actor is Actor.AGENT]
        if not experts or not agents:
            self.dropped["steps without the other actor's action"] += 1
        for expert in experts:
            for agent in agents:
                reason = self._reason_against(state, expert, agent)
                if reason:
                    self.dropped[reason] += 1
                else:
                    yield expert, agent

    def _reason_against(self, state: State, expert: Option, agent: Option) -> str:
        """Why two actions make no pair; empty where they do."""
        wanted = self._config
        if wanted.only_interventions and not state.intervention:
            return "the expert did not step in"
        if not self._differ(expert.decision.action, agent.decision.action, state.before.tools):
            return "both do the same"
        if agent.category in wanted.leave_out_agent:
            return f"the agent's step was {agent.category}"
        if expert.category in wanted.leave_out_expert:
            return f"the expert's step was {expert.category}"
        if expert.category is None and not wanted.unexecuted_expert_calls:
            return "the expert's call was never carried out"
        return ""


def pair_row(transcriber: Transcriber, task: Task, tools: str, pair: Pair) -> PreferenceRow:
    """A pair in tokens and messages, without id; `tools` are the declarations as a JSON text."""
    before, chosen, rejected, margin = pair
    better = transcriber.after(before, chosen.decision)
    worse = transcriber.after(before, rejected.decision)
    prompt = opening_and(better, len(before.steps))
    ours, theirs = moves_text(better.moves[-1:], (True,)), moves_text(worse.moves[-1:], (True,))
    return PreferenceRow(
        id="",
        task=task.id,
        domain=task.domain,
        kind=f"{said(chosen.decision.action)}_over_{said(rejected.decision.action)}",
        margin=margin,
        chosen_category=chosen.category or NOT_EXECUTED,
        rejected_category=rejected.category or NOT_EXECUTED,
        template="",
        tools=tools,
        prompt=prompt.messages,
        chosen=ours.messages,
        rejected=theirs.messages,
        prompt_ids=prompt.ids,
        chosen_ids=ours.ids,
        chosen_mask=ours.mask,
        rejected_ids=theirs.ids,
        rejected_mask=theirs.mask,
    )


class State(NamedTuple):
    """Where a step was decided."""

    before: History
    step: Step

    @property
    def intervention(self) -> bool:
        """Whether the expert took the step because it was called for."""
        return self.step.decision.actor is Actor.EXPERT and bool(self.step.decision.reason)

    @property
    def carried_out(self) -> tuple[Step, ...]:
        """What was done in it, the executed step first."""
        return (self.step, *(branch.steps[0] for branch in self.step.branches if branch.steps))


class Option(NamedTuple):
    """One thing that could be done in a state."""

    decision: Decision
    category: StepCategory | None
    reward: float | None
    """`None` where it was not carried out."""


class Pair(NamedTuple):
    """Two things that could be done in a state, the better one first."""

    before: History
    chosen: Option
    rejected: Option
    margin: float


def states(before: History, steps: tuple[Step, ...]) -> Iterator[State]:
    """The states of a path and of all branches that leave it."""
    for step in steps:
        yield State(before, step)
        for branch in step.branches:
            yield from states(before, branch.steps)
        before = dataclasses.replace(before, steps=(*before.steps, step))


def options_in(task: Task, state: State) -> list[Option]:
    """What was done or could have been, each action of an actor once; carried out ones count before others."""
    step = state.step
    options = [Option(done.decision, done.category, done.reward) for done in state.carried_out]
    options += [_considered(task, state.before, decision) for decision in _alternatives(step)]
    return _without_repeats(options)


def _alternatives(step: Step) -> Iterator[Decision]:
    """Decisions that stood beside the executed one, with the generations in which the agent's text may be found."""
    generations = step.decision.generations
    for other in step.decision.alternatives:
        yield Decision(other.action, other.actor, generations=generations)


def _considered(task: Task, before: History, decision: Decision) -> Option:
    if isinstance(decision.action, CallTools):
        return Option(decision, None, None)
    return Option(decision, categorise(task, before, decision.action, Observation("")), None)


def _without_repeats(options: Iterable[Option]) -> list[Option]:
    kept: list[Option] = []
    for option in options:
        mine = (option.decision.actor, option.decision.action)
        if all((other.decision.actor, other.decision.action) != mine for other in kept):
            kept.append(option)
    return kept


def _margin(chosen: Option, rejected: Option) -> float:
    if chosen.reward is None or rejected.reward is None:
        return 0.0
    return chosen.reward - rejected.reward
