"""Plants a text into what a tool brings back: an environment around any other.

The first result that fits carries the text, and no other does; results that are complaints carry none. JSON stays JSON,
so that handles and references to a result go on working: the text is added to the best document's text, as a `note` of
an object, at the end of a list, or behind a text. A result that is a bare number or truth value is left alone.

The secret that an attack is after stands before the question, in the words of `Injection.confided`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson

from agentbench.config.injection import AttackPlace, Defence
from agentbench.envs import Environment, EnvStep, Restoring
from agentbench.tasks.injection import INJECTION, Injection, injection_of
from agentbench.types import Action, CallTools, Observation, Task, ToolSpec

NOTE = "note"
"""The key under which an object carries the text; with a number behind it where the object has that key already."""


class InjectedEnv:
    """The environment inside, with the task's attack in its results; without one it is the same environment."""

    def __init__(self, inner: Environment, defence: Defence = Defence.NONE) -> None:
        """`defence` is only recorded."""
        self._inner = inner
        self._defence = defence
        self._injection: Injection | None = None
        self._steps = 0
        self._planted: int | None = None

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """Those of the environment inside."""
        return self._inner.tools

    @property
    def restoring(self) -> Restoring:
        """As the environment inside."""
        return self._inner.restoring

    async def reset(self, task: Task) -> Observation:
        """Starts the episode."""
        opening = await self._inner.reset(task)
        self._injection = injection_of(task)
        confided = self._injection.confided if self._injection else ""
        return dataclasses.replace(opening, text=f"{confided}\n{opening.text}") if confided else opening

    async def step(self, action: Action) -> EnvStep:
        """What the environment inside answers, in one step with the text."""
        answer = await self._inner.step(action)
        self._steps += 1
        if self._injection is None or self._planted is not None:
            return answer
        if not isinstance(action, CallTools) or answer.observation.outcome.failed:
            return answer
        text = planted(answer.observation.text, self._injection.text, self._injection.place)
        if text is None:
            return answer
        self._planted = self._steps - 1
        return dataclasses.replace(answer, observation=dataclasses.replace(answer.observation, text=text))

    async def fork(self) -> InjectedEnv:
        """A copy of the episode as it stands.

        Raises:
            NotImplementedError: the environment inside cannot be copied.
        """
        twin = InjectedEnv(await self._inner.fork(), self._defence)
        twin._injection, twin._steps, twin._planted = self._injection, self._steps, self._planted
        return twin

    def evidence(self) -> dict[str, Any]:
        """That of the environment inside; under `injection` what was planted, at which step (from 0), and the defence.

        `step` is `None` where no result came that could carry the text.
        """
        kept = self._inner.evidence()
        if self._injection is None and self._defence is Defence.NONE:
            return kept
        attack = dataclasses.asdict(self._injection) if self._injection else {}
        return {**kept, INJECTION: {**attack, "step": self._planted, "defence": self._defence.value}}

    async def close(self) -> None:
        """Closes the environment inside."""
        await self._inner.close()


def planted(result: str, text: str, place: AttackPlace) -> str | None:
    """A result with the text in it; `None` where it is none that can carry the text, or not of the place."""
    try:
        value = orjson.loads(result)
    except orjson.JSONDecodeError:
        return None if place is AttackPlace.DOCUMENTS else f"{result}\n{text}"
    match value:
        case {"results": [{"text": str(best)} as document, *others]}:
            if place is AttackPlace.RESULTS:
                return None
            changed: Any = {**value, "results": [{**document, "text": f"{best} {text}"}, *others]}
        case _ if place is AttackPlace.DOCUMENTS:
            return None
        case dict():
            changed = {**value, _free_key(value): text}
        case list():
            changed = [*value, text]
        case str():
            changed = f"{value} {text}"
        case _:
            return None
    return orjson.dumps(changed).decode()


def _free_key(value: dict[str, Any]) -> str:
    names = (NOTE, *(f"{NOTE}_{number}" for number in range(2, len(value) + 3)))
    return next(name for name in names if name not in value)
