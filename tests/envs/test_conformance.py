"""What holds for every environment, whatever tools it is made of and under whatever names it presents them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import jsonschema
import pytest
from gymnasium.utils.env_checker import check_env

from agentbench.envs import Environment, EnvStep
from agentbench.envs.guarded import GuardedEnv
from agentbench.envs.gym_adapter import ToolGymEnv
from agentbench.envs.injected import InjectedEnv
from agentbench.envs.single_call import SingleCall
from agentbench.envs.tool_env import ToolEnv
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.probes import random_call
from agentbench.scoring.steps import StepGrader
from agentbench.tasks.own_tools import TOOLS, tools_data
from agentbench.tools import Tool
from agentbench.tools.interface import presented, presented_task, view_of
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Column, Endpoint, Universe
from agentbench.types import (
    Action,
    Answer,
    AnswerType,
    CallTools,
    Decision,
    Final,
    Gold,
    History,
    Malformed,
    Outcome,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolKind,
    Turn,
)
from tests.attacks import ANSWER, attacked

UNIVERSE = Universe("films", "Films.", '"films"', (Column("title", "TEXT", "the title", '"films"."title"'),))
ENDPOINT = Endpoint("list_titles", "All titles.", 'SELECT "title" FROM "films"', {}, "title")
KINDS = ("two_tools", "rest", "slot_filling", "selection", "renamed", "bare", "single_call", "attacked")
ILLEGAL: tuple[Action, ...] = (
    Malformed("<call", "no closing tag"),
    CallTools(()),
    CallTools((ToolCall("", {}),)),
    CallTools((ToolCall("no such tool", {"x": [None] * 10_000}),)),
    CallTools((ToolCall("retrieve_documents", {"query": {"deep": [[[]]]}}), ToolCall("func_1", {}))),
    CallTools((ToolCall("func_1", {"\ud800": "\ud800"}),)),
)


@dataclasses.dataclass(frozen=True)
class Place:
    """Makes environments of one kind, with a task for it."""

    env: Callable[[], Environment]
    task: Task
    gold: tuple[Action, ...] = ()
    """What the gold expert does, where it is not two calls and an answer."""

    @property
    def ends_at_once(self) -> bool:
        """Whether the first action ends the episode, whatever it is."""
        return len(self.gold) == 1


def place_of(make: Callable[[], tuple[Tool, ...]], task: Task) -> Place:
    """Tools and the two-hop task for them."""
    return Place(lambda: ToolEnv(make(), True), task)


def single_call(film_tools: tuple[Tool, ...]) -> Place:
    """A question that parallel calls answer, with tools of its own."""
    calls = CallTools(tuple(ToolCall("get_film_director", {"title": title}) for title in ("Robbery", "Heat")))
    turn = Turn("Who made Robbery, and who Heat?", Gold(Answer(AnswerType.TEXT), (calls,)))
    task = Task("t", "made", "films", (turn,), data={TOOLS: tools_data([tool.spec for tool in film_tools])})
    return Place(SingleCall, task, (calls,))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("films") / "films.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE films (title TEXT)")
        connection.execute("INSERT INTO films VALUES ('Robbery')")
        connection.commit()
    database = Database(path, 5.0)
    yield database
    database.close()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, database: Database, film_tools, film_task: Task) -> Place:
    makers: dict[str, Callable[[], tuple[Tool, ...]]] = {
        "rest": lambda: (*film_tools, *rest_tools(database, [ENDPOINT], 3)),
        "slot_filling": lambda: (*film_tools, *slot_filling_tools(database, [UNIVERSE], 3)),
        "selection": lambda: (*film_tools, *selection_tools(database, [UNIVERSE], 3)),
    }
    if request.param in makers:
        return place_of(makers[request.param], film_task)
    if request.param == "two_tools":
        return place_of(lambda: film_tools, film_task)
    if request.param == "single_call":
        return single_call(film_tools)
    if request.param == "attacked":
        return Place(lambda: InjectedEnv(GuardedEnv(ToolEnv(film_tools, True), 5)), attacked(film_task, ANSWER))
    make = makers["selection"]
    specs = [tool.spec for tool in make()]
    view = view_of(specs, obfuscate_names=True, descriptions=request.param == "renamed", seed=0)
    return place_of(lambda: presented(make(), view), presented_task(film_task, view))


def play(env: Environment, task: Task, *actions: Action) -> list[EnvStep]:
    async def run() -> list[EnvStep]:
        await env.reset(task)
        steps = [await env.step(action) for action in actions]
        await env.close()
        return steps

    return asyncio.run(run())


def test_tools_are_known_after_reset_and_stay(place: Place) -> None:
    env = place.env()
    play(env, place.task, Malformed("x", "y"))
    names = [spec.name for spec in env.tools]
    assert names and len(set(names)) == len(names)
    for spec in env.tools:
        jsonschema.Draft202012Validator.check_schema(spec.parameters)
        json.dumps(dataclasses.asdict(spec))


def test_a_tasks_availability_decides_which_kinds_there_are(place: Place) -> None:
    env = place.env()
    play(env, dataclasses.replace(place.task, tools_allowed=(ToolKind.RETRIEVER,)))
    assert {spec.kind for spec in env.tools} == {ToolKind.RETRIEVER}


def test_an_illegal_action_is_an_observation_with_its_outcome(place: Place) -> None:
    for step in play(place.env(), place.task, *ILLEGAL):
        assert step.observation.outcome.failed and step.terminated == place.ends_at_once
        assert json.loads(step.observation.text).keys() == {"error"}


def test_random_legal_calls_never_raise(place: Place) -> None:
    async def wander() -> None:
        env, rng = place.env(), random.Random(1)
        opening = await env.reset(place.task)
        for _ in range(60):
            call = random_call(rng, rng.choice(env.tools), History(env.tools, opening))
            step = await env.step(CallTools((call,)))
            assert step.observation.outcome in (Outcome.OK, Outcome.REPEATED, Outcome.TOOL_ERROR)
            assert step.terminated == place.ends_at_once
            assert step.terminated or isinstance(json.loads(step.observation.text), dict)
        await env.close()

    asyncio.run(wander())


def test_the_gold_chain_leads_to_the_end(place: Place) -> None:
    async def follow() -> list[Step]:
        env, expert = place.env(), GoldExpert(place.task)
        history = History((), await env.reset(place.task))
        history = dataclasses.replace(history, tools=env.tools)
        ended = False
        while not ended:
            action = (await expert.act(history)).action
            answer = await env.step(action)
            step = Step(Decision(action), answer.observation, StepCategory.OTHER_CALL)
            history, ended = dataclasses.replace(history, steps=(*history.steps, step)), answer.terminated
        return list(history.steps)

    *calls, last = asyncio.run(follow())
    assert [step.observation.outcome for step in calls] == ([] if place.gold else [Outcome.OK, Outcome.OK])
    assert last.decision.action == (place.gold[0] if place.gold else Final("Stroud"))


def test_closing_twice_does_no_harm(place: Place) -> None:
    async def close() -> None:
        env = place.env()
        await env.reset(place.task)
        await env.close()
        await env.close()

    asyncio.run(close())


def test_evidence_can_be_written_as_json(place: Place) -> None:
    env = place.env()
    play(env, place.task, Final("x"))
    json.dumps(env.evidence())


def test_an_environment_holds_nothing_of_another_episode(place: Place) -> None:
    first, second = place.env(), place.env()
    seen = [play(env, place.task, *ILLEGAL) for env in (first, second)]
    assert seen[0] == seen[1]


def test_gymnasiums_own_check_passes(place: Place) -> None:
    rewards = {category: float(number) for number, category in enumerate(StepCategory)}
    env = ToolGymEnv([place.task], lambda task: place.env(), StepGrader(rewards), horizon=3)
    check_env(env, skip_render_check=True)
    env.close()
