"""Internet search against a small SearXNG look-alike and pages on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from agentbench.errors import PreflightError, ToolError
from agentbench.llm import Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.llm.structured import StructuredLlm
from agentbench.tools.assistant.pages import page_text
from agentbench.tools.assistant.web import SearchWeb, WebSettings

PAGE = (
    "<html><head><title>T</title><style>p {}</style></head><body><nav>Menu</nav><article><h1>Bridges</h1>"
    "<p>The  bridge was <b>opened</b> in 1932.</p><script>track()</script></article><footer>Imprint</footer></body>"
)


def searched(use: Callable[[SearchWeb], Awaitable[Any]], llm: ScriptedLlm | None = None, **changes: Any) -> Any:
    """What comes of using a search over a server of our own."""

    async def main() -> Any:
        async def search(request: web.Request) -> web.Response:
            base = f"http://{request.host}"
            found = [("/page", "One"), ("/gone", "Two"), ("/moved", "Three")]
            results = [{"url": base + path, "title": title, "content": f"about {title}"} for path, title in found]
            return web.json_response({"query": request.query["q"], "results": results})

        async def moved(_request: web.Request) -> web.Response:
            raise web.HTTPFound("/page")

        async def page(_request: web.Request) -> web.Response:
            return web.Response(text=PAGE, content_type="text/html")

        app = web.Application()
        app.add_routes([web.get("/search", search), web.get("/page", page), web.get("/moved", moved)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        settings = WebSettings(url, 3, 200, 5.0, private_addresses=True)._replace(**changes)
        tool = SearchWeb(settings, StructuredLlm(llm, Sampling(), True) if llm else None)
        try:
            return await use(tool)
        finally:
            await tool.close()
            await runner.cleanup()

    return asyncio.run(main())


async def bridge(tool: SearchWeb) -> Any:
    return json.loads((await tool.call({"query": "bridge", "question": "When was it opened?"})).text)


def test_the_text_of_a_page_is_its_article_without_menus_and_scripts() -> None:
    assert page_text(PAGE) == "Bridges\nThe bridge was opened in 1932."
    assert page_text("<p>a &amp; b<br>c</p><form>x</form>") == "a & b\nc"


def test_results_are_pages_or_the_engine_s_excerpt_where_a_page_is_gone() -> None:
    results = searched(bridge)["results"]
    text = "Bridges\nThe bridge was opened in 1932."
    assert [(each["title"], each["text"]) for each in results] == [("One", text), ("Two", "about Two"), ("Three", text)]


def test_a_model_sums_up_what_the_pages_say_about_the_question() -> None:
    llm = ScriptedLlm(['{"summary": "In 1932 [1]."}'])
    found = searched(bridge, llm, pages=1)
    assert found["summary"] == "In 1932 [1]." and [each["title"] for each in found["sources"]] == ["One"]
    told = llm.requests[0].prompt.messages[1]["content"]
    assert "opened in 1932" in told and "When was it opened?" in told


def test_pages_in_private_networks_are_not_read() -> None:
    results = searched(bridge, private_addresses=False)["results"]
    assert [each["text"] for each in results] == ["about One", "about Two", "about Three"]


def test_pages_are_cut_to_length() -> None:
    assert searched(bridge, page_chars=7)["results"][0]["text"] == "Bridges"


def test_a_server_that_gives_no_json_is_found_before_the_first_episode() -> None:
    async def check(tool: SearchWeb) -> None:
        with pytest.raises(PreflightError, match=r"env.web.url='http.*/page': HTTP 404") as caught:
            other = SearchWeb(tool._settings._replace(url=tool._settings.url + "/page"), None)
            try:
                await other.check()
            finally:
                await other.close()
        assert "search.formats" in caught.value.next_step
        await tool.check()

    searched(check)


def test_an_engine_that_is_away_is_told_to_the_agent() -> None:
    async def ask(tool: SearchWeb) -> None:
        other = SearchWeb(tool._settings._replace(url="http://127.0.0.1:1"), None)
        with pytest.raises(ToolError, match="cannot be read: ClientConnectorError"):
            await other.call({"query": "x"})
        await other.close()

    searched(ask)
