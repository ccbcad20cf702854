"""Our tools behind MCP: what a client of somebody else's gets of them, over real HTTP, and what nobody gets."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp
import pytest
from mcp.types import UNSUPPORTED_PROTOCOL_VERSION, TextContent, TextResourceContents

from agentbench.config.env import HttpServer
from agentbench.envs.tool_env import argument_problem
from agentbench.errors import PreflightError, ToolError
from agentbench.tools import Tool
from agentbench.tools.mcp.server import RESOURCES_PER_PAGE, Served, mcp_server
from agentbench.tools.mcp.serving import listen, serve_http, url
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Exchange,
    Gold,
    Observation,
    Rule,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
    Turn,
)

from .conftest import Connect, ServeSdk

Toolboxes = dict[str, Callable[[], Any]]


def served(make_tools: Callable[[], Sequence[Tool]], tasks: Sequence[Task] = ()) -> dict[str, Any]:
    """One world, as it is served over HTTP."""
    return {"films": mcp_server(Served("films", make_tools, tasks), argument_problem, sessions=True)}


async def text_of(client: mcp.Client, tool: str, **arguments: Any) -> str:
    """The text of a result, with `error: ` before it where it is one."""
    result = await client.call_tool(tool, arguments)
    (block,) = result.content
    assert isinstance(block, TextContent)
    return f"error: {block.text}" if result.is_error else block.text


@asynccontextmanager
async def session(
    serve_sdk: ServeSdk, make_tools: Callable[[], Sequence[Tool]], *tasks: Task, **how: Any
) -> AsyncIterator[mcp.Client]:
    """A client of somebody else's in a session with our tools."""
    async with serve_sdk(served(make_tools, tasks)) as urls, mcp.Client(urls["films"], **how) as client:
        yield client


CALLS = {
    "rest": [
        ("get_director", {"title": "Amélie"}),
        ("get_titles_since", {"year": 0}),
        ("get_director", {"title": "?"}),
    ],
    "slot_filling": [("get_data", {"tool_universe_id": "films"}), ("get_data", {"tool_universe_id": "films"})],
    "selection": [("get_data", {"tool_universe_id": "films"}), ("get_titles", {"data_label": "films_1"})],
}


@pytest.mark.parametrize("granularity", CALLS)
def test_our_client_on_our_server_sees_what_an_agent_sees_in_process(
    toolboxes: Toolboxes, serve_sdk: ServeSdk, connect: Connect, granularity: str
) -> None:
    here = toolboxes[granularity]().tools

    async def both() -> None:
        server = served(lambda: list(toolboxes[granularity]().tools.values()))
        async with serve_sdk(server) as urls, connect(films=HttpServer(url=urls["films"])) as there:
            assert [tool.spec for tool in there.values()] == [tool.spec for tool in here.values()]
            for name, arguments in CALLS[granularity]:
                assert await outcome(there[name], arguments) == await outcome(here[name], arguments)

    asyncio.run(both())


async def outcome(tool: Tool, arguments: dict[str, Any]) -> Observation | str:
    try:
        return await tool.call(arguments)
    except ToolError as error:
        return str(error)


def test_each_session_has_handles_of_its_own(toolboxes: Toolboxes, serve_sdk: ServeSdk) -> None:
    async def talk() -> list[str]:
        server = served(lambda: list(toolboxes["slot_filling"]().tools.values()))
        async with serve_sdk(server) as urls, mcp.Client(urls["films"]) as one, mcp.Client(urls["films"]) as other:
            opened = [await text_of(client, "get_data", tool_universe_id="films") for client in (one, one, other)]
            handles = [json.loads(text)["handle"] for text in opened]
            foreign = await text_of(other, "sort_data", data_label="films_2", key_name="year", ascending=True)
            return [*handles, foreign]

    *handles, foreign = asyncio.run(talk())
    assert handles == ["films_1", "films_2", "films_1"]
    assert foreign.startswith("error: ") and "films_2" in foreign


def test_results_that_are_objects_are_structured_as_well(toolboxes: Toolboxes, serve_sdk: ServeSdk) -> None:
    async def talk() -> dict[str, Any] | None:
        async with session(serve_sdk, toolboxes["rest"]().tools.values) as client:
            return (await client.call_tool("get_director", {"title": "Amélie"})).structured_content

    assert asyncio.run(talk()) == {"director": ["Jeunet"]}


