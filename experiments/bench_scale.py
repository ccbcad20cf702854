"""What do 300 tools and 10 collections cost, and what does a shortlist of tools save and lose?

    python experiments/bench_scale.py          (or: make bench-scale)

The films world with 300 API tools, its own and distractors over its own columns, and nine more small collections
beside its own. Measured: CPU of a fresh process up to its first observation; CPU of a step (prompt of a chat model and
its request body, the environment's step, the grade) with all tools and with a shortlist; how often a shortlist keeps
every tool that a task's gold calls, over test tasks whose gold calls the API; characters of tool declarations saved.

A collection of 100,000 documents is measured by bench_retrieval.py.
"""

from __future__ import annotations

import asyncio
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
from measuring import heading, spread

from agentbench.config.env import Granularity
from agentbench.config.source import TaskCounts
from agentbench.config.tasks import Split
from agentbench.envs.tool_env import ToolEnv
from agentbench.policies.gold_expert import GoldExpert
from agentbench.scoring.steps import StepGrader
from agentbench.tasks.files import read_tasks
from agentbench.templates.calls import declaration
from agentbench.templates.teacher import Teacher
from agentbench.tools import Tool
from agentbench.tools.retriever import Collection, Document
from agentbench.tools.retriever.bm25 import Bm25Retriever, build_index
from agentbench.tools.retriever.encoders import PackagedEncoder
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.shortlist import Ranking, bm25_ranking, dense_ranking, keeps_gold, shortlist, task_query
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.types import Decision, History, Step, StepCategory, Task, ToolKind, ToolSpec
from agentbench.worlds.distractors import distractors, mixed
from agentbench.worlds.embedded import prepare_embedded
from agentbench.worlds.manifest import World, read_world

TOOLS = 300
OTHER_COLLECTIONS = 9
DOCUMENTS = 300
"""Per collection beside the world's own."""
SIZES = (10, 20, 40)
STARTS = 5
EPISODES = 60
WORDS = tuple(
    f"{first}{second}" for first in ("sto", "ri", "val", "mo", "ken") for second in ("ne", "ver", "ley", "on")
)


class Chosen(NamedTuple):
    """Which of the tools an episode has, and what choosing cost."""

    tools: tuple[Tool, ...]
    milliseconds: float


Choose = Callable[[Task], Chosen]


def main() -> None:
    """Builds the world in a temporary folder, measures, prints."""
    if sys.argv[1:2] == ["start"]:
        asyncio.run(_first_observation(Path(sys.argv[2])))
        return
    print(heading("python experiments/bench_scale.py"))
    with tempfile.TemporaryDirectory() as scratch:
        world = prepare_embedded("films", 0, TaskCounts(train=0, validation=0, test=300), Path(scratch), _silent)
        for number in range(OTHER_COLLECTIONS):
            build_index(world.folder / f"other_{number}", _documents(number))
        _start(world)
        asyncio.run(_compare(world))
    print("\na collection of 100,000 documents: python experiments/bench_retrieval.py")


def _start(world: World) -> None:
    seconds = []
    for _ in range(STARTS):
        before = _children_cpu_s()
        subprocess.run([sys.executable, __file__, "start", str(world.folder)], check=True, capture_output=True)
        seconds.append(_children_cpu_s() - before)
    print(
        f"{TOOLS} tools and {OTHER_COLLECTIONS + 1} collections: a process up to its first observation takes", end=" "
    )
    print(f"{spread(seconds, 2)} CPU s ({STARTS} starts)\n")


async def _first_observation(folder: Path) -> None:
    world = read_world(folder)
    task = _tasks(world)[0]
    env = ToolEnv(_tools(world), True)
    opening = await env.reset(task)
    decision = await GoldExpert(task).act(History(env.tools, opening))
    print((await env.step(decision.action)).observation.text)


async def _compare(world: World) -> None:
    tools, tasks = _tools(world), _tasks(world)
    specs = [tool.spec for tool in tools]
    declared = len(_declared(specs))
    print(f"{len(tasks)} tasks; {declared:,} characters declare all tools")
    print(f"{'shown':<14}{'gold kept':<14}{'characters saved':<18}{'choosing, ms per episode':<28}CPU ms per step")
    await _row("all", lambda task: Chosen(tools, 0.0), tasks, declared)
    rankings = {"bm25": bm25_ranking(specs), "dense": dense_ranking(specs, PackagedEncoder())}
    for name, ranking in rankings.items():
        for size in SIZES:
            await _row(f"{name}, {size}", _chooser(tools, ranking, size), tasks, declared)


