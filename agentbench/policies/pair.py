"""An agent of two parts: perception says what there is to see, decision acts on it. A critic and an actor, in words.

Before every action the critic reads the conversation and writes a note; the actor's conversation is the same one with
every note behind the result that it was written about. Notes stay, so prompts grow by appending, and because that
conversation is a history too (`noted`), templates render it and training rows are made of it by the same code as a chat
agent's. The critic sees no notes: what it said before would lead it.

The critic of reinforcement learning, a value that trains an actor, is another thing: `stage=ppo` has one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from agentbench.llm import Request
from agentbench.llm.quoting import block
from agentbench.llm.structured import StructuredLlm
from agentbench.policies.callers import Voice
from agentbench.policies.chat import step_seed
from agentbench.policies.situation import told_steps, told_tools
from agentbench.types import Actor, Decision, Generation, History, Observation

PERCEPTION_PROMPT = Path(__file__).parent / "prompts" / "perception.txt"
"""The instructions a critic gets where the configuration names no others."""
PERCEPTION = "perception"
"""Role of a critic's generations."""


class Note(NamedTuple):
    """What a critic said."""

    text: str
    generations: tuple[Generation, ...]


class Perceiver(Protocol):
    """Says what there is to see."""

    async def note(self, history: History, seed: int, episode: int) -> Note:
        """A note about the latest result.

        Raises:
            LlmError: the model could not be asked.
        """
        ...


class Pair:
    """The policy; the history is all that decides."""

    def __init__(self, perceiver: Perceiver, actor: Voice, seed: int) -> None:
        self._perceiver = perceiver
        self._actor = actor
        self._seed = seed

    async def act(self, history: History) -> Decision:
        """A note, then the action; unreadable text becomes a `Malformed` one.

        Raises:
            LlmError: one of the two models could not answer.
        """
        step, voice = len(history.steps), self._actor
        note = await self._perceiver.note(history, step_seed(self._seed, -1 - step), self._seed)
        request = Request(
            voice.template.render(with_note(noted(history), note.text)),
            voice.sampling,
            step_seed(self._seed, step),
            (*voice.template.stop, *voice.stop),
            episode=self._seed,
        )
        said = await voice.llm.generate(request)
        action = voice.template.read(said)
        return Decision(action, Actor.AGENT, generations=(*note.generations, said))


class OwnPerceiver:
    """The agent's own model, in a conversation with instructions of its own."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    async def note(self, history: History, seed: int, episode: int) -> Note:
        """Whatever the model writes.

        Raises:
            LlmError: the model could not be asked.
        """
        voice = self._voice
        prompt = voice.template.render(history)
        stop = (*voice.template.stop, *voice.stop)
        said = await voice.llm.generate(Request(prompt, voice.sampling, seed, stop, role=PERCEPTION, episode=episode))
        return Note(note_text((said,)), (said,))


class ModelPerceiver:
    """Another model, asked for its note as JSON."""

    _SCHEMA = {  # noqa: RUF012  # the schema of an answer, never changed
        "type": "object",
        "properties": {"note": {"type": "string"}},
        "required": ["note"],
        "additionalProperties": False,
    }

    def __init__(self, ask: StructuredLlm, instructions: str) -> None:
        self._ask = ask
        self._instructions = instructions

    async def note(self, history: History, seed: int, episode: int) -> Note:
        """The model's note.

        Raises:
            LlmError: the model could not be asked, or did not answer in the form.
        """
        blocks = (
            block("tools", *told_tools(history)),
            block("request", history.opening.text),
            block("steps", *told_steps(history)),
        )
        messages = (
            {"role": "system", "content": self._instructions},
            {"role": "user", "content": "\n\n".join(blocks)},
        )
        said = await self._ask.ask(PERCEPTION, messages, self._SCHEMA, seed)
        return Note(note_text(said.generations), said.generations)


def noted(history: History) -> History:
    """An episode as the actor sees it: behind every result the note that was written about it.

    An episode without notes is the same one.
    """
    notes = [note_text(step.decision.generations) for step in history.steps]
    if not any(notes):
        return history
    seen = [history.opening, *(step.observation for step in history.steps)]
    with_notes = [_behind(each, note) for each, note in zip(seen, (*notes, ""), strict=True)]
    steps = zip(history.steps, with_notes[1:], strict=True)
    return dataclasses.replace(
        history,
        opening=with_notes[0],
        steps=tuple(dataclasses.replace(step, observation=observation) for step, observation in steps),
    )


def with_note(history: History, note: str) -> History:
    """A history with a note behind its latest result."""
    if not history.steps:
        return dataclasses.replace(history, opening=_behind(history.opening, note))
    *before, last = history.steps
    marked = dataclasses.replace(last, observation=_behind(last.observation, note))
    return dataclasses.replace(history, steps=(*before, marked))


def _behind(observation: Observation, note: str) -> Observation:
    return dataclasses.replace(observation, text=f"{observation.text}\n\nNote: {note}") if note else observation


def note_text(generations: Sequence[Generation]) -> str:
    """What a critic said before a step, without its thoughts; empty where none was asked."""
    said = next((each for each in reversed(generations) if each.role == PERCEPTION), None)
    if said is None:
        return ""
    text = said.completion.rpartition("</think>")[2].strip()
    try:
        match orjson.loads(text):
            case {"note": str(note)}:
                return note.strip()
    except orjson.JSONDecodeError:
        pass  # words, as they are
    return text
