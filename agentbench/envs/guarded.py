"""Refuses calls that the user's own words do not call for: an environment around any other.

The allow-list is made before any result is read, and again when the user speaks again: of the API tools the `most` that
look most like what the user has said so far (BM25 over names and descriptions, `tools.shortlist`). Searches are always
allowed; kinds of tool that the task's rules forbid never are. Neither gold nor what was planted is looked at.

What it does not cover: a call of an allowed tool with somebody else's arguments, a search with a secret as its words,
and what is said in an answer. What it costs: a tool that is needed and does not look like the question is refused.
"""

from __future__ import annotations

from typing import Any

import orjson

from agentbench.envs import Environment, EnvStep, Restoring
from agentbench.tools.shortlist import Ranking, bm25_ranking, shortlist
from agentbench.types import Action, CallTools, Final, Observation, Outcome, Task, ToolKind, ToolSpec


class GuardedEnv:
    """The environment inside, reached only by calls on the allow-list."""

    def __init__(self, inner: Environment, most: int) -> None:
        """`most` API tools may be called."""
        self._inner = inner
        self._most = most
        self._ranking: Ranking | None = None
        self._forbidden: frozenset[ToolKind] = frozenset()
        self._said: list[str] = []
        self._allowed: frozenset[str] = frozenset()

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """Those of the environment inside, the refused ones too."""
        return self._inner.tools

    @property
    def restoring(self) -> Restoring:
        """As the environment inside."""
        return self._inner.restoring

    async def reset(self, task: Task) -> Observation:
        """Starts the episode and makes the list."""
        opening = await self._inner.reset(task)
        self._forbidden = frozenset(kind for rule in task.rules for kind in rule.forbids)
        rules = {rule.text for rule in task.rules}
        words = (line for line in opening.text.splitlines() if line not in rules)
        self._ranking = bm25_ranking(self.tools)
        self._hear("\n".join([*(given.query for given in task.earlier), *words]))
        return opening

    async def step(self, action: Action) -> EnvStep:
        """Carries out an action that is allowed; a call that is not is an observation with outcome `unavailable`."""
        if isinstance(action, CallTools):
            known = {spec.name for spec in self.tools}
            refused = [call.name for call in action.calls if call.name in known - self._allowed]
            if refused:
                complaint = {"error": f"the user's request does not call for {', '.join(map(repr, refused))}"}
                return EnvStep(Observation(orjson.dumps(complaint).decode(), Outcome.UNAVAILABLE))
        answer = await self._inner.step(action)
        if isinstance(action, Final) and not answer.terminated:
            self._hear(answer.observation.text)
        return answer

    async def fork(self) -> GuardedEnv:
        """A copy of the episode as it stands.

        Raises:
            NotImplementedError: the environment inside cannot be copied.
        """
        twin = GuardedEnv(await self._inner.fork(), self._most)
        twin._ranking, twin._forbidden = self._ranking, self._forbidden
        twin._said, twin._allowed = list(self._said), self._allowed
        return twin

    def evidence(self) -> dict[str, Any]:
        """That of the environment inside."""
        return self._inner.evidence()

    async def close(self) -> None:
        """Closes the environment inside."""
        await self._inner.close()

    def _hear(self, words: str) -> None:
        self._said.append(words)
        assert self._ranking is not None
        kept = shortlist(self.tools, "\n".join(self._said), self._most, self._ranking)
        self._allowed = frozenset(spec.name for spec in kept if spec.kind not in self._forbidden)
