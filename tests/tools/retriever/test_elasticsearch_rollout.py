"""A server that dies in the middle of a rollout: recorded where it hurt, harmless elsewhere, made good by a restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentbench.build.search import CollectionFiles, Search, retrievers
from agentbench.config.retriever import ElasticsearchRetriever
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.pool import run_async
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import PoolSettings, run_tasks
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import Summary
from agentbench.policies.gold_expert import GoldExpert
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.tools import Tool
from agentbench.tools.retriever import Collection, Document
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.types import Observation, StepCategory, Task, Trajectory

PEOPLE = Collection("people", "Lives of people.")
SETTINGS = PoolSettings(concurrency=1, horizon=10, seed=0, episode_timeout_s=20.0, max_failures=1.0, quiet=True)
DIES_AT = 3


class Wrapped:
    """A tool that does something else first."""

    def __init__(self, tool: Tool, first: Callable[[], None]) -> None:
        self.spec = tool.spec
        self._tool = tool
        self._first = first

    async def call(self, arguments: dict[str, Any]) -> Observation:
        self._first()
        return await self._tool.call(arguments)


class Play:
    """Runs on one folder over one server; `killing` kills it in the first step of an episode."""

    def __init__(self, server: Any, api: Tool, documents: Path, folder: Path) -> None:
        self.server = server
        self.killing = ""
        self.folder = folder
        self._api = api
        self._places = {"people": CollectionFiles(PEOPLE, documents, folder / "no-index")}

    def run(self, tasks: list[Task], concurrency: int) -> Summary:
        config = ElasticsearchRetriever(url=self.server.url, max_retries=1, timeout_s=5)
        search = retrievers(config, self._places, self.folder, lambda line: None)
        return run_async(self._play(tasks, search, SETTINGS._replace(concurrency=concurrency)))

    async def _play(self, tasks: list[Task], search: Search, settings: PoolSettings) -> Summary:
        def make(task: Task, seed: int) -> EpisodeParts:
            tool = retrieve_documents_tool(search.by_name, [PEOPLE], 3)
            first = self.server.kill if task.id == self.killing else lambda: None
            env = ToolEnv((Wrapped(self._api, first), tool), enforce_rules=False)
            grade = StepGrader({category: 0.0 for category in StepCategory})
            return EpisodeParts(env, GoldExpert(task), grade, (AnswerScorer(),))

        try:
            await search.preflight()
            return await run_tasks(tasks, make, settings, self.folder / "run")
        finally:
            await search.close()

    def on_disk(self) -> dict[str, Trajectory]:
        return {one.task.id: one for one in read_trajectories(self.folder / "run" / TRAJECTORIES)}


@pytest.fixture
def play(own_server: Any, film_tools: Any, write: Any, tmp_path: Path) -> Play:
    lee = Document("people-1", "Jack Lee", "Jack Lee was born in Stroud.")
    documents = write([lee, Document("people-2", "Ann Poe", "Ann Poe was born in Lyon.")])
    return Play(own_server, film_tools[0], documents, tmp_path)


@pytest.fixture
def tasks(film_task: Task, unanswerable: Task) -> list[Task]:
    """Tasks that need the server, and at the end two that do not."""
    with_search = [dataclasses.replace(film_task, id=f"search-{number}") for number in range(6)]
    without = [dataclasses.replace(unanswerable, id=f"api-{number}") for number in range(2)]
    return [*with_search, *without]


def test_a_server_that_dies_in_a_rollout_costs_its_episodes_and_no_others(play: Play, tasks: list[Task]) -> None:
    play.killing = f"search-{DIES_AT}"
    summary = play.run(tasks, concurrency=1)
    found = play.on_disk()
    assert {name for name, one in found.items() if one.error} == {"search-3", "search-4", "search-5"}
    assert (summary.n, summary.success.count) == (8, 5)
    fault = found[f"search-{DIES_AT}"]
    assert fault.error.startswith(f"RetrieverError: cannot reach {play.server.url}: ")
    assert len(fault.history.steps) == 1 and not fault.scores  # the first step is kept, and nothing is judged


def test_a_restart_plays_what_the_dead_server_cost_and_nothing_else(play: Play, tasks: list[Task]) -> None:
    play.killing = f"search-{DIES_AT}"
    lost = play.run(tasks, concurrency=4).errors["RetrieverError"]
    play.killing = ""
    play.server.start()
    summary = play.run(tasks, concurrency=4)
    assert (summary.n, summary.success.count, summary.errors) == (8, 8, {})
    written = (play.folder / "run" / TRAJECTORIES).read_bytes().count(b"\n")
    assert written == 8 + lost