def test_misuse_is_an_error_result_in_the_words_of_the_environment(toolboxes: Toolboxes, serve_sdk: ServeSdk) -> None:
    tools = toolboxes["rest"]().tools

    async def talk() -> list[str]:
        async with session(serve_sdk, tools.values) as client:
            told = [await text_of(client, "get_director", **wrong) for wrong in ({}, {"title": 3}, {"titel": "x"})]
            with pytest.raises(mcp.MCPError, match="no tool 'get_directr', did you mean 'get_director'"):
                await client.call_tool("get_directr", {})
            return told

    spec = tools["get_director"].spec
    wanted = [argument_problem(spec, wrong) for wrong in ({}, {"title": 3}, {"titel": "x"})]
    assert asyncio.run(talk()) == [f"error: {problem}" for problem in wanted]


class Slow:
    """A tool that counts how many of its calls are under way; a text of `crash` makes it fail."""

    spec = ToolSpec("slow", "Slow.", {"type": "object", "properties": {"text": {"type": "string"}}})

    def __init__(self, seconds: float = 0.02) -> None:
        self.running = 0
        self._seconds = seconds

    async def call(self, arguments: dict[str, Any]) -> Observation:
        if arguments.get("text") == "crash":
            raise ToolError("the projector jammed")
        self.running += 1
        await asyncio.sleep(self._seconds)
        seen, self.running = self.running, self.running - 1
        return Observation(str(seen))


def test_a_sessions_calls_are_carried_out_one_after_the_other(serve_sdk: ServeSdk) -> None:
    async def talk() -> list[str]:
        async with session(serve_sdk, lambda: [Slow()]) as client:
            return await asyncio.gather(
                *(text_of(client, "slow") for _ in range(3)), text_of(client, "slow", text="crash")
            )

    assert asyncio.run(talk()) == ["1", "1", "1", "error: the projector jammed"]


def test_a_sessions_tools_go_with_it(serve_sdk: ServeSdk) -> None:
    made: list[weakref.ref[Slow]] = []

    def make() -> list[Slow]:
        made.append(weakref.ref(tool := Slow()))
        return [tool]

    async def talk() -> list[bool]:
        async with serve_sdk(served(make)) as urls:
            async with mcp.Client(urls["films"]) as client:
                await text_of(client, "slow")
                alive = made[-1]() is not None
            await asyncio.sleep(0.1)
            gc.collect()
            return [alive, made[-1]() is not None]

    assert asyncio.run(talk()) == [True, False]


def test_a_protocol_version_without_sessions_is_refused_with_the_versions_that_have_them(
    toolboxes: Toolboxes, serve_sdk: ServeSdk
) -> None:
    async def talk() -> mcp.MCPError:
        async with session(serve_sdk, toolboxes["rest"]().tools.values, mode="2026-07-28") as client:
            with pytest.raises(mcp.MCPError, match="every session here is an episode") as refused:
                await client.call_tool("get_director", {"title": "Amélie"})
            return refused.value

    error = asyncio.run(talk())
    assert error.code == UNSUPPORTED_PROTOCOL_VERSION and "2025-06-18" in error.error.data["supported"]


