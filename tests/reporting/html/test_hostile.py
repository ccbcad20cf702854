"""A page made of nothing but hostile text, in a real browser: all of it is shown, none of it does anything."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from playwright.sync_api import Browser

from agentbench.reporting.html.page import Figure, Link, Page, Section, Table, Tile, write_page
from agentbench.types import CallTools, Exchange, Malformed, Rule, Score, ToolCall, Trajectory

EVIL = (
    "</script><script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\"><svg onload=alert(1)>"
)
QUOTES = "\" onmouseover=\"document.title='owned'\" x='"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="5"/></svg>'


def hostile_page() -> Page:
    """Hostile in every field; figures are the plotting library's, whose texts it escapes itself."""
    table = Table(QUOTES + EVIL, (EVIL, QUOTES), ((Link(EVIL, "#t=0"), QUOTES + EVIL),), (1,))
    section = Section(EVIL, EVIL, (table,), (Figure(QUOTES + EVIL, SVG),), (Tile(EVIL, EVIL, EVIL),))
    return Page(EVIL, EVIL, (section,), (EVIL,), command=EVIL)


def hostile(tree: Trajectory) -> Trajectory:
    """A trajectory whose names, words and results are all hostile."""
    task = dataclasses.replace(
        tree.task,
        id=EVIL,
        domain=EVIL,
        rules=(Rule(EVIL),),
        earlier=(Exchange(EVIL, EVIL),),
        data={"scenario": EVIL, "hops": EVIL, "tool_availability": QUOTES},
    )
    first, last = tree.history.steps
    call = CallTools((ToolCall(EVIL, {EVIL: QUOTES}),), EVIL)
    steps = (
        dataclasses.replace(first, decision=dataclasses.replace(first.decision, action=call, note=EVIL, reason=EVIL)),
        dataclasses.replace(first, decision=dataclasses.replace(first.decision, action=Malformed(EVIL, EVIL))),
        last,
    )
    history = dataclasses.replace(tree.history, steps=steps)
    return dataclasses.replace(tree, task=task, history=history, scores=(Score(EVIL, 1.0, EVIL),), error=EVIL)


def test_nothing_hostile_runs_wherever_it_stands(browser: Browser, tmp_path: Path, tree: Trajectory) -> None:
    path = tmp_path / "report.html"
    write_page(path, hostile_page(), [[hostile(tree)]])
    tab = browser.new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-ready=true]")
    tab.click("#rows li:nth-child(1) button")
    tab.wait_for_selector("#detail .step")
    tab.hover("#detail h3")
    assert tab.title() == EVIL and said == []
    assert tab.locator("img, #detail svg, h1 script, section script, [onerror], [onload], [onmouseover]").count() == 0
    assert tab.locator("#detail .step").first.inner_text().count("document.title='owned'") >= 2
    tab.close()