async def _row(name: str, choose: Choose, tasks: Sequence[Task], declared: int) -> None:
    chosen = [choose(task) for task in tasks]
    kept = [keeps_gold(task, _specs(found)) for task, found in zip(tasks, chosen, strict=True)]
    saved = [1 - len(_declared(_specs(found))) / declared for found in chosen]
    steps = [ms for i in range(EPISODES) if kept[i] for ms in await _steps(tasks[i], chosen[i].tools)]
    choosing = spread([found.milliseconds for found in chosen])
    share = f"{sum(kept) / len(kept):.3f}"
    print(f"{name:<14}{share:<14}{sum(saved) / len(saved):<18.0%}{choosing:<28}{spread(steps)}")


def _chooser(tools: tuple[Tool, ...], ranking: Ranking, size: int) -> Choose:
    specs = [tool.spec for tool in tools]

    def choose(task: Task) -> Chosen:
        start = time.process_time()
        names = {spec.name for spec in shortlist(specs, task_query(task), size, ranking)}
        kept = tuple(tool for tool in tools if tool.spec.name in names)
        return Chosen(kept, (time.process_time() - start) * 1000)

    return choose


async def _steps(task: Task, tools: tuple[Tool, ...]) -> list[float]:
    """CPU milliseconds of each step of the gold chain."""
    env, expert, template = ToolEnv(tools, True), GoldExpert(task), Teacher()
    grade = StepGrader(dict.fromkeys(StepCategory, 0.0))
    opening, found, ended = await env.reset(task), [], False
    history = History(env.tools, opening)
    while not ended:
        action = (await expert.act(history)).action
        start = time.process_time()
        prompt = template.render(history)
        orjson.dumps({"messages": prompt.messages, "tools": prompt.tools})
        answer = await env.step(action)
        graded = grade(task, history, action, answer.observation)
        found.append((time.process_time() - start) * 1000)
        step = Step(Decision(action), answer.observation, graded.category)
        history, ended = History(history.tools, history.opening, (*history.steps, step)), answer.terminated
    return found


def _tools(world: World) -> tuple[Tool, ...]:
    manifest, database = world.manifest, Database(world.database, 2.0)
    own = [endpoint.name for endpoint in manifest.endpoints]
    more = distractors(manifest, (), TOOLS - len(own), taken=(*own, "retrieve_documents"), seed=0)
    endpoints = (*manifest.endpoints, *(item.endpoint for item in more))
    if len(endpoints) != TOOLS or manifest.collection is None:
        raise RuntimeError(f"{len(endpoints)} endpoints")
    retrievers = {manifest.collection.name: Bm25Retriever(world.index)}
    collections = [manifest.collection]
    for number in range(OTHER_COLLECTIONS):
        collections.append(Collection(f"other_{number}", f"Notes of kind {number}."))
        retrievers[f"other_{number}"] = Bm25Retriever(world.folder / f"other_{number}")
    search = retrieve_documents_tool(retrievers, collections, 3)
    return mixed((*rest_tools(database, endpoints, 20), search), 0)


def _tasks(world: World) -> list[Task]:
    """Test tasks whose gold calls the API."""
    tasks = read_tasks(world.tasks(Granularity.REST.value, Split.TEST.value))
    names = {endpoint.name for endpoint in world.manifest.endpoints}
    return [
        task
        for task in tasks
        if any(call.name in names for turn in task.turns for action in turn.gold.actions for call in action.calls)
    ]


def _specs(chosen: Chosen) -> list[ToolSpec]:
    return [tool.spec for tool in chosen.tools]


def _declared(specs: Sequence[ToolSpec]) -> bytes:
    return orjson.dumps([declaration(spec) for spec in specs if spec.kind is ToolKind.API])


def _documents(number: int) -> list[Document]:
    rng = random.Random(number)
    return [Document(f"note-{i}", f"Note {i}", " ".join(rng.choices(WORDS, k=60))) for i in range(DOCUMENTS)]


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _silent(_line: str) -> None:
    pass


if __name__ == "__main__":
    main()
