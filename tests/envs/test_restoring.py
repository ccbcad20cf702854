"""What holds for every environment that is brought back to an earlier state, by a copy or by playing it again."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.config.env import ToolContract
from agentbench.envs import Environment, EnvStep, Restoring
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.branching import replayed
from agentbench.errors import ReplayError
from agentbench.policies.probes import random_call
from agentbench.tools import Tool
from agentbench.tools.interface import presented, view_of
from agentbench.tools.retriever import Collection, Document
from agentbench.tools.retriever.bm25 import Bm25Retriever, build_index
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
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
    Observation,
    Rule,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolKind,
    Turn,
)

FILMS = [("Robbery", 1967, "Jack Lee"), ("Heat", 1995, "Ann Mann"), ("Ran", 1985, "Jack Lee"), ("M", 1931, None)]
UNIVERSE = Universe(
    "films",
    "Films.",
    '"films"',
    tuple(
        Column(name, kind, name, f'"films"."{name}"')
        for name, kind in (("title", "TEXT"), ("year", "INTEGER"), ("director", "TEXT"))
    ),
)
BY_TITLE = 'SELECT "director" FROM "films" WHERE "title" = :title'
ENDPOINTS = (
    Endpoint("list_titles", "All titles.", 'SELECT "title" FROM "films"', {}, "title"),
    Endpoint("get_director", "Of a film.", BY_TITLE, {"title": {"type": "string"}}, "director"),
)
KINDS = ("rest", "slot_filling", "selection", "vakra", "renamed")
QUERIES = ("Who directed Heat and Robbery?", "When was Ran made, by year?", "Is Jack Lee the director of M?")
TASK = Task(
    "films-1",
    "m3",
    "films",
    tuple(Turn(query, Gold(Answer(AnswerType.TEXT, "x"))) for query in QUERIES),
    (Rule("Do not search.", (ToolKind.RETRIEVER,)),),
)
ILLEGAL: tuple[Action, ...] = (
    Malformed("<call", "no closing tag"),
    CallTools(()),
    CallTools((ToolCall("no such tool", {}),)),
    CallTools((ToolCall("list_titles", {"limit": 1}),) * 2),
    CallTools((ToolCall("get_data", {"tool_universe_id": 3}),)),
)


class Move(NamedTuple):
    """What is done next, once it is known what there is to do it with."""

    kind: str
    chance: int


MOVES = st.lists(
    st.builds(Move, st.sampled_from(("call", "call", "call", "search", "repeat", "illegal", "final")), st.integers()),
    max_size=8,
)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Callable[[], tuple[Tool, ...]]]]:
    """By kind: what makes the tools of one episode."""
    folder = tmp_path_factory.mktemp("films")
    with closing(sqlite3.connect(folder / "films.sqlite")) as connection:
        connection.execute("CREATE TABLE films (title TEXT, year INTEGER, director TEXT)")
        connection.executemany("INSERT INTO films VALUES (?, ?, ?)", FILMS)
        connection.commit()
    (folder / "index").mkdir()
    build_index(folder / "index", [Document("lee", "Jack Lee", "Born in Stroud."), Document("m", "M", "A film.")])
    index = {"people": Bm25Retriever(folder / "index")}
    search = retrieve_documents_tool(index, [Collection("people", "People.")], 2)
    database = Database(folder / "films.sqlite", 5.0)
    made: dict[str, Callable[[], tuple[Tool, ...]]] = {
        "rest": lambda: (*rest_tools(database, ENDPOINTS, 3), search),
        "slot_filling": lambda: (*slot_filling_tools(database, [UNIVERSE], 2), search),
        "selection": lambda: (*selection_tools(database, [UNIVERSE], 2), search),
        "vakra": lambda: (*slot_filling_tools(database, [UNIVERSE], 2, ToolContract.VAKRA), search),
    }
    view = view_of([tool.spec for tool in made["selection"]()], obfuscate_names=True, descriptions=True, seed=0)
    made["renamed"] = lambda: presented(made["selection"](), view)
    yield made
    database.close()


Make = Callable[[], Environment]


@pytest.fixture(scope="module", params=KINDS)
def make(request: pytest.FixtureRequest, tools: dict[str, Callable[[], tuple[Tool, ...]]]) -> Make:
    """Makes environments of one kind; rules are enforced in half of them."""
    return lambda: ToolEnv(tools[request.param](), request.param != "rest", restoring=Restoring.FORK)


def action(move: Move, history: History) -> Action:
    rng = random.Random(move.chance)
    made = [step.decision.action for step in history.steps]
    match move.kind:
        case "repeat" if made:
            return rng.choice(made)
        case "illegal":
            return rng.choice(ILLEGAL)
        case "final":
            return Final(str(move.chance))
        case "search":
            return CallTools((random_call(rng, history.tools[-1], history),))
        case _:
            return CallTools((random_call(rng, rng.choice(history.tools), history),))


async def begun(env: Environment) -> History:
    opening = await env.reset(TASK)
    return History(env.tools, opening)


async def played(env: Environment, history: History, moves: list[Move]) -> tuple[History, list[EnvStep]]:
    """What these moves came to; nothing is done once the last turn is answered."""
    answers: list[EnvStep] = []
    for move in moves:
        if history.turn == len(QUERIES):
            break
        chosen = action(move, history)
        answers.append(await env.step(chosen))
        step = Step(Decision(chosen), answers[-1].observation, StepCategory.OTHER_CALL)
        history = dataclasses.replace(history, steps=(*history.steps, step))
    return history, answers


@settings(max_examples=40, deadline=None)
@given(before=MOVES, after=MOVES, astray=MOVES)
def test_a_copy_and_a_replay_answer_as_the_environment_itself_does(
    make: Make, before: list[Move], after: list[Move], astray: list[Move]
) -> None:
    async def all_ways() -> list[list[EnvStep]]:
        env, again = make(), make()
        history, _ = await played(env, await begun(env), before)
        copy, other = await env.fork(), await env.fork()
        await played(other, history, astray)
        await replayed(again, TASK, history)
        return [(await played(each, history, after))[1] for each in (copy, again, env)]

    of_copy, of_replay, of_itself = asyncio.run(all_ways())
    assert of_copy == of_replay == of_itself


@settings(max_examples=20, deadline=None)
@given(before=MOVES, first=MOVES, second=MOVES)
def test_copies_of_copies_stay_apart(make: Make, before: list[Move], first: list[Move], second: list[Move]) -> None:
    async def apart() -> tuple[list[EnvStep], list[EnvStep]]:
        env = make()
        history, _ = await played(env, await begun(env), before)
        copy = await (await env.fork()).fork()
        later, _ = await played(copy, history, first)
        child = await copy.fork()
        of_copy = (await played(copy, later, second))[1]
        await played(env, history, second)
        return of_copy, (await played(child, later, second))[1]

    of_copy, of_child = asyncio.run(apart())
    assert of_copy == of_child


@pytest.mark.parametrize("kind", ["slot_filling", "selection"])
def test_a_handle_made_on_a_copy_is_unknown_to_the_original(
    tools: dict[str, Callable[[], tuple[Tool, ...]]], kind: str
) -> None:
    async def handles() -> list[Observation]:
        env = ToolEnv(tools[kind](), True, restoring=Restoring.FORK)
        await begun(env)
        await env.step(CallTools((ToolCall("get_data", {}),)))
        copy = await env.fork()
        sort = {"slot_filling": "sort_data", "selection": "sort_data_ascending"}[kind]
        made = CallTools((ToolCall(sort, {"data_label": "films_1", "key_name": "year"}),))
        unique = CallTools(
            (ToolCall("concatenate_data", {"data_label_1": "films_1", "data_label_2": "sorted_films_2"}),)
        )
        return [(await each.step(what)).observation for each, what in ((copy, made), (copy, unique), (env, unique))]

    made, known, unknown = asyncio.run(handles())
    assert '"handle":"sorted_films_2"' in made.text
    assert '"handle":"concatenated_' in known.text and "sorted_films_2" in unknown.text and unknown.outcome.failed


def test_an_environment_that_answers_otherwise_is_refused_with_the_step(make: Make) -> None:
    search = CallTools((ToolCall("no such tool", {}),))
    other = Step(Decision(search), Observation("something else"), StepCategory.BAD_CALL)

    async def again() -> None:
        history = await begun(make())
        await replayed(make(), TASK, dataclasses.replace(history, steps=(other,)))

    with pytest.raises(ReplayError, match=r"^step 1 was answered unknown_tool .*at first ok 'something else'$"):
        asyncio.run(again())


def test_an_environment_over_servers_of_others_does_not_pretend_to_be_copied(film_tools) -> None:
    env = ToolEnv(film_tools, True)
    assert env.restoring is Restoring.NEVER
    with pytest.raises(NotImplementedError, match="restoring=never"):
        asyncio.run(env.fork())
