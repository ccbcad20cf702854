"""A model answers in a tool's stead, so that agents can be tried where the tool is not there, is slow, or costs money.

The spec is the real tool's, object for object: what an agent learns in the simulation fits the tool. Faults come by
chance, the same for the same seed, task, tool and arguments: with probability `no_answer` the tool gives nothing, with
`partial_answer` a part of what it would have given.

What it does not cover: a model invents. It keeps to the results of the episode as far as it reads them, and to the
world as far as it remembers it, so a simulated success says that the plan was sensible, not that the answer is true.
"""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field

from agentbench.errors import ToolError
from agentbench.llm.quoting import block
from agentbench.llm.structured import ATTEMPTS, StructuredError, StructuredLlm
from agentbench.types import Generation, Observation, ToolSpec

TOOL_PROMPT = Path(__file__).parent / "prompts" / "tool.txt"
"""The instructions a model gets where the configuration names no others."""

PARTIAL = "This time the tool's result is incomplete: give only a part of it, and break off where the rest would begin."
NOTHING = {"result": None, "note": "no result"}

_SEED_BITS = 31


class SimulatedAnswer(BaseModel):
    """What the model writes."""

    model_config = ConfigDict(extra="forbid")

    result: str = Field(description="What the tool gives back.")


class Faults(NamedTuple):
    """Probabilities, in [0, 1], together at most 1."""

    no_answer: float = 0.0
    partial_answer: float = 0.0


class Stage:
    """One episode's exercise, which all its simulated tools see: the request, and the calls so far."""

    def __init__(self, request: str, task: str, seed: int) -> None:
        self.request = request
        self.task = task
        self.seed = seed
        self.calls: list[dict[str, Any]] = []
        self.spoken: list[Generation] = []
        """What the model said, failed attempts too."""

    def chance(self, tool: str, arguments: dict[str, Any]) -> random.Random:
        """The dice for a call."""
        key = orjson.dumps([self.seed, self.task, tool, arguments], option=orjson.OPT_SORT_KEYS)
        return random.Random(key)


class SimulatedTool:
    """One tool of one episode."""

    def __init__(self, spec: ToolSpec, stage: Stage, ask: StructuredLlm, instructions: str, *, faults: Faults) -> None:
        self.spec = spec
        self._stage = stage
        self._ask = ask
        self._instructions = instructions
        self._faults = faults

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """What the model says the tool gives, as `{"result": "…"}`; by chance nothing, or a part.

        Raises:
            ToolError: the model wrote nothing usable.
            LlmError: the model could not be asked; ends the episode with an error.
        """
        dice = self._stage.chance(self.spec.name, arguments)
        drawn = dice.random()
        if drawn < self._faults.no_answer:
            return self._kept(arguments, NOTHING)
        partial = drawn < self._faults.no_answer + self._faults.partial_answer
        try:
            said = await self._ask.ask(
                "simulated_tool",
                self._messages(arguments, partial=partial),
                SimulatedAnswer.model_json_schema(),
                dice.getrandbits(_SEED_BITS),
            )
        except StructuredError as error:
            self._stage.spoken.extend(error.generations)
            if len(error.generations) < ATTEMPTS:
                raise
            raise ToolError(f"{self.spec.name!r} gave no usable result") from error
        self._stage.spoken.extend(said.generations)
        return self._kept(arguments, said.value)

    def _messages(self, arguments: dict[str, Any], *, partial: bool) -> tuple[dict[str, str], ...]:
        system = f"{self._instructions}\n\n{PARTIAL}" if partial else self._instructions
        shown = (
            block("tool", dataclasses.asdict(self.spec)),
            block("request", self._stage.request),
            block("calls", *self._stage.calls),
            block("call", {"name": self.spec.name, "arguments": arguments}),
        )
        return ({"role": "system", "content": system}, {"role": "user", "content": "\n\n".join(shown)})

    def _kept(self, arguments: dict[str, Any], result: dict[str, Any]) -> Observation:
        self._stage.calls.append({"name": self.spec.name, "arguments": arguments, **result})
        return Observation(orjson.dumps(result).decode())
