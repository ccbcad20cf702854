"""The same tools under other names and without words: ablations of how tools are presented, not of what they do.

A view is made once per domain. Tools become `func_12` and their parameters `arg_3`, one number per name, so that a
parameter that several tools share keeps one name; nested parameters are renamed along `properties` and `items`, and
left as they are below a schema that combines others (`anyOf`, `$ref` …). Names in descriptions and in error messages
follow, as far as they look like names: `get_data`, or any word in quotes or backticks, never the plain word title.

What is not hidden: names of results (`{"director": […]}`), handles, columns and collections. They are values, and gold
chains refer to them. Without descriptions all words go and values stay: types, enums, defaults. So get_data still
lists the ids of its universes and retrieve_documents its collections, and every gold chain can still be carried out.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.types import CallTools, Observation, Task, ToolCall, ToolSpec, Turn

Schema = dict[str, Any]
Names = Mapping[str, str]

_WORD = re.compile(r"([`'\":]?)([^\W\d][\w-]*)([`'\"]?)")
_WORDS_ABOUT_SCHEMAS = frozenset({"description", "title", "examples", "$comment"})
_VALUES = frozenset({"enum", "const", "default"})
_SCHEMAS_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_COMBINING = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "$ref", "dependentSchemas", "dependentRequired", "patternProperties"}
)


class View(NamedTuple):
    """How the tools of one domain are presented; names that are not in it stay as they are."""

    tools: Names
    """Presented name of a tool by its own."""
    parameters: Names
    """Presented name of a parameter by its own."""
    own_parameters: Names
    """The way back."""
    schemas: Mapping[str, Schema]
    """Own parameters of each tool by its own name."""
    descriptions: bool


def view_of(specs: Iterable[ToolSpec], *, obfuscate_names: bool, descriptions: bool, seed: int) -> View:
    """The view of a domain's tools; the same tools, in whatever order, and the same seed give the same names."""
    schemas = {spec.name: spec.parameters for spec in specs}
    if not obfuscate_names:
        return View({}, {}, {}, schemas, descriptions)
    tools = _numbered("func", schemas, seed)
    parameters = _numbered("arg", (name for schema in schemas.values() for name in _parameters(schema)), seed)
    return View(tools, parameters, {new: own for own, new in parameters.items()}, schemas, descriptions)


def presented(tools: Sequence[Tool], view: View) -> tuple[Tool, ...]:
    """The tools as the view shows them. They keep nothing of their own, so fixed tools need to be wrapped once only."""
    if not view.tools and view.descriptions:
        return tuple(tools)
    return tuple(PresentedTool(tool, view) for tool in tools)


def presented_task(task: Task, view: View) -> Task:
    """The task with its gold calls under the view's names, and what the view changes among its facts."""
    turns = tuple(_presented_turn(turn, view) for turn in task.turns)
    facts = {"obfuscate_names": bool(view.tools), "descriptions": view.descriptions}
    return dataclasses.replace(task, turns=turns, data={**task.data, **facts})


class PresentedTool:
    """A tool under a view: arguments are translated on the way in, complaints on the way out, results never."""

    __slots__ = ("_view", "spec", "tool")

    def __init__(self, tool: Tool, view: View) -> None:
        self.spec = presented_spec(tool.spec, view)
        self.tool = tool
        self._view = view

    def around(self, tool: Tool) -> PresentedTool:
        """The same view of a copy of the tool; making one anew costs a hundred times more."""
        twin = copy(self)
        twin.tool = tool
        return twin

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The tool's own result.

        Raises:
            ToolError: the tool's own, its names as the view has them.
        """
        try:
            return await self.tool.call(_translated(arguments, self.spec.parameters, self._view.own_parameters))
        except ToolError as error:
            raise ToolError(_renamed_words(str(error), self._names(arguments)), error.next_step) from error

    def _names(self, arguments: dict[str, Any]) -> dict[str, str]:
        """What a complaint may call by its own name: tools, and parameters of this one. What the agent wrote is no name
        but a value, such as a column called `value`."""
        own = self._view.own_parameters
        parameters = {own[name]: name for name in _parameters(self.spec.parameters) if name in own}
        names = {**parameters, **self._view.tools}
        return {name: new for name, new in names.items() if name not in arguments.values()}


def presented_spec(spec: ToolSpec, view: View) -> ToolSpec:
    """What the agent is told about a tool under the view."""
    description, parameters = "", spec.parameters
    if view.descriptions:
        own = {name: view.parameters[name] for name in _parameters(parameters) if name in view.parameters}
        names = {**own, **view.tools}
        description = _renamed_words(spec.description, names)
        parameters = _renamed_schema(parameters, view.parameters, names)
    else:
        parameters = _renamed_schema(_without_words(parameters), view.parameters, {})
    return ToolSpec(view.tools.get(spec.name, spec.name), description, parameters, spec.kind)


def _numbered(prefix: str, names: Iterable[str], seed: int) -> dict[str, str]:
    ordered = sorted(set(names))
    numbers = list(range(1, len(ordered) + 1))
    random.Random(f"{seed}/{prefix}").shuffle(numbers)
    return {name: f"{prefix}_{number}" for name, number in zip(ordered, numbers, strict=True)}


def _parameters(schema: Schema) -> Iterator[str]:
    """Names of all parameters that are renamed, nested ones included."""
    if _renamable(schema):
        yield from schema["properties"]
    for _, inner in _inner(schema):
        yield from _parameters(inner)


def _inner(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The schemas directly within one, by parameter; that of a list's items stands under no name."""
    if _renamable(schema):
        yield from ((name, inner) for name, inner in schema["properties"].items() if isinstance(inner, dict))
    if isinstance(schema.get("items"), dict):
        yield "", schema["items"]


