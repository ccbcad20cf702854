"""Every capability from file to episode in the real environment, to a submission, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

from aiohttp import web

from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.policies.gold_expert import GoldExpert
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.tasks.vakra.export import read_submission, write_submission
from agentbench.tools import Tool
from agentbench.tools.http.client import HttpClient
from agentbench.tools.http.http_tools import http_tools
from agentbench.tools.http.spec import HttpApi
from agentbench.tools.retriever.bm25 import Bm25Retriever
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.types import Action, StepCategory, Task, Trajectory
from agentbench.worlds.manifest import World

GRADE = StepGrader(dict.fromkeys(StepCategory, 0.0))


async def author(request: web.Request) -> web.Response:
    return web.json_response({"author": ["Ben Costa"] if request.query["title"] == "Salt Roads" else []})


async def books(request: web.Request) -> web.Response:
    found = ["Salt Roads"] if request.query["name"] == "Ben Costa" and int(request.query["least"]) < 450 else []
    return web.json_response({"title": found})


@asynccontextmanager
async def rest_server() -> AsyncIterator[str]:
    application = web.Application()
    application.add_routes([web.get("/v1/library/author", author), web.get("/v1/library/books", books)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def play(task: Task, tools: Sequence[Tool]) -> Trajectory:
    parts = EpisodeParts(ToolEnv(tools, enforce_rules=True), GoldExpert(task), GRADE, [AnswerScorer()])
    return await run_episode(task, parts, Limits(horizon=12, timeout_s=30.0), seed=0)


def handle_tools(task: Task, world: World, database: Database) -> tuple[Tool, ...]:
    own = [universe for universe in world.manifest.universes if universe.id == task.data["universe"]]
    make = selection_tools if task.data["granularity"] == "selection" else slot_filling_tools
    return make(database, own, 20)


async def play_all(world: World, tasks: Sequence[Task]) -> list[Trajectory]:
    manifest = world.manifest
    assert manifest.collection is not None and manifest.http is not None
    search = retrieve_documents_tool({"library": Bm25Retriever(world.index)}, (manifest.collection,), 3)
    with closing(Database(world.database, 5.0)) as database:
        async with rest_server() as base_url:
            client = HttpClient(base_url)
            rest = (*http_tools(HttpApi(base_url, manifest.http.endpoints), client, 20), search)
            made = [handle_tools(task, world, database) if task.data["universe"] else rest for task in tasks]
            played = [await play(task, tools) for task, tools in zip(tasks, made, strict=True)]
            await client.close()
    return played


def actions(trajectory: Trajectory) -> list[Action]:
    return [step.decision.action for step in trajectory.history.steps]


def test_the_gold_expert_solves_every_capability_and_the_submission_reads_back(library, tmp_path: Path) -> None:
    world = library.prepare()
    played = asyncio.run(play_all(world, list(library.tasks(world).values())))
    assert [(trajectory.task.id, trajectory.error) for trajectory in played if not trajectory.success] == []
    files = write_submission(tmp_path / "out", played)
    expected = [f"capability_{number}/library.json" for number in (1, 2, 3, 4)]
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files] == expected
    again = read_submission(tmp_path / "out", [trajectory.task for trajectory in played], GRADE)
    assert [(item.end, actions(item)) for item in again] == [(item.end, actions(item)) for item in played]
    assert {item.history.steps[-1].category for item in again} == {StepCategory.CORRECT_FINAL}
