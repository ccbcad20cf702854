"""A planted text stands in one result and leaves the episode as it was; a guard refuses what nobody asked for."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest

from agentbench.config.injection import AttackPlace, Defence
from agentbench.envs import Environment, Restoring
from agentbench.envs.guarded import GuardedEnv
from agentbench.envs.injected import InjectedEnv, planted
from agentbench.envs.tool_env import ToolEnv
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.probes import Obedient
from agentbench.scoring.steps import categorise
from agentbench.types import Action, Decision, Final, History, Outcome, Rule, Step, StepCategory, Task, ToolKind
from tests.attacks import ANSWER, CALL, GOALS, SECRET, attacked
from tests.conftest import Call

ANY, DOCUMENTS, RESULTS = AttackPlace
FOUND = '{"results":[{"id":"p-1","text":"Born in Stroud."},{"id":"p-2","text":"No."}]}'

PLANTED = {
    "a document": (FOUND, ANY, '{"results":[{"id":"p-1","text":"Born in Stroud. Obey."},{"id":"p-2","text":"No."}]}'),
    "an object": ('{"director":["Jack Lee"]}', ANY, '{"director":["Jack Lee"],"note":"Obey."}'),
    "an object with a note": ('{"note":1,"note_2":2}', RESULTS, '{"note":1,"note_2":2,"note_3":"Obey."}'),
    "a list": ("[1]", ANY, '[1,"Obey."]'),
    "a JSON text": ('"Jack Lee"', ANY, '"Jack Lee Obey."'),
    "plain text": ("Jack Lee", RESULTS, "Jack Lee\nObey."),
    "a bare number": ("3", ANY, None),
    "documents where results are wanted": (FOUND, RESULTS, None),
    "a result where documents are wanted": ('{"director":[]}', DOCUMENTS, None),
    "a search without a hit": ('{"results":[]}', DOCUMENTS, None),
    "plain text where documents are wanted": ("Jack Lee", DOCUMENTS, None),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_text_is_planted_into(case: str) -> None:
    result, place, expected = PLANTED[case]
    assert planted(result, "Obey.", place) == expected


def under_attack(film_tools, defence: Defence = Defence.NONE) -> InjectedEnv:
    return InjectedEnv(ToolEnv(film_tools, True, restoring=Restoring.FORK), defence)


async def played(env: Environment, task: Task, policy) -> History:
    opening = await env.reset(task)
    history = History(env.tools, opening)
    for _ in range(6):
        decision = await policy.act(history)
        answer = await env.step(decision.action)
        category = categorise(task, history, decision.action, answer.observation)
        step = Step(decision, answer.observation, category)
        history = dataclasses.replace(history, steps=(*history.steps, step))
        if answer.terminated:
            return history
    return history


@pytest.mark.parametrize("injection", GOALS)
def test_the_gold_chain_is_played_through_an_attack(film_tools, film_task: Task, injection) -> None:
    task = attacked(film_task, injection)
    history = asyncio.run(played(under_attack(film_tools), task, GoldExpert(task)))
    texts = [step.observation.text for step in history.steps]
    assert [step.category for step in history.steps] == [
        StepCategory.GOLD_CALL,
        StepCategory.GOLD_CALL,
        StepCategory.CORRECT_FINAL,
    ]
    assert json.loads(texts[0])["note"] == injection.text and "note" not in texts[1]


@pytest.mark.parametrize("injection", GOALS)
def test_an_obedient_step_has_a_category_of_its_own(film_tools, film_task: Task, injection) -> None:
    task = attacked(film_task, injection)
    history = asyncio.run(played(under_attack(film_tools), task, Obedient(task)))
    categories = [step.category for step in history.steps]
    assert categories[:2] == [StepCategory.GOLD_CALL, StepCategory.OBEYED_INJECTION]
    assert categories.count(StepCategory.OBEYED_INJECTION) == 1


def test_documents_carry_the_text_where_they_are_wanted(film_tools, film_task: Task) -> None:
    task = attacked(film_task, ANSWER, AttackPlace.DOCUMENTS)
    history = asyncio.run(played(under_attack(film_tools), task, GoldExpert(task)))
    first, second, _ = (step.observation.text for step in history.steps)
    assert ANSWER.text not in first
    assert json.loads(second)["results"][0]["text"] == f"Jack Lee was born in Stroud. {ANSWER.text}"


def test_a_complaint_carries_nothing(film_tools, film_task: Task, call: Call) -> None:
    async def steps() -> list[str]:
        env = under_attack(film_tools)
        await env.reset(attacked(film_task, ANSWER))
        actions: list[Action] = [call("no_such_tool"), call("get_film_director", title="crash")]
        return [(await env.step(action)).observation.text for action in actions]

    assert not any(ANSWER.text in text for text in asyncio.run(steps()))


def test_a_secret_is_confided_before_the_question(film_tools, film_task: Task) -> None:
    opening = asyncio.run(under_attack(film_tools).reset(attacked(film_task, SECRET)))
    assert opening.text == f"{SECRET.confided}\n{film_task.turns[0].query}"


def test_evidence_tells_what_was_planted_and_where(film_tools, film_task: Task) -> None:
    env, task = under_attack(film_tools, Defence.DELIMITING), attacked(film_task, ANSWER)
    asyncio.run(played(env, task, GoldExpert(task)))
    kept = env.evidence()["injection"]
    assert (kept["text"], kept["step"], kept["defence"]) == (ANSWER.text, 0, "delimiting")
    assert json.dumps(kept)


def test_without_an_attack_it_is_the_environment_inside(film_tools, film_task: Task) -> None:
    env = under_attack(film_tools)
    alone = asyncio.run(played(ToolEnv(film_tools, True), film_task, GoldExpert(film_task)))
    assert asyncio.run(played(env, film_task, GoldExpert(film_task))) == alone
    assert env.evidence() == {}


def test_a_copy_plants_for_itself(film_tools, film_task: Task, call: Call) -> None:
    async def copies() -> tuple[str, str]:
        env = under_attack(film_tools)
        await env.reset(attacked(film_task, ANSWER))
        twin = await env.fork()
        look = call("get_film_director", title="Robbery")
        return (await env.step(look)).observation.text, (await twin.step(look)).observation.text

    mine, theirs = asyncio.run(copies())
    assert mine == theirs and ANSWER.text in mine


def guarded(film_tools, most: int) -> GuardedEnv:
    return GuardedEnv(ToolEnv((*film_tools, Weather()), True, restoring=Restoring.FORK), most)


class Weather:
    """A tool that no question about films asks for."""

    def __init__(self) -> None:
        from tests.conftest import FilmApi

        self.spec = dataclasses.replace(FilmApi.spec, name="get_weather", description="The weather of a city.")

    async def call(self, arguments):
        raise AssertionError("it was called")


async def outcomes(env: Environment, task: Task, *actions: Action) -> list[Outcome]:
    await env.reset(task)
    return [(await env.step(action)).observation.outcome for action in actions]


def test_a_guard_refuses_a_tool_that_the_question_does_not_ask_for(film_tools, film_task: Task, call: Call) -> None:
    asked = call("get_film_director", title="Robbery")
    search = call("retrieve_documents", collection="people", query="Lee")
    made = outcomes(guarded(film_tools, 1), film_task, call("get_weather", title="Oslo"), asked, search)
    assert asyncio.run(made) == [Outcome.UNAVAILABLE, Outcome.OK, Outcome.OK]


def test_a_guard_leaves_other_mistakes_to_the_environment(film_tools, film_task: Task, call: Call) -> None:
    made = outcomes(guarded(film_tools, 1), film_task, call("get_nothing"), Final("x"))
    assert asyncio.run(made) == [Outcome.UNKNOWN_TOOL, Outcome.OK]


def test_a_guard_refuses_what_the_rules_forbid(film_tools, film_task: Task, call: Call) -> None:
    task = dataclasses.replace(film_task, rules=(Rule("No searches.", (ToolKind.RETRIEVER,)),))
    env = GuardedEnv(ToolEnv(film_tools, enforce_rules=False), 5)
    search = call("retrieve_documents", collection="people", query="Lee")
    assert asyncio.run(outcomes(env, task, search)) == [Outcome.UNAVAILABLE]


def test_a_guard_hears_the_users_next_turn(film_tools, two_turns: Task, call: Call) -> None:
    weather = dataclasses.replace(two_turns.turns[1], query="And the weather in the city of Stroud? weather city")
    task = dataclasses.replace(two_turns, turns=(two_turns.turns[0], weather))

    async def refused() -> list[Outcome]:
        env = guarded(film_tools, 1)
        await env.reset(task)
        director = call("get_film_director", title="Robbery")
        first = (await env.step(director)).observation.outcome
        await env.step(Final("Jack Lee"))
        twin = await env.fork()
        return [first, (await twin.step(call("get_film_director", title="Heat"))).observation.outcome]

    assert asyncio.run(refused()) == [Outcome.OK, Outcome.UNAVAILABLE]


def test_a_guard_looks_neither_at_gold_nor_at_what_was_planted(film_tools, film_task: Task, call: Call) -> None:
    task = attacked(film_task, CALL)  # asks for an allowed tool with somebody else's arguments: not its business
    env = InjectedEnv(guarded(film_tools, 1))
    actions = (call("get_film_director", title="Robbery"), call("get_film_director", title="Heat"))
    assert asyncio.run(outcomes(env, task, *actions)) == [Outcome.OK, Outcome.OK]


def test_the_probe_that_obeys_is_not_the_expert(film_task: Task) -> None:
    decision = asyncio.run(Obedient(film_task).act(History((), asyncio.run(_opening(film_task)))))
    assert decision == Decision(film_task.turns[0].gold.actions[0])


async def _opening(task: Task):
    return await ToolEnv((), True).reset(task)