def _renamable(schema: Schema) -> bool:
    return isinstance(schema.get("properties"), dict) and not _COMBINING & schema.keys()


def _renamed_schema(schema: Schema, parameters: Names, words: Names) -> Schema:
    """A schema with its parameters renamed, and in its descriptions the words given."""
    inner = {name: _renamed_schema(found, parameters, words) for name, found in _inner(schema)}
    renamed = dict(schema)
    if "items" in schema and "" in inner:
        renamed["items"] = inner.pop("")
    if _renamable(schema):
        own = schema["properties"]
        renamed["properties"] = {parameters.get(name, name): inner.get(name, own[name]) for name in own}
        if "required" in schema:
            renamed["required"] = [parameters.get(name, name) for name in schema["required"]]
    if isinstance(schema.get("description"), str):
        renamed["description"] = _described(schema, parameters, words)
    return renamed


def _described(schema: Schema, parameters: Names, words: Names) -> str:
    """A description; one of an object is about the object's parameters, so there even plain words are names."""
    text = _renamed_words(schema["description"], words)
    if not _renamable(schema):
        return text
    return re.sub(r"\w+", lambda found: parameters[found[0]] if found[0] in schema["properties"] else found[0], text)


def _renamed_words(text: str, names: Names) -> str:
    """A text with names in place of others; plain words are only taken for names where they are marked as such."""

    def renamed(found: re.Match[str]) -> str:
        before, word, after = found.groups()
        marked = before == ":" or bool(before and before == after)
        return before + names[word] + after if word in names and (marked or "_" in word) else found[0]

    return _WORD.sub(renamed, text) if names else text


def _without_words(schema: Schema) -> Schema:
    """A schema without descriptions, titles, examples and comments, its parameters of such names kept."""
    return {key: _bare(key, value) for key, value in schema.items() if key not in _WORDS_ABOUT_SCHEMAS}


def _bare(key: str, value: Any) -> Any:
    match value:
        case _ if key in _VALUES:
            return value
        case dict() if key in _SCHEMAS_BY_NAME:
            return {name: _without_words(inner) if isinstance(inner, dict) else inner for name, inner in value.items()}
        case dict():
            return _without_words(value)
        case list():
            return [_without_words(inner) if isinstance(inner, dict) else inner for inner in value]
        case _:
            return value


def _translated(value: Any, schema: Schema, names: Names) -> Any:
    """A value whose schema is given, with the schema's parameters under other names; all else is kept."""
    inner = dict(_inner(schema))
    match value:
        case dict() if _renamable(schema):
            own = schema["properties"]
            return {
                names.get(key, key) if key in own else key: _translated(item, inner.get(key, {}), names)
                for key, item in value.items()
            }
        case list() if "" in inner:
            return [_translated(item, inner[""], names) for item in value]
        case _:
            return value


def _presented_turn(turn: Turn, view: View) -> Turn:
    actions = tuple(
        CallTools(tuple(_presented_call(call, view) for call in action.calls), action.thought)
        for action in turn.gold.actions
    )
    return dataclasses.replace(turn, gold=dataclasses.replace(turn.gold, actions=actions))


def _presented_call(call: ToolCall, view: View) -> ToolCall:
    schema = view.schemas.get(call.name, {})
    return ToolCall(view.tools.get(call.name, call.name), _translated(call.arguments, schema, view.parameters))
