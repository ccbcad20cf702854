"""Requests that a model writes: how many, how different, in which split, and as which tasks."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path

import pytest

from agentbench.errors import LlmError
from agentbench.llm import Request, Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.llm.structured import StructuredLlm
from agentbench.scoring.answers import is_secret
from agentbench.tasks.files import read_tasks
from agentbench.tools.assistant.specs import CALCULATOR
from agentbench.worlds.assistant_requests import Made, Wish, prepare_requests, write_requests


def made(llm: ScriptedLlm, multi_step: float = 0.5, **counts: int) -> Made:
    wish = Wish(counts, multi_step, seed=0)
    ask = StructuredLlm(llm, Sampling(), True)
    return asyncio.run(prepare_requests(wish, (CALCULATOR,), ask, "Write.", lambda line: None))


def numbered() -> ScriptedLlm:
    """A model that never writes the same twice."""
    numbers = itertools.count()
    return ScriptedLlm(lambda _request: json.dumps({"requests": [f"Add {next(numbers)} and 1." for _ in range(5)]}))


def test_as_many_requests_as_wanted_are_dealt_to_the_splits_without_overlap() -> None:
    found = made(numbered(), train=7, test=4).tasks
    texts = [task.turns[0].query for tasks in found.values() for task in tasks]
    assert {split: len(tasks) for split, tasks in found.items()} == {"train": 7, "test": 4}
    assert len(set(texts)) == 11 and {task.data["split"] for task in found["test"]} == {"test"}


def test_a_request_is_a_task_whose_answer_nobody_knows_and_survives_its_file(tmp_path: Path) -> None:
    found = made(numbered(), train=3)
    (path,) = write_requests(tmp_path, found).values()
    tasks = read_tasks(path)
    assert tasks == found.tasks["train"] and all(is_secret(task.turns[0].gold.answer) for task in tasks)


@pytest.mark.parametrize(("share", "scenarios"), [(0.0, {"single_step"}), (1.0, {"multi_step"})])
def test_the_share_of_requests_with_several_steps_is_configuration(share: float, scenarios: set[str]) -> None:
    llm = numbered()
    assert {task.data["scenario"] for task in made(llm, share, train=20).tasks["train"]} == scenarios
    wishes = [request.prompt.messages[1]["content"].rsplit("\n\n", 1)[1] for request in llm.requests]
    assert all(("in 1 tool call." in wish) == (share == 0) for wish in wishes)


def test_repeats_count_once_and_asking_comes_to_an_end() -> None:
    llm = ScriptedLlm(lambda _request: '{"requests": ["Add 1 and 1!", "add  1, and 1"]}')
    assert len(made(llm, train=5).tasks["train"]) == 1 and len(llm.requests) == 4  # 4 · ⌈5 / 5⌉


def test_the_model_is_shown_what_it_wrote_about_a_topic_before() -> None:
    llm = numbered()
    made(llm, train=300)
    about: dict[str, str] = {}
    for request in llm.requests:
        told = request.prompt.messages[1]["content"]
        topic = told.rsplit("about ", 1)[1].split(", each")[0]
        existing = told.split("<existing>")[1].split("</existing>")[0]
        assert ("Add" in existing) == (topic in about)
        about[topic] = told


def test_a_server_that_is_away_ends_the_writing() -> None:
    def fail(_request: Request) -> str:
        raise LlmError("the server is gone")

    with pytest.raises(LlmError, match="the server is gone"):
        made(ScriptedLlm(fail), train=5)
