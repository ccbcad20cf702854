"""A family's layout made into tokens, piece by piece, so that prompts only ever grow at their end.

What a model sampled is kept as it was: where a step carries the agent's own completion ids, those stand in all later
prompts and in training rows, and nothing is tokenised again. Expert actions and observations are encoded once each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, groupby
from typing import NamedTuple

from agentbench.errors import PreflightError
from agentbench.llm import Prompt
from agentbench.templates import Family, Piece, Rendered, Span
from agentbench.templates.tokenizer import Tokenizer
from agentbench.types import (
    Action,
    Actor,
    CallTools,
    Decision,
    Exchange,
    Final,
    Generation,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    ToolCall,
    ToolSpec,
)

PIECES_KEPT = 8192
OPENINGS_KEPT = 128
"""Openings that are worked out once for all who ask for them at about the same time, such as the votes of an agent; an
episode's own later prompts need them no more, and kept ones are memory of every episode under way."""


class Chunk(NamedTuple):
    """A stretch of a prompt as people and as models read it."""

    text: str
    ids: tuple[int, ...]


class TokenTemplate:
    """A `Template` that owns its tokens. It holds bounded caches and nothing else, so episodes can share it."""

    def __init__(self, family: Family, tokenizer: Tokenizer, system: str = "") -> None:
        """Checks that the tokenizer knows every control token of the layout.

        Raises:
            PreflightError: a control token of the family is ordinary text to this tokenizer.
        """
        self.stop = family.stop
        self._family = family
        self._tokenizer = tokenizer
        self._system = system
        self._encode = lru_cache(PIECES_KEPT)(tokenizer.encode)
        self._opening = lru_cache(OPENINGS_KEPT)(self._open)
        self.decode = lru_cache(PIECES_KEPT)(tokenizer.decode)
        """The text of ids, control tokens included; what was sampled lately is remembered."""
        self._said = lru_cache(PIECES_KEPT)(family.parse)
        self._ending = self._encode(*family.action(Final("."))[-1])
        self._check_control_tokens()
        spelled = sorted(tokenizer.decode((index,)) for index in tokenizer.control_ids)
        self._markers = re.compile("|".join(map(re.escape, spelled)) or r"(?!)")

    def render(self, history: History, before: Rendered | None = None) -> Prompt:
        """The prompt for the next action; with `before`, an earlier one of the episode, only its end is made."""
        if before is None or not before.goes_on_in(history):
            chunks = list(self._chunks(history))
        else:
            known = Chunk(before.prompt.text, before.prompt.ids)
            chunks = [known, *self._later(history.steps[len(before.history.steps) :])]
        if len(chunks) == 1:
            return Prompt(*chunks[0])  # the very ids that are remembered, not a copy for every episode
        ids = tuple(chain.from_iterable([chunk.ids for chunk in chunks]))
        return Prompt("".join([chunk.text for chunk in chunks]), ids)

    def spans(self, history: History) -> tuple[Span, ...]:
        """The same tokens up to the end of the last action, each stretch with the step it belongs to.

        A step's span is its action with the ending control text; what follows the last action is left out.
        """
        ids = [chunk.ids for chunk in self._chunks(history)]
        if history.steps:
            ids.pop()
        return tuple(Span(part, index // 2 if index % 2 else None) for index, part in enumerate(ids))

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises."""
        return self._family.parse(completion)

    def read(self, said: Generation) -> Action:
        """The action that a model took; `Malformed` where a call in it was spelled and not sampled. Never raises.

        Layouts whose calls are ordinary text (`plain.py`) cannot tell the two apart, and neither can a completion
        without tokens.
        """
        action = self._said(said.completion)
        if not isinstance(action, CallTools) or not said.completion_ids:
            return action
        sampled = self._without_spelled(said.completion_ids)
        if sampled is None or _shape(self._family.parse(sampled)) == _shape(action):
            return action
        return Malformed(said.completion, "a tool call that is quoted and not made")

    def render_action(self, action: Action) -> str:
        """The completion text of an action, without the ending control text."""
        return "".join(piece.text for piece in self._family.action(action)[:-1])

    def _chunks(self, history: History) -> Iterator[Chunk]:
        """The opening with the given turns, then an action and an observation for each step."""
        yield self._opening(_Tools(history.tools), history.opening.text, history.earlier)
        yield from self._later(history.steps)

    def _later(self, steps: Iterable[Step]) -> Iterator[Chunk]:
        for step in steps:
            yield self._action(step.decision)
            yield self._chunk(self._family.observation(step))

    def _open(self, tools: _Tools, question: str, earlier: tuple[Exchange, ...]) -> Chunk:
        return self._chunk(self._family.opening(self._system, tools.specs, question, earlier))

    def _action(self, decision: Decision) -> Chunk:
        ids = self._sampled(decision)
        if not ids:
            return self._chunk(self._family.action(decision.action))
        if ids[-len(self._ending) :] != self._ending:
            ids += self._ending
        return Chunk(self.decode(ids), ids)

    def _sampled(self, decision: Decision) -> tuple[int, ...]:
        """The ids the agent sampled for the executed action; none if it did not, or with another tokenizer."""
        if decision.actor is not Actor.AGENT:
            return ()
        mine = (item for item in reversed(decision.generations) if item.role == "agent" and item.completion_ids)
        generation = next(mine, None)
        if generation is None or not self._stands_for(generation.completion, decision.action):
            return ()
        own = self.decode(generation.completion_ids).strip().startswith(generation.completion.strip().rstrip("\ufffd"))
        return generation.completion_ids if own else ()

    def _without_spelled(self, ids: tuple[int, ...]) -> str | None:
        """The text of ids, U+FFFD for each control token that is spelled in other tokens; `None` where none are."""
        runs = groupby(ids, self._tokenizer.control_ids.__contains__)
        parts = [(control, self._tokenizer.decode(tuple(run))) for control, run in runs]
        if not any(self._markers.search(text) for control, text in parts if not control):
            return None
        return "".join(text if control else self._markers.sub("\ufffd", text) for control, text in parts)

    def _stands_for(self, completion: str, action: Action) -> bool:
        return completion == action.text if isinstance(action, Malformed) else self._said(completion) == action

    def _chunk(self, pieces: Iterable[Piece]) -> Chunk:
        pieces = tuple(pieces)
        ids = tuple(chain.from_iterable(self._encode(piece.text, piece.control) for piece in pieces))
        return Chunk("".join(piece.text for piece in pieces), ids)

    def _check_control_tokens(self) -> None:
        for piece in _every_piece(self._family):
            if piece.control and not self._tokenizer.control_ids.issuperset(self._encode(*piece)):
                raise PreflightError(
                    f"the tokenizer does not know the control token {piece.text!r} of the template",
                    "set template.tokenizer to a tokenizer of the template's model family",
                )


def _shape(action: Action) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What an action calls: the names of tools and of their arguments; nothing where it is no call."""
    calls = action.calls if isinstance(action, CallTools) else ()
    return tuple((call.name, tuple(call.arguments)) for call in calls)


class _Tools:
    """Tool declarations as a cache key: equal only to the very same tuple, which it keeps alive."""

    def __init__(self, specs: tuple[ToolSpec, ...]) -> None:
        self.specs = specs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Tools) and self.specs is other.specs

    def __hash__(self) -> int:
        return id(self.specs)


def _every_piece(family: Family) -> Iterator[Piece]:
    """Pieces of one of each: opening, action, observation; all control tokens of a layout are among them."""
    tool = ToolSpec("tool", "A tool.", {"type": "object", "properties": {}})
    yield from family.opening("system", (tool,), "question", (Exchange("question", "answer"),))
    call = CallTools((ToolCall("tool", {"word": "word", "number": 1}),), thought="thought")
    for action in (call, Final("answer", thought="thought"), Malformed("text", "reason")):
        yield from family.action(action)
        yield from family.observation(Step(Decision(action), Observation("text"), StepCategory.OTHER_CALL))
