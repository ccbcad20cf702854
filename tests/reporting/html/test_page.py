"""The page in a real browser: found, filtered, opened, and nothing in it runs but its own script."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from agentbench.reporting.html.entries import cut, detail
from agentbench.reporting.html.page import Figure, Link, Page, Pair, Section, Table, Tile, write_page
from agentbench.types import CallTools, ToolCall, Trajectory

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="5" fill="currentColor"/></svg>'
TABLE = Table("Success", ("run", "success"), (("first", "50.0 %"),))
PAGE = Page("A <b>run</b>", "n = 2", (Section("Summary", "Two.", (TABLE,), (Figure("Success", SVG),)),), ("first",))


class Opened(NamedTuple):
    """A tab with the page, and what it said and asked for."""

    tab: Tab
    said: list[str]
    asked: list[str]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path, tree: Trajectory, failure: Trajectory) -> Iterator[Opened]:
    write_page(tmp_path / "report.html", PAGE, [[tree, failure]])
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    view = Opened(tab, [], [])
    tab.on("console", lambda message: view.said.append(message.text))
    tab.on("pageerror", lambda error: view.said.append(str(error)))
    tab.on("request", lambda request: view.asked.append(request.url))
    show(tab, tmp_path / "report.html")
    yield view
    tab.close()


def show(tab: Tab, path: Path) -> None:
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-ready=true]")


def test_filters_and_search_narrow_the_list(opened: Opened) -> None:
    tab = opened.tab
    expect(tab.locator("#count")).to_have_text("2 of 2 trajectories, 1 solved")
    tab.select_option("select[name=domain]", "geography")
    expect(tab.locator("#count")).to_have_text("1 of 2 trajectories, 0 solved")
    tab.select_option("select[name=domain]", "")
    tab.fill("#search", "get_film_director")
    expect(tab.locator("#rows li")).to_have_count(1)
    tab.fill("#search", "nowhere to be found")
    expect(tab.locator("#rows li")).to_have_count(0)


def test_a_trajectory_shows_who_acted_what_the_other_would_have_done_and_its_branch(
    opened: Opened, screenshots: Path
) -> None:
    tab = opened.tab
    tab.click("#rows li:nth-child(1) button")
    second = tab.locator("#detail > .steps > .step").nth(1)
    expect(second).to_contain_text("The expert stepped in: the agent is about to answer wrongly")
    expect(second).to_contain_text("correct_final")
    tab.get_by_text("The agent would have").click()
    tab.get_by_text("Branch 1: 1 step, end final, answer 0").click()
    expect(second.locator(".branch .step")).to_contain_text("Step 2")
    expect(second.locator(".branch .step")).to_contain_text("Paris")
    tab.screenshot(path=screenshots / "trajectory.png")


def test_what_a_tool_planted_is_shown_as_text_and_does_nothing(opened: Opened) -> None:
    tab = opened.tab
    tab.click("#rows li:nth-child(1) button")
    expect(tab.locator("#detail .step").first).to_contain_text("</script><script>document.title='owned'")
    assert tab.title() == "A <b>run</b>"
    assert tab.locator("#detail img, #detail script, h1 b").count() == 0


def test_nothing_is_asked_of_the_network_and_the_console_is_silent(opened: Opened) -> None:
    opened.tab.click("#rows li:nth-child(2) button")
    opened.tab.wait_for_selector(".step")
    assert [url.split("/")[-1] for url in opened.asked] == ["report.html"]
    assert opened.said == []


def test_keys_move_between_steps_and_trajectories(opened: Opened) -> None:
    tab = opened.tab
    tab.click("#rows li:nth-child(1) button")
    tab.wait_for_selector(".step")
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    expect(tab.locator(".step.chosen")).to_contain_text("Step 2")
    tab.keyboard.press("k")
    expect(tab.locator(".step.chosen")).to_contain_text("Step 1")
    tab.keyboard.press("n")
    expect(tab.locator("#detail h3").first).to_have_text("geography-1")
    tab.keyboard.press("/")
    tab.keyboard.type("j")
    expect(tab.locator("#search")).to_have_value("j")


def test_an_address_leads_back_to_a_step(opened: Opened, tmp_path: Path) -> None:
    opened.tab.goto("about:blank")
    opened.tab.goto(f"{(tmp_path / 'report.html').as_uri()}#t=0&s=1")
    expect(opened.tab.locator(".step.chosen")).to_contain_text("Step 2")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_has_no_serious_fault_of_accessibility(opened: Opened, screenshots: Path, theme: str) -> None:
    opened.tab.click("#rows li:nth-child(1) button")
    opened.tab.wait_for_selector(".step")
    if opened.tab.get_attribute("html", "data-theme") != theme:
        opened.tab.click("#theme")
    opened.tab.screenshot(path=screenshots / f"{theme}.png", full_page=True)
    assert [(fault["id"], fault["impact"]) for fault in Axe().run(opened.tab).response["violations"]] == []


def test_on_a_phone_the_list_gives_way_to_the_trajectory(opened: Opened, screenshots: Path) -> None:
    opened.tab.set_viewport_size({"width": 390, "height": 800})
    opened.tab.click("#rows li:nth-child(1) button")
    expect(opened.tab.locator("#list")).to_be_hidden()
    opened.tab.screenshot(path=screenshots / "phone.png")
    assert opened.tab.evaluate("document.documentElement.scrollWidth") <= 390
    opened.tab.get_by_text("Back to the list").click()
    expect(opened.tab.locator("#list")).to_be_visible()


def test_five_thousand_trajectories_open_and_filter_at_once(
    browser: Browser, tmp_path: Path, tree: Trajectory, failure: Trajectory
) -> None:
    many = (one for place in range(2500) for one in (_renamed(tree, f"a-{place}"), _renamed(failure, f"b-{place}")))
    assert write_page(tmp_path / "large.html", PAGE, [many]) == 5000
    tab = browser.new_page()
    began = time.monotonic()
    show(tab, tmp_path / "large.html")
    assert time.monotonic() - began < 10  # half a second on a quiet machine
    tab.fill("#search", "b-2499")
    expect(tab.locator("#count")).to_have_text("1 of 5000 trajectories, 0 solved")
    tab.click("#rows li:nth-child(1) button")
    expect(tab.locator("#detail h3").first).to_have_text("b-2499")
    tab.close()


def test_runs_that_disagree_on_a_task_are_found(
    browser: Browser, tmp_path: Path, tree: Trajectory, failure: Trajectory
) -> None:
    again = dataclasses.replace(failure, task=tree.task)
    page = dataclasses.replace(PAGE, runs=("first", "second"))
    write_page(tmp_path / "two.html", page, [[tree, failure], [again, failure]])
    tab = browser.new_page()
    show(tab, tmp_path / "two.html")
    tab.select_option("select[name=flipped]", "disagree")
    expect(tab.locator("#count")).to_have_text("2 of 4 trajectories, 1 solved")
    tab.close()


@pytest.fixture
def compared(browser: Browser, tmp_path: Path, tree: Trajectory, failure: Trajectory) -> Iterator[Tab]:
    """Two runs on a task: solved in two steps, and answered wrongly in one."""
    table = Table("where they first differ", ("task",), ((Link("the task", "#pair=0"),),))
    pair = Pair(tree.task.id, (0, 0), (1, 0), 1)
    page = dataclasses.replace(PAGE, sections=(Section("Flipped", "", (table,)),), runs=("base", "dpo"), pairs=(pair,))
    write_page(tmp_path / "two.html", page, [[tree], [dataclasses.replace(failure, task=tree.task)]])
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    show(tab, tmp_path / "two.html")
    yield tab
    tab.close()


def test_a_flipped_task_opens_with_the_steps_of_both_runs_side_by_side(compared: Tab, screenshots: Path) -> None:
    compared.get_by_role("link", name="the task").click()
    rows = compared.locator("#detail .pair")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("From here on they differ")
    left, right = (rows.first.locator("> div").nth(place).bounding_box() for place in (0, 1))
    assert left and right and left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]
    expect(rows.nth(1).locator("> div").nth(1)).to_contain_text("was over")
    expect(rows.first).to_have_class("pair stop parted chosen")
    compared.screenshot(path=screenshots / "side_by_side.png")
    assert [fault["id"] for fault in Axe().run(compared).response["violations"]] == []


def test_an_episode_is_put_beside_another_of_its_task_or_alone(compared: Tab) -> None:
    compared.click("#rows li:nth-child(2) button")
    expect(compared.locator(".pair").first.locator("> div > .label").first).to_have_text("dpo · sample 0 · failed")
    compared.select_option("label.beside select", "")
    expect(compared.locator("#detail .pair")).to_have_count(0)
    compared.set_viewport_size({"width": 390, "height": 800})
    compared.select_option("label.beside select", "0")
    expect(compared.locator("#detail .pair")).to_have_count(2)
    assert compared.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_lone_figure_stays_small_and_figures_of_a_table_stand_at_the_right(browser: Browser, tmp_path: Path) -> None:
    table = Table("Success", ("run", "n"), (("first", "9"),), right=(1,))
    section = Section("Summary", "", (table,), PAGE.sections[0].figures, (Tile("success", "50.0 %", "9 tasks"),))
    write_page(tmp_path / "one.html", dataclasses.replace(PAGE, sections=(section,), runs=()), [])
    tab = browser.new_page(viewport={"width": 1600, "height": 900})
    show(tab, tmp_path / "one.html")
    box = tab.locator("figure").bounding_box()
    assert box and box["width"] < 800
    expect(tab.locator("tbody td")).to_have_css("text-align", "right")
    expect(tab.locator(".tile")).to_have_text("success50.0 % 9 tasks")
    tab.close()


def test_long_texts_say_how_much_is_left_out(tree: Trajectory) -> None:
    assert cut("abcdef", 4) == "abcd … (2 more characters)"
    long = CallTools((ToolCall("get", {"title": "x" * 30_000}),))
    step = dataclasses.replace(
        tree.history.steps[0], decision=dataclasses.replace(tree.history.steps[0].decision, action=long)
    )
    shown = detail(dataclasses.replace(tree, history=dataclasses.replace(tree.history, steps=(step,))))
    assert shown["steps"][0]["action"]["calls"][0]["arguments"].endswith("more characters)")


def _renamed(trajectory: Trajectory, name: str) -> Trajectory:
    return dataclasses.replace(trajectory, task=dataclasses.replace(trajectory.task, id=name))
