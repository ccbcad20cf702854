"""Trajectories made by hand, and a real browser to look at the page they are written to."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from agentbench.types import (
    Action,
    Actor,
    Alternative,
    Branch,
    CallTools,
    Decision,
    EndReason,
    Final,
    History,
    Observation,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
)

PLANTED = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
"""What a hostile tool answers."""

LOOK = CallTools((ToolCall("get_film_director", {"title": "Robbery"}),), "The film first.")


def step(action: Action, observation: str, category: StepCategory, actor: Actor = Actor.AGENT) -> Step:
    other = (Alternative(Actor.AGENT, Final("Paris")),) if actor is Actor.EXPERT else ()
    reason = "the agent is about to answer wrongly" if other else ""
    return Step(Decision(action, actor, other, (), reason), Observation(observation), category, 0.5)


@pytest.fixture
def tree(film_task: Task) -> Trajectory:
    """Two steps, the second the expert's, with the agent's own way on as a branch; the tool's answer is hostile."""
    wrong = step(Final("Paris"), "", StepCategory.WRONG_FINAL)
    branch = Branch(wrong.decision, (wrong,), EndReason.FINAL, (Score("answer", 0.0, "Stroud was asked for"),))
    first = step(LOOK, PLANTED, StepCategory.GOLD_CALL)
    last = dataclasses.replace(step(Final("Stroud"), "", StepCategory.CORRECT_FINAL, Actor.EXPERT), branches=(branch,))
    history = History((), Observation(film_task.turns[0].query), (first, last))
    return Trajectory(film_task, history, EndReason.FINAL, (Score("answer", 1.0, "equal"),), seconds=1.5)


@pytest.fixture
def failure(film_task: Task) -> Trajectory:
    """One step of the agent alone, in another domain, answered wrongly."""
    task = dataclasses.replace(film_task, id="geography-1", domain="geography")
    only = step(Final("Paris"), "", StepCategory.WRONG_FINAL)
    history = History((), Observation("Where?"), (only,))
    return Trajectory(task, history, EndReason.FINAL, (Score("answer", 0.0, "not equal"),))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium: the one that is installed, or the one of the environment variable CHROMIUM.

    For one module: while it is there, its event loop runs in this thread and nobody can start another.
    """
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium: install one, or name it in the environment variable CHROMIUM")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: the folder of the environment variable SCREENSHOTS, kept, or a temporary one."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
