"""What statistics need to know of one episode, so that a run's trajectories need not stay in memory."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping

from agentbench.config.model import Price
from agentbench.episodes.failures import kind
from agentbench.episodes.summary import cost
from agentbench.episodes.tally import said_in
from agentbench.policies import OWN_ROLES
from agentbench.scoring.adherence import breaks_rule
from agentbench.scoring.answers import is_secret
from agentbench.tasks.injection import INJECTION
from agentbench.training_data.rows import json_of
from agentbench.types import AnswerType, Final, Step, StepCategory, Task, Trajectory, record

UNSCORED = "unscored"
"""The failure of an episode that came to its end and whose answer nobody could score."""
RIGHT = (StepCategory.CORRECT_FINAL, StepCategory.CORRECT_REFUSAL)
REFUSED = (StepCategory.CORRECT_REFUSAL, StepCategory.WRONG_REFUSAL)
HELP = ("expert steps", "help tokens")
"""Measures that are 0 for an agent that is alone."""
HELPERS = ("expert", "overseer", "vote")
"""Roles whose tokens are spent on helping the agent."""
GROUPS = ("domain", "scenario", "tool_availability", "hops", "difficulty", "attack")
"""What success is broken down by, beside the turn."""


@record
class TurnFacts:
    """How one user turn went, by the rules that grade steps."""

    number: int
    """From 1, turns that were given with their answers included."""
    answerable: bool
    right: bool
    refused: bool


@record
class EpisodeFacts:
    """One episode in figures."""

    task: str
    sample: int
    asked: str
    """Hash of the task with its gold; equal ones ask the same."""
    groups: dict[str, str]
    """Its group by each of `GROUPS` that the task tells."""
    family: str
    """The tasks that it is only solved together with (`Task.data["family"]`); empty where there are none."""
    solved: bool
    failure: str
    """Why it says nothing about the agent: an error's type, or `unscored`; empty for most."""
    turns: tuple[TurnFacts, ...]
    categories: tuple[StepCategory, ...]
    """Of its steps, in order."""
    measures: dict[str, float]
    """By name, see `MEASURES`."""
    scores: dict[str, float | None]


MEASURES = {
    "steps": "",
    "failed calls": "unknown tool, bad arguments or a tool's own error",
    "repeated calls": "",
    "policy violations": "steps that go for a forbidden tool, refused or carried out",
    "unreadable steps": "",
    "prompt tokens": "the agent's, cached ones included",
    "completion tokens": "the agent's",
    "expert steps": "taken by the expert",
    "help tokens": "of expert, overseer and votes, in prompts and completions",
    "model seconds": "the agent waiting for its model",
    "seconds": "from question to end, others played at the same time",
    "dollars": "every role that has a price",
}
"""Figures of an episode, and what is counted where the name does not say it."""


def facts(trajectory: Trajectory, prices: Mapping[str, Price]) -> EpisodeFacts:
    """The facts of one episode; `prices` by role."""
    scores = {score.name: score.value for score in trajectory.scores}
    failure = kind(trajectory.error) or ("" if scores.get("answer") is not None else UNSCORED)
    told = {"domain": trajectory.task.domain, **trajectory.task.data}
    return EpisodeFacts(
        trajectory.task.id,
        trajectory.sample,
        task_hash(trajectory.task),
        {by: str(told[by]) for by in GROUPS if by in told},
        str(told.get("family", "")),
        trajectory.success,
        failure,
        tuple(_turns(trajectory)),
        tuple(step.category for step in trajectory.history.steps),
        _measures(trajectory, prices),
        scores,
    )


def task_hash(task: Task) -> str:
    """Hash of all that a task asks and holds to be right; an attack on it is none of that."""
    if INJECTION in task.data:
        asked = {name: value for name, value in task.data.items() if name not in (INJECTION, "attack")}
        task = dataclasses.replace(task, data=asked)
    return hashlib.sha256(json_of(task)).hexdigest()[:16]


def _turns(trajectory: Trajectory) -> Iterator[TurnFacts]:
    given = [step.category for step in trajectory.history.steps if isinstance(step.decision.action, Final)]
    for index, turn in enumerate(trajectory.task.turns):
        if is_secret(turn.gold.answer):
            continue  # the environment judges the whole episode, and nobody a turn
        category = given[index] if index < len(given) else None
        number = len(trajectory.task.earlier) + index + 1
        answerable = turn.gold.answer.type is not AnswerType.UNANSWERABLE
        yield TurnFacts(number, answerable, category in RIGHT, category in REFUSED)


def _breaks_rule(trajectory: Trajectory, step: Step) -> bool:
    return breaks_rule(trajectory.task, trajectory.history.tools, step.decision.action, step.observation)


def _measures(trajectory: Trajectory, prices: Mapping[str, Price]) -> dict[str, float]:
    steps = trajectory.history.steps
    categories = [step.category for step in steps]
    spoken = [said for step in steps for said in step.decision.generations]
    own = [said for said in spoken if said.role in OWN_ROLES]
    help_usage = [said.usage for said in spoken if said.role in HELPERS]
    measured = {
        "steps": len(steps),
        "failed calls": sum(each in (StepCategory.BAD_CALL, StepCategory.TOOL_ERROR) for each in categories),
        "repeated calls": categories.count(StepCategory.REPEATED_CALL),
        "policy violations": sum(_breaks_rule(trajectory, step) for step in steps),
        "unreadable steps": categories.count(StepCategory.MALFORMED),
        "prompt tokens": sum(said.usage.prompt_tokens for said in own),
        "completion tokens": sum(said.usage.completion_tokens for said in own),
        "expert steps": trajectory.expert_steps,
        "help tokens": sum(usage.prompt_tokens + usage.completion_tokens for usage in help_usage),
        "model seconds": sum(said.seconds for said in own),
        "seconds": trajectory.seconds,
    }
    priced = {role: price for role, price in prices.items() if price != Price()}
    said = list(said_in(trajectory)) if priced else []
    dollars = {"dollars": sum(cost(each.usage, priced[each.role]) for each in said if each.role in priced)}
    return {name: float(value) for name, value in (measured | (dollars if priced else {})).items()}
