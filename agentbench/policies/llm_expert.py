"""An expert that is a language model: it sees what the agent sees and the gold trajectory, and writes the next step.

It says in its own words why the step is right, which the gold expert cannot, and goes on sensibly where the gold chain
has no next call. It is not held to the gold chain: what it writes is taken as it is, as long as it is legal. It makes
one call a step, also where a step may hold several: of parallel gold calls it is told, and makes, the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentbench.llm.quoting import block
from agentbench.llm.structured import Message, StructuredLlm
from agentbench.policies.chat import step_seed
from agentbench.policies.situation import told_earlier, told_gold, told_question, told_steps, told_tools
from agentbench.types import Action, Actor, CallTools, Decision, Final, History, Task, ToolCall, ToolSpec

EXPERT_PROMPT = Path(__file__).parent / "prompts" / "expert.txt"
"""The instructions an expert gets where the configuration names no others."""

_FORMS = '{"kind": "call", "name": …, "arguments": {…}} or {"kind": "final", "answer": …}'


class LlmExpert:
    """Asks for the next thought and action; keeps no state."""

    def __init__(self, task: Task, ask: StructuredLlm, instructions: str, seed: int) -> None:
        self._task = task
        self._ask = ask
        self._instructions = instructions
        self._seed = seed

    async def act(self, history: History) -> Decision:
        """The expert's step: one call that the tools' schemas allow, or an answer.

        Raises:
            LlmError: the model could not be asked, or wrote no legal step in all attempts.
            DataError: the gold chain refers to something that was not observed.
        """
        specs = {spec.name: spec for spec in history.tools}
        said = await self._ask.ask(
            "expert",
            self._messages(history),
            expert_schema(history.tools),
            step_seed(self._seed, len(history.steps)),
            check=lambda value: step_problem(value, specs),
        )
        return Decision(step_action(said.value), Actor.EXPERT, generations=said.generations)

    def _messages(self, history: History) -> tuple[Message, ...]:
        blocks = (
            block("tools", *told_tools(history)),
            block("earlier_turns", *told_earlier(history)),
            block("request", history.opening.text),
            block("steps", *told_steps(history)),
            block("open_question", told_question(self._task, history)),
            block("gold", told_gold(self._task, history)),
        )
        return (
            {"role": "system", "content": self._instructions},
            {"role": "user", "content": "\n\n".join(blocks)},
        )


def expert_schema(tools: tuple[ToolSpec, ...]) -> dict[str, Any]:
    """The JSON Schema of a step: a thought, and a call of one of the tools or an answer.

    A tool's own references (`#/$defs/…`) are moved along: such a tool stands under `$defs` as a whole.
    """
    moved = {f"tool_{index}": spec for index, spec in enumerate(tools) if '"$ref"' in json.dumps(spec.parameters)}
    places = {spec.name: {"$ref": f"#/$defs/{place}"} for place, spec in moved.items()}
    calls = [_call_schema(spec.name, places.get(spec.name, spec.parameters)) for spec in tools]
    defined = {place: _moved(spec.parameters, f"#/$defs/{place}") for place, spec in moved.items()}
    step = _object(thought={"type": "string"}, action={"anyOf": [*calls, _FINAL]})
    return {**step, **({"$defs": defined} if defined else {})}


def step_problem(value: dict[str, Any], specs: Mapping[str, ToolSpec]) -> str:
    """Why an object is no legal step, in one line; empty if it is one."""
    match value.get("action"):
        case {"kind": "call", "name": str(name), "arguments": dict(arguments)}:
            spec = specs.get(name)
            return f"there is no tool {name!r}" if spec is None else _arguments_problem(spec, arguments)
        case {"kind": "final", "answer": str(answer)}:
            return "" if answer.strip() else "the answer is empty"
        case _:
            return f"action has to be {_FORMS}"


def _arguments_problem(spec: ToolSpec, arguments: dict[str, Any]) -> str:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(spec.parameters)
    found = "; ".join(error.message for error in validator.iter_errors(arguments))
    return f"the arguments of {spec.name!r}: {found}" if found else ""


def step_action(value: dict[str, Any]) -> Action:
    """The action of a legal step (see `step_problem`)."""
    thought, action = value["thought"].strip(), value["action"]
    if action["kind"] == "final":
        return Final(action["answer"].strip(), thought)
    return CallTools((ToolCall(action["name"], action["arguments"]),), thought)


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _call_schema(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return _object(kind={"const": "call"}, name={"const": name}, arguments=arguments)


_FINAL = _object(kind={"const": "final"}, answer={"type": "string"})


def _moved(schema: Any, place: str) -> Any:
    """A schema whose references to its own root lead to where it now stands."""
    match schema:
        case {"$ref": str(target), **rest} if target.startswith("#"):
            return {"$ref": place + target[1:], **{key: _moved(part, place) for key, part in rest.items()}}
        case dict():
            return {key: _moved(part, place) for key, part in schema.items()}
        case list():
            return [_moved(part, place) for part in schema]
        case _:
            return schema