@pytest.mark.parametrize(
    ("header", "status"), [({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403)]
)
def test_web_pages_of_others_do_not_get_through(
    toolboxes: Toolboxes, serve_sdk: ServeSdk, header: dict[str, str], status: int
) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    accepts = {"Accept": "application/json, text/event-stream"}

    async def post() -> list[int]:
        async with serve_sdk(served(toolboxes["rest"]().tools.values)) as urls, httpx2.AsyncClient() as client:
            answers = [
                await client.post(urls["films"], json=request, headers=accepts | extra) for extra in ({}, header)
            ]
            return [answer.status_code for answer in answers]

    assert asyncio.run(post()) == [200, status]


def test_an_address_that_is_taken_is_told_in_one_line() -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(PreflightError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: Address already in use$"):
            listen("127.0.0.1", port)


def golden(number: int) -> Task:
    """A task in which everything that may not be seen says `gold`."""
    call = CallTools((ToolCall("get_director", {"title": "gold-argument"}),), "gold-thought")
    gold = Gold(Answer(AnswerType.TEXT, "gold-answer"), (call,), ("gold-document",))
    turns = (Turn("Who made Amélie?", gold), Turn("When?", gold))
    rules = (Rule("Do not search.", (ToolKind.RETRIEVER,)),)
    earlier = (Exchange("What is Amélie?", "A film."),)
    data = {"gold_answer": "gold-data", "entities": ["gold-entity"], "gold_responses": ["gold-response"]}
    return Task(f"films/é {number}", "m3", "films", turns, rules, (ToolKind.API,), earlier=earlier, data=data)


def test_questions_are_resources_page_by_page(toolboxes: Toolboxes, serve_sdk: ServeSdk) -> None:
    tasks = [golden(number) for number in range(2 * RESOURCES_PER_PAGE + 1)]

    async def listed() -> list[list[str]]:
        async with session(serve_sdk, toolboxes["rest"]().tools.values, *tasks) as client:
            pages = [await client.list_resources()]
            while pages[-1].next_cursor is not None:
                pages.append(await client.list_resources(cursor=pages[-1].next_cursor))
            return [[resource.name for resource in page.resources] for page in pages]

    pages = asyncio.run(listed())
    assert [len(page) for page in pages] == [RESOURCES_PER_PAGE, RESOURCES_PER_PAGE, 1]
    assert [name for page in pages for name in page] == [task.id for task in tasks]


def test_a_question_holds_what_an_agent_is_told_and_no_gold(toolboxes: Toolboxes, serve_sdk: ServeSdk) -> None:
    async def read() -> str:
        async with session(serve_sdk, toolboxes["rest"]().tools.values, golden(7)) as client:
            (resource,) = (await client.list_resources()).resources
            (contents,) = (await client.read_resource(resource.uri)).contents
            assert isinstance(contents, TextResourceContents) and "gold" not in resource.model_dump_json()
            return contents.text

    text = asyncio.run(read())
    assert "gold" not in text
    assert json.loads(text) == {
        "id": "films/é 7",
        "domain": "films",
        "rules": ["Do not search."],
        "tools_allowed": ["api"],
        "earlier": [{"query": "What is Amélie?", "answer": "A film."}],
        "turns": ["Who made Amélie?", "When?"],
    }


@pytest.mark.parametrize("cursor", ["-1", "x", "١", "9" * 30])
def test_odd_cursors_and_questions_that_are_not_there_are_refused(
    toolboxes: Toolboxes, serve_sdk: ServeSdk, cursor: str
) -> None:
    async def ask() -> None:
        async with session(serve_sdk, toolboxes["rest"]().tools.values, golden(1)) as client:
            with pytest.raises(mcp.MCPError, match="is no cursor of this list"):
                await client.list_resources(cursor=cursor)
            with pytest.raises(mcp.MCPError, match="there is no question 'agentbench://tasks/2'"):
                await client.read_resource("agentbench://tasks/2")

    asyncio.run(ask())


def test_a_server_that_is_told_to_stop_cuts_open_sessions_and_leaves_no_task() -> None:
    async def stop() -> tuple[float, list[str]]:
        with listen("127.0.0.1", 0) as listening:
            address = url(listening, "127.0.0.1", "films")
            serving = asyncio.create_task(serve_http(served(lambda: [Slow(5.0)]), listening, "127.0.0.1"))
            async with mcp.Client(address) as client:
                call = asyncio.create_task(client.call_tool("slow", {}))
                await asyncio.sleep(0.1)
                started = time.monotonic()
                serving.cancel()
                await asyncio.wait({serving, call})
                assert serving.cancelled() and isinstance(call.exception(), mcp.MCPError)
                seconds = time.monotonic() - started
        left = [task.get_coro() for task in asyncio.all_tasks() - {asyncio.current_task()}]
        return seconds, [repr(work) for work in left if "_shutdown_watcher" not in repr(work)]  # the SDK's, of the loop

    seconds, left = asyncio.run(stop())
    assert seconds < 2 and left == []
