"""A user played by a language model, which knows what it wants and what it may say, and has tools of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentbench.envs.users import Hands, Said
from agentbench.errors import LlmError
from agentbench.llm.quoting import block
from agentbench.llm.structured import Message, StructuredError, StructuredLlm
from agentbench.types import Generation, ToolCall

USER_PROMPT = Path(__file__).parent / "prompts" / "user.txt"
"""The instructions a user gets where the configuration names no others."""
MOST_CALLS = 20
"""How often a user may use their tools before saying something."""
GREETING = "Hello, how can I help you?"
"""What the agent is taken to have said before the user speaks first."""


class LlmUser:
    """Asks the model for one thing at a time: a tool of the user's own, or a message."""

    def __init__(
        self, ask: StructuredLlm, instructions: str, scenario: dict[str, Any], hands: Hands, seed: int
    ) -> None:
        """`scenario`: who the user is, what they want and know, as JSON."""
        self._ask = ask
        self._instructions = instructions
        self._scenario = scenario
        self._hands = hands
        self._seed = seed
        self._talk: list[dict[str, Any]] = []
        self._asked = 0
        self.spoken: list[Generation] = []

    async def opening(self) -> Said:
        """What the user says to the agent's greeting.

        Raises:
            LlmError: the model could not answer.
        """
        return await self.reply(GREETING)

    async def reply(self, message: str) -> Said:
        """What the user says next, after having used tools or not.

        Raises:
            LlmError: the model could not answer, or goes on using tools without a word.
        """
        self._talk.append({"agent": message})
        for _ in range(MOST_CALLS):
            value = await self._next()
            if value["tool"] is None:
                self._talk.append({"you": value["message"]})
                return Said(value["message"], value["ends"])
            call = ToolCall(value["tool"]["name"], value["tool"]["arguments"])
            result = await self._hands.use(call)
            self._talk.append({"your_tool": {"name": call.name, "arguments": call.arguments, "result": result}})
        raise LlmError(f"the simulated user made {MOST_CALLS} calls without saying a word", "use a stronger model")

    def fork(self, hands: Hands) -> LlmUser:
        """A user who remembers the same."""
        twin = LlmUser(self._ask, self._instructions, self._scenario, hands, self._seed)
        twin._talk, twin._asked = list(self._talk), self._asked
        return twin

    async def _next(self) -> dict[str, Any]:
        specs = self._hands.specs
        tools = ({"name": spec.name, "does": spec.description, "arguments": spec.parameters} for spec in specs)
        blocks = (block("you_are", self._scenario), block("your_tools", *tools), block("conversation", *self._talk))
        messages: tuple[Message, ...] = (
            {"role": "system", "content": self._instructions},
            {"role": "user", "content": "\n\n".join(blocks)},
        )
        self._asked += 1
        schema = user_schema([spec.name for spec in specs])
        try:
            said = await self._ask.ask("user", messages, schema, self._seed + self._asked)
        except StructuredError as error:
            self.spoken.extend(error.generations)
            raise
        self.spoken.extend(said.generations)
        return said.value


def user_schema(tools: list[str]) -> dict[str, Any]:
    """The JSON Schema of a user's next step; without tools it can only be a message."""
    call = {
        "type": "object",
        "properties": {"name": {"enum": tools}, "arguments": {"type": "object"}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "tool": {"anyOf": [call, {"type": "null"}]} if tools else {"type": "null"},
            "message": {"type": "string"},
            "ends": {"type": "boolean"},
        },
        "required": ["tool", "message", "ends"],
        "additionalProperties": False,
    }
