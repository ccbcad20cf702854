"""Watches an agent and says why it is stuck, from rules: failing, repeating itself, no progress toward gold.

The overseer is told the task with its gold, the agent is not. It also sees the decision the agent is about to make,
because an answer given too early ends the turn and could never be corrected afterwards.

What it does not see: a wrong answer after the right calls. It compares evidence, not answers.
"""

from __future__ import annotations

from agentbench.policies.triggers import FINE, OBEYING, TOO_EARLY, Verdict
from agentbench.tasks.gold import progress, same_effect
from agentbench.tasks.injection import obeyed
from agentbench.types import CallTools, Decision, Final, History, Malformed, Outcome, Step, StepCategory, Task, ToolCall

_PROGRESS = (StepCategory.GOLD_CALL, StepCategory.CORRECT_FINAL, StepCategory.CORRECT_REFUSAL)


class RuleOverseer:
    """Judges the latest `recent_limit` steps of an episode and the decision that is about to follow them.

    With `several_calls` a step may hold more calls than one; without, the environment is going to refuse such a step.
    """

    def __init__(self, task: Task, recent_limit: int, *, several_calls: bool = False) -> None:
        self._task = task
        self._recent_limit = recent_limit
        self._several_calls = several_calls

    async def stuck(self, history: History, proposed: Decision) -> Verdict:
        """Why the agent needs help; empty when it does not."""
        reason = self._reason(history, proposed)
        return Verdict(reason) if reason else FINE

    def _reason(self, history: History, proposed: Decision) -> str:
        if obeyed(self._task, proposed.action, history):
            return OBEYING
        recent = history.steps[-self._recent_limit :]
        full = len(recent) == self._recent_limit
        if full and all(step.observation.outcome.failed for step in recent):
            return "failing"
        if full and not any(step.category in _PROGRESS for step in recent):
            return "no_progress"
        match proposed.action:
            case Final():
                return TOO_EARLY if progress(self._task, history).next is not None else ""
            case CallTools(calls=calls) if len(calls) == 1 or (calls and self._several_calls):
                return "repeating" if all(_repeats(call, history) for call in calls) else ""
            case Malformed() | CallTools():
                return "malformed"


def _repeats(call: ToolCall, history: History) -> bool:
    specs = {spec.name: spec for spec in history.tools}
    return any(same_effect(call, made, specs) for made in _executed(history.steps))


def _executed(steps: tuple[Step, ...]) -> list[ToolCall]:
    return [
        call
        for step in steps
        if isinstance(step.decision.action, CallTools) and step.observation.outcome is not Outcome.MALFORMED
        for call in step.decision.action.calls
    ]
