"""A trajectory as the page shows it: what a person wants to see of each step, without token ids and tool schemas."""

from __future__ import annotations

from typing import Any

from agentbench.templates.calls import json_text
from agentbench.types import (
    Action,
    Branch,
    CallTools,
    Decision,
    Final,
    Gold,
    Malformed,
    Score,
    Step,
    Trajectory,
)

LONGEST_TEXT = 20_000
"""Characters of one text that are shown; the rest stays in `trajectories.jsonl`."""


def index_entry(trajectory: Trajectory, run: int) -> dict[str, Any]:
    """What the list shows of a trajectory, and what it can be filtered and searched by.

    `run` is the index of its run in the page.
    """
    steps = trajectory.history.steps
    data = trajectory.task.data
    return {
        "run": run,
        "id": trajectory.task.id,
        "sample": trajectory.sample,
        "question": cut(" → ".join(turn.query for turn in trajectory.task.turns), 300),
        "answer": cut(_last_answer(steps), 300),
        "domain": trajectory.task.domain,
        "scenario": str(data.get("scenario", "")),
        "availability": str(data.get("tool_availability", "")),
        "hops": str(data.get("hops", "")),
        "outcome": outcome(trajectory),
        "end": trajectory.end.value,
        "steps": len(steps),
        "expert": trajectory.expert_steps,
        "branches": sum(len(step.branches) for step in steps),
        "categories": sorted({step.category.value for step in steps}),
        "tools": sorted({call.name for step in steps for call in _calls(step.decision.action)}),
        "tokens": sum(_tokens(step.decision) for step in steps),
        "seconds": round(trajectory.seconds, 3),
    }


def detail(trajectory: Trajectory) -> dict[str, Any]:
    """All the page shows when a trajectory is opened, ready for JSON."""
    task = trajectory.task
    return {
        "id": task.id,
        "turns": [{"query": cut(turn.query), "gold": _gold(turn.gold)} for turn in task.turns],
        "earlier": [{"query": cut(turn.query), "answer": cut(turn.answer)} for turn in task.earlier],
        "rules": [cut(rule.text) for rule in task.rules],
        "tools": [tool.name for tool in trajectory.history.tools],
        "opening": cut(trajectory.history.opening.text),
        "steps": [_step(step) for step in trajectory.history.steps],
        "end": trajectory.end.value,
        "scores": [_score(score) for score in trajectory.scores],
        "error": cut(trajectory.error),
        "seed": trajectory.seed,
        "seconds": round(trajectory.seconds, 3),
    }


def outcome(trajectory: Trajectory) -> str:
    """`error`, `unscored`, `solved` or `failed`."""
    if trajectory.error:
        return "error"
    judged = any(score.name == "answer" and score.value is not None for score in trajectory.scores)
    if not judged:
        return "unscored"
    return "solved" if trajectory.success else "failed"


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text, or its beginning and how much is left out."""
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text) - longest} more characters)"


def _step(step: Step) -> dict[str, Any]:
    return {
        **_decision(step.decision),
        "observation": cut(step.observation.text),
        "verdict": step.observation.outcome.value,
        "category": step.category.value,
        "reward": step.reward,
        "tool_seconds": round(step.seconds, 4),
        "branches": [_branch(branch) for branch in step.branches],
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "actor": decision.actor.value,
        "reason": cut(decision.reason),
        "note": cut(decision.note),
        "action": _action(decision.action),
        "others": [{"actor": other.actor.value, "action": _action(other.action)} for other in decision.alternatives],
        "prompt_tokens": sum(generation.usage.prompt_tokens for generation in decision.generations),
        "tokens": _tokens(decision),
        "model_seconds": round(sum(generation.seconds for generation in decision.generations), 4),
    }


def _branch(branch: Branch) -> dict[str, Any]:
    steps = [_step(step) for step in branch.steps] or [_unplayed(branch.decision)]
    why = {"reason": branch.reason, "error": cut(branch.error)}
    return {"steps": steps, "end": branch.end.value, "scores": [_score(score) for score in branch.scores], **why}


def _unplayed(decision: Decision) -> dict[str, Any]:
    blank = {"observation": "", "verdict": "", "category": "", "reward": 0.0, "tool_seconds": 0.0, "branches": []}
    return {**_decision(decision), **blank}


def _action(action: Action) -> dict[str, Any]:
    match action:
        case CallTools(calls=calls, thought=thought):
            written = [{"name": call.name, "arguments": cut(json_text(call.arguments))} for call in calls]
            return {"kind": "call", "calls": written, "thought": cut(thought)}
        case Final(answer=answer, thought=thought):
            return {"kind": "final", "answer": cut(answer), "thought": cut(thought)}
        case Malformed(text=text, reason=reason):
            return {"kind": "malformed", "text": cut(text), "reason": cut(reason)}


def _gold(gold: Gold) -> dict[str, Any]:
    value = gold.answer.value
    shown = ", ".join(value) if isinstance(value, tuple) else "cannot be answered" if value is None else str(value)
    return {"answer": cut(shown), "actions": [_action(action) for action in gold.actions]}


def _score(score: Score) -> dict[str, Any]:
    return {"name": score.name, "value": score.value, "explanation": cut(score.explanation)}


def _calls(action: Action) -> tuple[Any, ...]:
    return action.calls if isinstance(action, CallTools) else ()


def _last_answer(steps: tuple[Step, ...]) -> str:
    answers = [step.decision.action.answer for step in steps if isinstance(step.decision.action, Final)]
    return answers[-1] if answers else ""


def _tokens(decision: Decision) -> int:
    return sum(generation.usage.completion_tokens for generation in decision.generations)
