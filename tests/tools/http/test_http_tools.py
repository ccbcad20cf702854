"""Tools over HTTP against a real server on this machine that behaves and misbehaves."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from agentbench.errors import PreflightError, ToolError, ToolServerError
from agentbench.tools.http.client import HttpClient
from agentbench.tools.http.http_tools import http_tools
from agentbench.tools.http.openapi import read_openapi
from agentbench.tools.http.spec import HttpApi, Method

from .conftest import Server, document, in_path, query, reply

FILMS = document(parameters=[query("title")])


def fails(
    server: Server, source: dict[str, Any] = FILMS, arguments: dict[str, Any] | None = None, **settings: Any
) -> str:
    """What the agent reads when the call fails."""
    with pytest.raises(ToolError) as caught:
        server.call(source, arguments or {}, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ({}, "/v1/a%20b/films"),
        ({"title": "ä&b=c /?#"}, "/v1/a%20b/films?title=%C3%A4%26b%3Dc%20%2F%3F%23"),
        ({"many": ["x", 2, True]}, "/v1/a%20b/films?many=x&many=2&many=true"),
        ({"many": [], "title": ""}, "/v1/a%20b/films?title="),
        ({"many": None, "title": "1.0"}, "/v1/a%20b/films?title=1.0"),
    ],
)
def test_arguments_are_written_into_the_query(arguments: dict[str, Any], asked: str) -> None:
    server = Server()
    server.call(document("/a b/films", parameters=[query("title"), query("many", "array")]), arguments, "/v1")
    assert server.seen == [("GET", asked)]


def test_path_parameters_are_one_segment_whatever_they_hold() -> None:
    server = Server()
    server.call(document("/films/{title}/cast", parameters=[in_path("title")]), {"title": "a/b?c#d%2e{e}"})
    assert server.seen == [("GET", "/films/a%2Fb%3Fc%23d%252e%7Be%7D/cast")]


@pytest.mark.parametrize("title", ["..", ".", "../admin", "a/../../admin", "..\\admin", "x/..", "./x"])
def test_no_path_leads_out_of_the_base_url(title: str) -> None:
    server = Server()
    source = document("/films/{title}", parameters=[in_path("title")])
    assert fails(server, source, {"title": title}, prefix="/v1") == "the call would lead out of the API's address"
    assert server.seen == []


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=12) | st.text("./\\%2eE:@?#", max_size=6), min_size=1, max_size=10))
def test_any_text_stays_the_one_segment_it_stands_for(texts: list[str]) -> None:
    source = document("/films/{title}", parameters=[in_path("title")])
    server = Server()

    async def use(base_url: str) -> None:
        client = HttpClient(f"{base_url}/v1")
        (tool,) = http_tools(HttpApi(base_url, read_openapi(source, "api")), client, 3)
        for text in texts:
            server.seen.clear()
            with suppress(ToolError):
                await tool.call({"title": text})
                assert server.seen == [("GET", f"/v1/films/{quote(text, safe='')}")]
        await client.close()

    server.run(use)


def test_two_parameters_cannot_make_dots_together() -> None:
    source = document("/{a}{b}/x", parameters=[in_path("a"), in_path("b")])
    assert "lead out" in fails(Server(), source, {"a": ".", "b": "."})


def test_an_empty_path_parameter_is_refused() -> None:
    source = document("/films/{title}", parameters=[in_path("title")])
    assert "'title' is part of the address and must not be empty" in fails(Server(), source, {"title": ""})


def test_a_body_is_sent_as_json() -> None:
    body = {"content": {"application/json": {"schema": {"type": "object"}}}}
    server = Server(reply('{"made": 1}', 201))
    assert server.call(document(method="post", requestBody=body), {"body": {"a": ["é"]}}) == {"made": 1}
    assert (server.seen, json.loads(server.bodies[0])) == ([("POST", "/films")], {"a": ["é"]})


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"title": [1, 2, 3]}, {"title": [1, 2, 3]}),
        ({"title": [1, 2, 3, 4]}, {"title": [1, 2, 3], "num_values": 4}),
        ([1, 2, 3, 4], {"values": [1, 2, 3], "num_values": 4}),
        (5, {"value": 5}),
        ({"a": [0] * 4, "b": [0] * 5}, {"a": [0] * 3, "b": [0] * 3, "num_values": {"a": 4, "b": 5}}),
        ({"a": [{"b": [0] * 4}]}, {"a": [{"b": [0] * 3}], "num_values": {"a.0.b": 4}}),
    ],
)
def test_long_lists_are_cut_and_counted(answer: Any, shown: Any) -> None:
    assert Server(reply(json.dumps(answer))).call(FILMS, {}) == shown


def test_a_refusal_is_told_in_the_servers_own_words() -> None:
    server = Server(reply('{"error": "no such\\n film"}', 404))
    assert fails(server) == "the server of this tool refuses the call (HTTP 404): no such film"
    assert fails(Server(reply("<html>" + "x" * 1000, 400))).endswith("(HTTP 400): <html>" + "x" * 294)
    assert len(server.seen) == 1


def test_failures_and_full_servers_are_asked_again() -> None:
    server = Server(reply(status=500), reply(status=429), reply('{"a": 1}'))
    assert server.call(FILMS, {}) == {"a": 1}
    assert len(server.seen) == 3


def test_a_server_that_keeps_failing_is_given_up() -> None:
    server = Server(reply("broken", 500))
    assert fails(server, max_retries=1) == "the server of this tool fails with HTTP 500: broken (attempts: 2)"
    assert len(server.seen) == 2


def test_a_post_is_only_repeated_where_nothing_was_done() -> None:
    body = {"content": {"application/json": {"schema": {}}}}
    source = document(method="post", requestBody=body)
    server = Server(reply("", 500))
    assert "HTTP 500 (attempts: 1)" in fails(server, source, {"body": 1})
    assert Server(reply(status=429), reply("[]")).call(source, {"body": 1}) == {"values": []}


def test_the_server_says_when_to_come_back() -> None:
    started = time.perf_counter()
    assert Server(reply(status=503, Retry_After="1"), reply("1")).call(FILMS, {}) == {"value": 1}
    assert time.perf_counter() - started >= 1.0
    assert "HTTP 503 (attempts: 1)" in fails(Server(reply("", 503, Retry_After="3600")))


def test_a_dead_server_is_no_fault_of_the_agents() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def ask() -> None:
        client = HttpClient(f"http://127.0.0.1:{port}", max_retries=1)
        try:
            await client.request(Method.GET, "/films")
        finally:
            await client.close()

    with pytest.raises(ToolServerError, match=rf":{port}: .* cannot be reached: Connection refused \(attempts: 2\)$"):
        asyncio.run(ask())


def test_a_slow_server_is_not_asked_twice() -> None:
    async def slow(_request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    server = Server(slow)
    assert fails(server, timeout_s=0.1) == "the server of this tool gave no answer within 0.1 s"
    assert len(server.seen) == 1


def test_a_connection_cut_in_the_middle_is_asked_again() -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    assert Server(cut, reply('{"a": 1}')).call(FILMS, {}) == {"a": 1}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (reply("<html>", Content_Type="text/html"), r"answers with no JSON \(text/html\)"),
        (reply(""), "answers with no JSON"),
        (reply('{"a": NaN}'), "answers with no JSON"),
        (reply("[" * 900), "answers with no JSON"),
        (reply("[" * 400 + "]" * 400), "nested more than 100 levels deep"),
        (reply(b'"' + b"x" * 2000 + b'"'), r"larger than 1,000 bytes; ask for less"),
        (reply(gzip.compress(b"1" * 100), Content_Encoding="gzip"), "answers packed"),
        (reply(status=302, Location="http://192.0.2.1/films"), "lead out of the API's address"),
        (reply(status=302, Location="/admin"), "lead out of the API's address"),
        (reply(status=302, Location="/v1/../admin"), "lead out of the API's address"),
        (reply(status=302, Location="//[bad"), "redirects to no address"),
        (reply(status=302), r"only redirects \(HTTP 302\)"),
        (reply(status=302, Location="/v1/films"), r"only redirects \(HTTP 302\)"),
    ],
)
def test_answers_that_are_of_no_use_are_refused(answer: Any, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        Server(answer).call(FILMS, {}, "/v1", max_bytes=1000)


def test_a_redirect_within_the_api_is_followed() -> None:
    server = Server(reply(status=307, Location="/v1/films/?title=x"), reply("1"))
    assert server.call(FILMS, {"title": "x"}, "/v1") == {"value": 1}
    assert [path for _, path in server.seen] == ["/v1/films?title=x", "/v1/films/?title=x"]


@pytest.mark.parametrize(("value", "problem"), [("x" * 9000, "arguments are too long"), ("\ud800", "cannot be sent")])
def test_arguments_no_url_can_hold_are_refused(value: str, problem: str) -> None:
    server = Server()
    assert problem in fails(server, FILMS, {"title": value})
    assert server.seen == []


def test_connections_are_kept_and_no_more_are_opened_than_allowed() -> None:
    open_now, most, ports = 0, 0, set()

    async def count(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal open_now, most
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        return web.Response(body=b"1")

    async def use(base_url: str) -> None:
        client = HttpClient(base_url, max_connections=3, timeout_s=5)
        await asyncio.gather(*(client.request(Method.GET, "/films") for _ in range(20)))
        await client.close()

    Server(count).run(use)
    assert (most, len(ports)) == (3, 3)


@pytest.mark.parametrize(
    "base_url",
    ["ftp://host", "host/path", "http://", "http://u:p@host", "http://host?a=1", "http://host#a", "http://h:x"],
)
def test_a_base_url_is_a_plain_address(base_url: str) -> None:
    with pytest.raises(PreflightError, match="is no address of an API"):
        HttpClient(base_url)


def test_an_api_round_trips_through_json() -> None:
    source = document("/{id}", "post", parameters=[in_path("id"), query("a", "integer")])
    api = HttpApi("http://127.0.0.1:8000/v1", read_openapi(source, "api"))
    assert TypeAdapter(HttpApi).validate_json(orjson.dumps(api)) == api
