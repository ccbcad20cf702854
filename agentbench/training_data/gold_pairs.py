"""Step preferences against the gold chain: what it asks for next over what the agent did instead.

The chosen side need not have been carried out, so no expert and no second rollout is needed: sampling an agent several
times on a task (`samples=8 agent.temperature=1`) gives its own wrong candidates, each a pair with the gold action. Of
these, calls of the right functions with wrong arguments are the hard negatives.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator

from agentbench.config.prefs import Negatives, StepPrefs
from agentbench.scoring.answers import is_secret
from agentbench.scoring.steps import categorise
from agentbench.tasks.answers import answer_text
from agentbench.tasks.gold import open_gold, progress
from agentbench.training_data.rows import PreferenceRow
from agentbench.training_data.step_pairs import Differ, Option, Pair, State, options_in, pair_row, states
from agentbench.training_data.transcript import Transcriber, tools_text
from agentbench.types import (
    Action,
    Actor,
    CallTools,
    Decision,
    Final,
    History,
    Observation,
    StepCategory,
    Task,
    Trajectory,
)


class GoldPairs:
    """Makes the pairs of trajectories, one after the other, and counts in `dropped` why others are left out."""

    def __init__(self, config: StepPrefs, transcriber: Transcriber, differ: Differ) -> None:
        self.dropped: Counter[str] = Counter()
        self._config = config
        self._transcriber = transcriber
        self._differ = differ

    def rows(self, trajectory: Trajectory) -> Iterator[PreferenceRow]:
        """The pairs of one trajectory and its branches, without id; samples of a task may bring the same one.

        Raises:
            DataError: the task's gold chain refers to something that does not exist.
        """
        task, tools = trajectory.task, tools_text(trajectory.history.tools)
        empty = dataclasses.replace(trajectory.history, steps=())
        for state in states(empty, trajectory.history.steps):
            gold = _gold_option(task, state.before)
            if gold is None:
                self.dropped["states in which no right action is known"] += 1
                continue
            for wrong in self._wrong(task, state, gold.decision.action):
                yield pair_row(self._transcriber, task, tools, Pair(state.before, gold, wrong, 0.0))

    def _wrong(self, task: Task, state: State, gold: Action) -> Iterator[Option]:
        for option in options_in(task, state):
            if option.decision.actor is Actor.AGENT:
                reason = self._reason_against(state, option, gold)
                if reason:
                    self.dropped[reason] += 1
                else:
                    yield option

    def _reason_against(self, state: State, option: Option, gold: Action) -> str:
        """Why what the agent did is not rejected for the gold action; empty where it is."""
        if not self._differ(gold, option.decision.action, state.before.tools):
            return "both do the same"
        if option.category in self._config.leave_out_agent:
            return f"the agent's step was {option.category}"
        if self._config.negatives is Negatives.NEAR and not _near(gold, option.decision.action):
            return "the agent's step was not near the gold one"
        return ""


def _gold_option(task: Task, before: History) -> Option | None:
    """What is right in a state; `None` where nobody knows."""
    ahead = progress(task, before).next
    if ahead is not None:
        return Option(Decision(ahead, Actor.EXPERT), StepCategory.GOLD_CALL, None)
    answer = open_gold(task, before).answer
    if is_secret(answer):
        return None
    final = Final(answer_text(answer))
    return Option(Decision(final, Actor.EXPERT), categorise(task, before, final, Observation("")), None)


def _near(gold: Action, action: Action) -> bool:
    """Whether an action calls what the gold one calls, each function as often."""
    if not isinstance(gold, CallTools) or not isinstance(action, CallTools):
        return False
    return sorted(call.name for call in gold.calls) == sorted(call.name for call in action.calls)
