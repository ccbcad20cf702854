"""A world over HTTP: the same tools, the same answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.http.client import HttpClient
from agentbench.tools.http.http_tools import http_tools
from agentbench.tools.http.openapi import read_openapi
from agentbench.tools.http.served import DOCUMENT_PATH, openapi_of, served
from agentbench.tools.http.spec import HttpApi, Method
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.spec import Endpoint

ENDPOINTS = (
    Endpoint("directors", "Who.", "SELECT director FROM films WHERE title = :t", {"t": {"type": "string"}}, "director"),
    Endpoint("since", "When.", "SELECT title FROM films WHERE year >= :y", {"y": {"type": "integer"}}, "title"),
    Endpoint("echo", "All.", "SELECT :t UNION ALL SELECT :n", {"t": {"type": "string"}, "n": {"type": "number"}}, "x"),
    Endpoint("blob", "Bytes.", "SELECT x'00ff' UNION ALL SELECT 1e999", {}, "x"),
)
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2000.0, 3.0])
ARGUMENTS = {
    "directors": st.fixed_dictionaries({"t": st.sampled_from(["Amélie", "100% _Solo_"]) | st.text(max_size=20)}),
    "since": st.fixed_dictionaries({"y": INTEGERS}),
    "echo": st.fixed_dictionaries({"t": st.text(max_size=50), "n": st.floats(allow_nan=False, allow_infinity=False)}),
    "blob": st.just({}),
}


class Both:
    """The tools of a database in process and over HTTP, in one event loop that stays open."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self.database = Database(path, 5.0)
        self._runner = web.AppRunner(served(ENDPOINTS, self.database, "films"), shutdown_timeout=0.1)
        self.wait(self._runner.setup())
        self.wait(web.TCPSite(self._runner, "127.0.0.1", 0).start())
        base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.client = HttpClient(base_url)
        self.document = self.wait(self.client.request(Method.GET, DOCUMENT_PATH))
        api = HttpApi(base_url, read_openapi(self.document, base_url))
        self.remote = {tool.spec.name: tool for tool in http_tools(api, self.client, 2)}
        self.local = {tool.spec.name: tool for tool in rest_tools(self.database, ENDPOINTS, 2)}

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def call(self, tool: Tool, arguments: dict[str, Any]) -> str:
        """The observation's text; of an error only that it is one."""
        try:
            return self.wait(tool.call(arguments)).text
        except ToolError:
            return "error"

    def close(self) -> None:
        self.wait(self.client.close())
        self.wait(self._runner.cleanup())
        self._loop.close()
        self.database.close()


@pytest.fixture(scope="module")
def both(films_path: Path) -> Any:
    """Open for all tests of this file."""
    found = Both(films_path)
    yield found
    found.close()


def test_the_document_gives_back_the_tools(both: Both) -> None:
    assert both.document == openapi_of(ENDPOINTS, "films")
    assert [tool.spec for tool in both.remote.values()] == [tool.spec for tool in both.local.values()]


@pytest.mark.parametrize("name", ARGUMENTS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_tool_says_the_same_over_http_and_in_process(both: Both, name: str, data: st.DataObject) -> None:
    arguments = data.draw(ARGUMENTS[name])
    assert both.call(both.remote[name], arguments) == both.call(both.local[name], arguments)


def test_long_lists_and_odd_values_are_shown_alike(both: Both) -> None:
    assert json.loads(both.call(both.remote["since"], {"y": 0})) == {
        "title": ["Amélie", "Delicatessen"],
        "num_values": 5,
    }
    assert json.loads(both.call(both.remote["blob"], {})) == {"x": ["2 bytes", "inf"]}


@pytest.mark.parametrize(
    ("query", "problem"),
    [("t=a&u=b", "'u' was unexpected"), ("", "'t' is a required property"), ("t=a&n=b", "'n' was unexpected")],
)
def test_a_wrong_query_is_refused(both: Both, query: str, problem: str) -> None:
    with pytest.raises(ToolError, match=r"refuses the call \(HTTP 422\): .*" + problem):
        both.wait(both.client.request(Method.GET, "/v1/directors", query))


def test_a_number_that_is_none_is_refused(both: Both) -> None:
    with pytest.raises(ToolError, match="'soon' is not of type 'integer'"):
        both.wait(both.client.request(Method.GET, "/v1/since", "y=soon"))


def test_injection_comes_back_as_the_text_it_is(both: Both) -> None:
    text = "'; DROP TABLE films; --"
    assert json.loads(both.call(both.remote["echo"], {"t": text, "n": 1})) == {"x": [text, 1]}
