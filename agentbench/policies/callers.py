"""Who turns a task in words into the arguments of one tool."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Protocol

from agentbench.llm import Llm, Request, Sampling
from agentbench.llm.quoting import block
from agentbench.llm.structured import ATTEMPTS, StructuredError, StructuredLlm, read_object
from agentbench.policies.plans import CALLER, bounded
from agentbench.policies.situation import told_steps
from agentbench.templates import Template
from agentbench.types import Generation, History, Observation, ToolSpec


class Assignment(NamedTuple):
    """What a caller is to do."""

    history: History
    tool: ToolSpec
    task: str
    seed: int
    episode: int

    def question(self) -> str:
        """All that the arguments may be taken from."""
        return "\n\n".join(
            (
                block("request", self.history.opening.text),
                block("steps", *told_steps(self.history)),
                block("tool", dataclasses.asdict(self.tool)),
                block("task", self.task),
            )
        )


class Called(NamedTuple):
    """Arguments, or why there are none."""

    arguments: dict[str, Any]
    problem: str = ""
    generations: tuple[Generation, ...] = ()


class Caller(Protocol):
    """Writes arguments; that a model's text cannot be used is a problem, not an exception."""

    async def call(self, assignment: Assignment) -> Called:
        """The arguments for an assignment.

        Raises:
            LlmError: the model could not be asked.
        """
        ...


class Voice(NamedTuple):
    """A model with a template that holds its instructions."""

    llm: Llm
    template: Template
    sampling: Sampling
    stop: tuple[str, ...] = ()


class OwnCaller:
    """The agent's own model, asked once, in a conversation of its own."""

    def __init__(self, voice: Voice, argument_chars: int, *, guided: bool) -> None:
        self._voice = voice
        self._chars = argument_chars
        self._guided = guided

    async def call(self, assignment: Assignment) -> Called:
        """The arguments, with the exact tokens of question and answer where the model has them.

        Raises:
            LlmError: the model could not be asked.
        """
        voice, schema = self._voice, bounded(assignment.tool.parameters, self._chars)
        request = Request(
            voice.template.render(History((), Observation(assignment.question()))),
            voice.sampling,
            assignment.seed,
            (*voice.template.stop, *voice.stop),
            role=CALLER,
            schema=schema if self._guided else None,
            episode=assignment.episode,
        )
        said = await voice.llm.generate(request)
        value, problem = read_object(said.completion, schema)
        return Called(value, explained(problem, said), (said,))


class ModelCaller:
    """Another model, asked until its answer satisfies the schema."""

    def __init__(self, ask: StructuredLlm, instructions: str, argument_chars: int) -> None:
        self._ask = ask
        self._instructions = instructions
        self._chars = argument_chars

    async def call(self, assignment: Assignment) -> Called:
        """The arguments; that none of its answers had the form is a problem, and the agent's.

        Raises:
            LlmError: the model could not be asked.
        """
        messages = (
            {"role": "system", "content": self._instructions},
            {"role": "user", "content": assignment.question()},
        )
        schema = bounded(assignment.tool.parameters, self._chars)
        try:
            said = await self._ask.ask(CALLER, messages, schema, assignment.seed)
        except StructuredError as error:
            if len(error.generations) < ATTEMPTS:
                raise
            return Called({}, str(error), error.generations)
        return Called(said.value, "", said.generations)


def explained(problem: str, said: Generation) -> str:
    """What is wrong with a text, with the limit that cut it off if one did; empty where nothing is."""
    if problem and said.finish_reason == "length":
        return f"cut off after {len(said.completion_ids) or said.usage.completion_tokens} tokens: {problem}"
    return problem
