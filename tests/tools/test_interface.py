"""Tools under other names and without words, and the gold that goes with them."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import jsonschema
import pytest

from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.interface import View, presented, presented_spec, presented_task, view_of
from agentbench.types import Observation, Task, ToolCall, ToolSpec


class Recorder:
    """A tool with nested parameters; it refuses a `mode` of `bad` in words about its own parameters."""

    spec = ToolSpec(
        "save_note",
        "Saves a title; see `drop` and save_note, and note_id, not the plain word drop.",
        {
            "type": "object",
            "properties": {
                "title": {"type": "string", "description": "A title."},
                "note_id": {"type": "integer", "default": 7},
                "lines": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
                },
                "options": {
                    "type": "object",
                    "description": "For now: mode.",
                    "properties": {"mode": {"type": "string", "enum": ["good", "bad"]}},
                },
                "free": {"anyOf": [{"type": "object", "properties": {"mode": {"type": "string"}}}, {"type": "null"}]},
            },
            "required": ["title"],
            "additionalProperties": False,
        },
    )

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    async def call(self, arguments: dict[str, Any]) -> Observation:
        self.calls.append(arguments)
        if arguments.get("options") == {"mode": "bad"}:
            raise ToolError('note_id needs {"mode": "good"}; the mode of a title, ask save_note or `drop`')
        return Observation('{"title":["x"]}')


class Drop:
    """A tool whose name is an ordinary word."""

    spec = ToolSpec("drop", "Drops a note.", {"type": "object", "properties": {"note_id": {"type": "integer"}}})

    async def call(self, arguments: dict[str, Any]) -> Observation:
        return Observation("{}")


def view(*tools: Tool, obfuscate_names: bool = True, descriptions: bool = True, seed: int = 0) -> View:
    specs = [tool.spec for tool in tools]
    return view_of(specs, obfuscate_names=obfuscate_names, descriptions=descriptions, seed=seed)


@pytest.fixture
def notes() -> View:
    return view(Recorder(), Drop())


def answer(tool: Tool, arguments: dict[str, Any]) -> str:
    return asyncio.run(tool.call(arguments)).text


def test_every_name_becomes_a_number_of_its_own(notes: View) -> None:
    assert sorted(notes.tools.values()) == ["func_1", "func_2"]
    # title, note_id, lines, options, mode and free: a name that several places share has one number.
    assert sorted(notes.parameters.values()) == [f"arg_{n}" for n in range(1, 7)]
    assert notes.own_parameters == {new: own for own, new in notes.parameters.items()}


def test_names_depend_on_the_seed_and_not_on_the_order_of_tools(notes: View) -> None:
    assert view(Drop(), Recorder()) == notes._replace(schemas=view(Drop(), Recorder()).schemas)
    assert any(view(Recorder(), Drop(), seed=seed).parameters != notes.parameters for seed in range(1, 4))


def test_arguments_reach_the_tool_under_its_own_names(notes: View) -> None:
    tool, p = Recorder(), notes.parameters
    given = {
        p["title"]: "A",
        p["lines"]: [{p["title"]: "B"}],
        p["options"]: {p["mode"]: "good"},
        p["free"]: {"mode": "C"},
    }
    (shown,) = presented([tool], notes)
    jsonschema.Draft202012Validator(shown.spec.parameters).validate(given)
    assert answer(shown, given) == '{"title":["x"]}'
    assert tool.calls == [{"title": "A", "lines": [{"title": "B"}], "options": {"mode": "good"}, "free": {"mode": "C"}}]


def test_own_names_are_no_arguments_any_more(notes: View) -> None:
    spec = presented_spec(Recorder.spec, notes)
    problems = [error.message for error in jsonschema.Draft202012Validator(spec.parameters).iter_errors({"title": "A"})]
    title = notes.parameters["title"]
    assert problems == [
        f"'{title}' is a required property",
        "Additional properties are not allowed ('title' was unexpected)",
    ]


def test_names_in_descriptions_follow_and_plain_words_stay(notes: View) -> None:
    spec = presented_spec(Recorder.spec, notes)
    drop, save, note_id = notes.tools["drop"], notes.tools["save_note"], notes.parameters["note_id"]
    assert spec.description == f"Saves a title; see `{drop}` and {save}, and {note_id}, not the plain word drop."
    options = spec.parameters["properties"][notes.parameters["options"]]
    assert options["description"] == f"For now: {notes.parameters['mode']}."


def test_complaints_speak_the_presented_names(notes: View) -> None:
    (shown,) = presented([Recorder()], notes)
    p, drop, save = notes.parameters, notes.tools["drop"], notes.tools["save_note"]
    with pytest.raises(ToolError) as refusal:
        answer(shown, {p["title"]: "A", p["options"]: {p["mode"]: "bad"}})
    wanted = f'{p["note_id"]} needs {{"{p["mode"]}": "good"}}; the mode of a title, ask {save} or `{drop}`'
    assert str(refusal.value) == wanted


def test_what_the_agent_wrote_is_quoted_as_it_wrote_it(toolboxes) -> None:
    tool = toolboxes["slot_filling"]().tools["sort_data"]
    shown = view(tool)
    (sort,) = presented([tool], shown)
    with pytest.raises(ToolError, match="there is no handle 'ascending': none was made yet"):
        answer(sort, {shown.parameters["data_label"]: "ascending", shown.parameters["key_name"]: "x"})


def test_without_descriptions_only_values_are_left() -> None:
    spec = presented_spec(Recorder.spec, view(Recorder(), obfuscate_names=False, descriptions=False))
    assert (spec.name, spec.description) == ("save_note", "")
    assert "description" not in json.dumps(spec.parameters)
    # A parameter called `title` is no title of a schema.
    assert spec.parameters["properties"]["title"] == {"type": "string"}
    assert spec.parameters["properties"]["note_id"]["default"] == 7
    assert spec.parameters["properties"]["options"]["properties"]["mode"]["enum"] == ["good", "bad"]


def test_without_descriptions_collections_and_universes_can_still_be_named(toolboxes) -> None:
    tool = toolboxes["slot_filling"]().tools["get_data"]
    spec = presented_spec(tool.spec, view(tool, descriptions=False))
    (schema,) = spec.parameters["properties"].values()
    assert schema == {"type": "string", "enum": ["films", "films_studios"]}


def test_a_view_that_changes_nothing_gives_the_tools_themselves() -> None:
    tool = Recorder()
    assert presented([tool], view(tool, obfuscate_names=False)) == (tool,)


def test_gold_calls_are_rewritten_and_references_kept(film_tools, film_task: Task) -> None:
    shown = view(*film_tools)
    task = presented_task(film_task, shown)
    t, p = shown.tools, shown.parameters
    assert [action.calls[0] for action in task.turns[0].gold.actions] == [
        ToolCall(t["get_film_director"], {p["title"]: "Robbery"}),
        ToolCall(t["retrieve_documents"], {p["collection"]: "people", p["query"]: "$var_1.director.0$"}),
    ]
    assert (task.id, task.turns[0].gold.documents) == (film_task.id, ("people-1",))
    assert task.data == {**film_task.data, "obfuscate_names": True, "descriptions": True}


@pytest.mark.parametrize("kind", ["rest", "slot_filling", "selection"])
def test_no_own_name_that_looks_like_one_is_told_to_the_agent(toolboxes, kind: str) -> None:
    tools = list(toolboxes[kind]().tools.values())
    shown = view(*tools)
    names = {name for name in (*shown.tools, *shown.parameters) if "_" in name}
    for tool in presented(tools, shown):
        said = [tool.spec.name, tool.spec.description, *_words_of(tool.spec.parameters)]
        assert not names & set(re.findall(r"\w+", " ".join(said)))


def _words_of(schema: dict[str, Any]) -> list[str]:
    found = [schema.get("description", "")]
    for name, inner in schema.get("properties", {}).items():
        found += [name, *_words_of(inner)]
    return found
