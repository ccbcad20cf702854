"""Which tasks a run plays, and what its environments offer."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from agentbench.build.fields import Field
from agentbench.build.fields.opening import open_field
from agentbench.build.runs import step_grader
from agentbench.build.worlds import select_tasks, worlds
from agentbench.config.env import Availability, M3Env, Scenario
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.tasks import TasksConfig
from agentbench.errors import PreflightError
from agentbench.tasks.files import write_tasks
from agentbench.tools.retriever import Collection, Document
from agentbench.tools.retriever.bm25 import build_index
from agentbench.types import CallTools, Final, History, Observation, StepCategory, Task, ToolCall
from agentbench.worlds.manifest import Manifest, World

NAMES = {"a": 2, "b": 10, "c": 10}
"""Worlds and their numbers of tasks."""


@pytest.fixture
def found(tmp_path: Path, film_task: Task) -> tuple[World, ...]:
    return tuple(_world(tmp_path / name, name, count, film_task) for name, count in NAMES.items())


def _world(folder: Path, name: str, count: int, task: Task) -> World:
    world = World(folder, Manifest(name, name, name, "", "", (), (), Collection(name, f"About {name}."), name))
    tasks = [dataclasses.replace(task, id=f"{name}-{number}", domain=name) for number in range(count)]
    write_tasks(world.tasks("rest", "test"), tasks)
    build_index(world.index, [Document(f"{name}{number}", "", "rusty iron") for number in range(4)])
    with closing(sqlite3.connect(world.database)) as connection:
        connection.execute("CREATE TABLE t (x TEXT)")
    return world


def chosen(found: tuple[World, ...], seed: int = 0, env: M3Env | None = None) -> list[str]:
    tasks = select_tasks(env or M3Env(), TasksConfig(limit=9), found, seed)
    return [task.id for task in tasks]


def test_a_limit_is_shared_evenly_and_larger_worlds_make_up_for_small_ones(found: tuple[World, ...]) -> None:
    # 9 over three worlds is 3 each; a has only 2, so 7 are left for b and c
    ids = chosen(found)
    assert Counter(task_id[0] for task_id in ids) == {"a": 2, "b": 3, "c": 4}
    assert ids == sorted(ids)


def test_two_worlds_of_one_name_are_refused(found: tuple[World, ...]) -> None:
    for world in found[:2]:
        manifest = dataclasses.replace(world.manifest, name="shop")
        (world.folder / "world.json").write_bytes(orjson.dumps(manifest))
    names = tuple(str(world.folder) for world in found[:2])
    with pytest.raises(PreflightError, match="2 worlds named 'shop'"):
        worlds(M3Env(worlds=names), found[0].folder, print)


def test_the_seed_decides_which_tasks_are_drawn(found: tuple[World, ...]) -> None:
    assert chosen(found, seed=1) == chosen(found, seed=1) != chosen(found, seed=2)


def test_only_tasks_of_the_wanted_scenario_and_availability_are_kept(found: tuple[World, ...]) -> None:
    # all tasks are api_before_rag with both kinds of tool
    assert len(chosen(found, env=M3Env(scenario=Scenario.API_BEFORE_RAG))) == 9
    for env in (M3Env(scenario=Scenario.RAG), M3Env(tool_availability=Availability.ONLY_API)):
        with pytest.raises(PreflightError, match=r"no task matches scenario=.* in \['a', 'b', 'c'\]"):
            chosen(found, env=env)


def opened(found: tuple[World, ...], env: M3Env, top_k: int = 3) -> Field:
    for world in found:
        (world.folder / "world.json").write_bytes(orjson.dumps(world.manifest))
    env = dataclasses.replace(env, worlds=tuple(str(world.folder) for world in found))
    cache = found[0].folder.parent
    return open_field(env, Bm25Retriever(top_k=top_k), TasksConfig(), cache_dir=cache, seed=0, report=print)


def searched(found: tuple[World, ...], env: M3Env, task: Task, top_k: int) -> tuple[list[str], int]:
    """The collections an episode can search, and the number of documents one search brings."""
    made = opened(found, env, top_k).environment(task)
    asyncio.run(made.reset(task))
    (spec,) = made.tools
    call = ToolCall("retrieve_documents", {"collection": task.domain, "query": "iron"})
    answer = asyncio.run(made.step(CallTools((call,)))).observation.text
    return spec.parameters["properties"]["collection"]["enum"], len(json.loads(answer)["results"])


def test_distractors_and_top_k_are_as_many_as_configured(found: tuple[World, ...], film_task: Task) -> None:
    task = dataclasses.replace(film_task, domain="b")
    assert searched(found, M3Env(distractors=0), task, top_k=1) == (["b"], 1)
    assert searched(found, M3Env(distractors=1), task, top_k=3) == (["a", "b"], 3)
    assert searched(found, M3Env(distractors=9), task, top_k=9) == (["a", "b", "c"], 4)


def test_a_task_of_a_domain_the_run_does_not_have_is_refused(found: tuple[World, ...], film_task: Task) -> None:
    with pytest.raises(PreflightError, match=r"task 'films-1' is about 'films'; the run has \['a', 'b', 'c'\]"):
        opened(found, M3Env()).environment(film_task)


def test_steps_are_worth_what_is_configured(film_task: Task) -> None:
    grade = step_grader(RewardsConfig(wrong_final=-7.5))
    graded = grade(film_task, History((), Observation("?")), Final("Paris"), Observation(""))
    assert graded == (StepCategory.WRONG_FINAL, -7.5)
