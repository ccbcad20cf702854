"""Results of tools as a defence shows them to an agent: spotlighting, of which the record holds nothing.

K. Hines et al. (2024), Defending Against Indirect Prompt Injection Attacks With Spotlighting, arXiv:2403.14720. Before
the question stands what the marks mean (`prompts/delimiting.txt` and so on). JSON results keep their form, and the
texts in them are marked one by one, so that an agent can still read them; keys and numbers stay as they are.

Departures: delimiting puts a result under a key of a JSON object instead of between marks, which no text in it can
close. The mark of datamarking is always `^`: who knows that can write it too. And the explanation stands before the
question, not in the system text, because not every layout has one.

The marks tell an agent what to distrust. They keep it from nothing: a model that was not taught to heed them may obey
all the same, and one that was not taught to read them answers worse.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from agentbench.config.injection import SHOWN_OTHERWISE, Defence
from agentbench.policies import Policy
from agentbench.templates import goes_on
from agentbench.types import Branch, CallTools, Decision, History, Observation, Step

UNTRUSTED = "untrusted_tool_result"
"""The key under which delimiting puts a result."""
MARK = "^"
"""What datamarking puts in the place of blanks."""

_BLANKS = re.compile(r"\s+")


class Defended:
    """An agent that is shown results as a defence has them; it keeps its view, to which the next step adds."""

    def __init__(self, agent: Policy, defence: Defence) -> None:
        self._agent = agent
        self._defence = defence
        self._history: History | None = None
        self._view: History | None = None

    async def act(self, history: History) -> Decision:
        """The agent's decision.

        Raises:
            LlmError: a model behind the agent could not answer.
        """
        if self._history is None or self._view is None or not goes_on(self._history, history):
            self._view = defended(history, self._defence)
        else:
            new = (_shown_step(step, self._defence) for step in history.steps[len(self._history.steps) :])
            self._view = dataclasses.replace(self._view, steps=(*self._view.steps, *new))
        self._history = history
        return await self._agent.act(self._view)


def defended(history: History, defence: Defence) -> History:
    """An episode as an agent sees it under a defence; the same one where the defence changes nothing it sees."""
    if defence not in SHOWN_OTHERWISE:
        return history
    opening = dataclasses.replace(history.opening, text=f"{_explanation(defence)}\n{history.opening.text}")
    return dataclasses.replace(
        history, opening=opening, steps=tuple(_shown_step(step, defence) for step in history.steps)
    )


def shown(result: str, defence: Defence) -> str:
    """A result as a defence shows it."""
    match defence:
        case Defence.DELIMITING:
            return orjson.dumps({UNTRUSTED: _read(result)}).decode()
        case Defence.DATAMARKING:
            return _marked(result, _datamarked)
        case Defence.ENCODING:
            return _marked(result, _encoded)
        case Defence.NONE | Defence.ENFORCEMENT:
            return result


@lru_cache
def _explanation(defence: Defence) -> str:
    return (Path(__file__).parent / "prompts" / f"{defence.value}.txt").read_text(encoding="utf-8").strip()


def _shown_step(step: Step, defence: Defence) -> Step:
    branches = tuple(_shown_branch(branch, defence) for branch in step.branches)
    if not isinstance(step.decision.action, CallTools):
        return dataclasses.replace(step, branches=branches) if branches else step
    seen = Observation(shown(step.observation.text, defence), step.observation.outcome)
    return dataclasses.replace(step, observation=seen, branches=branches)


def _shown_branch(branch: Branch, defence: Defence) -> Branch:
    return dataclasses.replace(branch, steps=tuple(_shown_step(step, defence) for step in branch.steps))


def _read(result: str) -> Any:
    try:
        return orjson.loads(result)
    except orjson.JSONDecodeError:
        return result


def _marked(result: str, mark: Callable[[str], str]) -> str:
    try:
        value = orjson.loads(result)
    except orjson.JSONDecodeError:
        return mark(result)
    return orjson.dumps(_mapped(value, mark)).decode()


def _mapped(value: Any, mark: Callable[[str], str]) -> Any:
    match value:
        case str():
            return mark(value)
        case dict():
            return {key: _mapped(item, mark) for key, item in value.items()}
        case list():
            return [_mapped(item, mark) for item in value]
    return value


def _datamarked(text: str) -> str:
    return _BLANKS.sub(MARK, text)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode()
