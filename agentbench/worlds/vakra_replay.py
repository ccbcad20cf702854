"""Whether a task's gold can be carried out with our tools, and gives the published answer.

Chains over a universe are played in the real environment. Calls of REST endpoints are only compared with what the
endpoints take: their server need not run while worlds are made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from agentbench.envs.tool_env import ToolEnv, argument_problem
from agentbench.errors import DataError
from agentbench.scoring.answers import answer_is_right
from agentbench.tasks.answers import answer_text
from agentbench.tasks.gold import filled_in, read_json
from agentbench.tasks.vakra.answers import UNKNOWN, read_answer
from agentbench.tools import Tool
from agentbench.tools.http.spec import HttpEndpoint
from agentbench.types import CallTools, Outcome, Task, ToolCall, ToolSpec


async def played(task: Task, tools: Sequence[Tool]) -> str:
    """Why the gold chain does not hold; empty when every call succeeds and the last one shows the answer.

    A result that comes back as a handle shows nothing and is not compared.
    """
    env = ToolEnv(tools, enforce_rules=False)
    await env.reset(task)
    observed: dict[int, Any] = {}
    gold = task.turns[-1].gold
    for number, action in enumerate(gold.actions, 1):
        try:
            call = filled_in(action.calls[0], observed, task.id)
        except DataError:
            return f"{action.calls[0].name} refers to what was not observed"
        step = await env.step(CallTools((call,)))
        if step.observation.outcome is not Outcome.OK:
            return f"{_kind(call.name)} gives {step.observation.outcome}"
        observed[number] = read_json(step.observation.text)
    return "" if _shows(observed.get(len(gold.actions)), task) else "another answer than the ground truth's"


def _shows(result: Any, task: Task) -> bool:
    gold = task.turns[-1].gold.answer
    if not isinstance(result, dict) or "handle" in result or gold == UNKNOWN:
        return True
    found = read_answer(next(iter(result.values()), None))
    return found is not None and (found == gold or answer_is_right(answer_text(found), gold))


def _kind(tool: str) -> str:
    """Tool names for counting: all getters are one."""
    return "a getter" if tool.startswith("get_") and tool != "get_data" else tool


def fitted(action: CallTools, endpoints: Mapping[str, HttpEndpoint], names: Mapping[str, str]) -> CallTools:
    """A gold call under the name its endpoint has here, its texts as numbers where the endpoint wants numbers.

    `names` are those of endpoints by operation. Calls of no known endpoint stay as they are.
    """
    call = action.calls[0]
    endpoint = endpoints.get(_endpoint_name(call.name, endpoints, names))
    if endpoint is None:
        return action
    properties = endpoint.parameters.get("properties", {})
    arguments = {key: _typed(value, properties.get(key, {})) for key, value in call.arguments.items()}
    return dataclasses.replace(action, calls=(ToolCall(endpoint.name, arguments),))


def misfit(action: CallTools, endpoints: Mapping[str, HttpEndpoint], collections: Sequence[str]) -> str:
    """Why a gold call of an endpoint or a search could not be made; empty when it could."""
    call = action.calls[0]
    if call.name == "retrieve_documents":
        return "" if call.arguments.get("collection") in collections else "a search in a collection without documents"
    endpoint = endpoints.get(call.name)
    if endpoint is None:
        return "no such endpoint"
    spec = ToolSpec(endpoint.name, endpoint.description, endpoint.parameters)
    return "arguments that the endpoint does not take" if argument_problem(spec, call.arguments) else ""


def _endpoint_name(name: str, endpoints: Mapping[str, HttpEndpoint], names: Mapping[str, str]) -> str:
    """By tool name, by operation, or by the beginning of just one operation: some releases cut `_v1_…` off."""
    if name in endpoints or name in names:
        return names.get(name, name)
    longer = [tool for operation, tool in names.items() if operation.startswith(f"{name}_v1_")]
    return longer[0] if len(longer) == 1 else name


def _typed(value: Any, schema: Mapping[str, Any]) -> Any:
    kinds = schema.get("type", [item.get("type") for item in schema.get("anyOf", ()) if isinstance(item, dict)])
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if not isinstance(value, str):
        return str(value) if kinds == ["string"] and isinstance(value, int | float) else value
    if "string" in kinds:
        return value
    if "integer" in kinds and value.strip().lstrip("-").isdecimal():
        return int(value)
    if "number" in kinds:
        found = read_json(value.strip())
        return found if isinstance(found, int | float) and not isinstance(found, bool) else value
    return value.lower() == "true" if "boolean" in kinds and value.lower() in ("true", "false") else value
