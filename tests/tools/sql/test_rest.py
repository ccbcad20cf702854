from __future__ import annotations

from typing import Any

import pytest

from agentbench.errors import ToolError
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.spec import Endpoint


def test_an_endpoint_answers_with_its_key(rest: Any) -> None:
    assert rest("get_director", title="Amélie") == {"director": ["Jeunet"]}


def test_nothing_found_is_an_empty_list(rest: Any) -> None:
    assert rest("get_director", title="' OR 1=1 --") == {"director": []}


def test_more_values_than_are_shown_are_counted(rest: Any) -> None:
    assert rest("get_titles_since", year=1997) == {"title": ["Contact", "Amélie", "Flight"], "num_values": 4}
    assert rest("get_titles_since", year=2000) == {"title": ["Amélie", "Flight", "100% _Solo_"]}


def test_the_spec_demands_every_parameter_and_no_other(rest: Any) -> None:
    spec = rest.tools["get_director"].spec
    assert (spec.name, spec.description, spec.kind) == ("get_director", "Who directed a film.", "api")
    assert spec.parameters == {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("arguments", [{}, {"title": ["a"]}, {"title": "\ud800"}, {"title": 2**70}])
def test_arguments_that_cannot_be_bound_are_a_tool_error(rest: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="refused"):
        rest("get_director", **arguments)


def test_an_endpoint_that_would_write_is_refused(database: Database, rest: Any) -> None:
    writing = Endpoint("wipe", "Wipes.", "DELETE FROM films WHERE title = :title RETURNING title", {}, "title")
    rest.tools["wipe"] = rest_tools(database, [writing], 3)[0]
    with pytest.raises(ToolError, match="not authorized"):
        rest("wipe", title="Amélie")
