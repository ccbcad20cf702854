"""When the expert steps in, and what is kept of the other's choice."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.intervention import Intervention
from agentbench.policies.overseer import RuleOverseer
from agentbench.policies.probes import Idle
from agentbench.policies.triggers import Always, Coin, Never, Stuck, Trigger
from agentbench.types import (
    Action,
    Actor,
    CallTools,
    Decision,
    Final,
    History,
    Malformed,
    Observation,
    Outcome,
    Step,
    StepCategory,
    Task,
)

LOOK_UP = "Look up the director."
FAILED = Observation('{"error":"x"}', Outcome.TOOL_ERROR)
DIRECTOR = Observation('{"director":["Jack Lee"]}')
FOUND = Observation('{"results":[{"id":"people-1","text":"…"}]}')


def step(action: Action, seen: Observation, category: StepCategory, actor: Actor = Actor.AGENT) -> Step:
    return Step(Decision(action, actor), seen, category)


def history(film_tools, *steps: Step) -> History:
    return History(tuple(tool.spec for tool in film_tools), Observation("?"), steps)


def decide(task: Task, trigger: Trigger, past: History, keep: bool = False) -> Decision:
    return asyncio.run(Intervention(Idle(), GoldExpert(task), trigger, keep).act(past))


def reason(trigger: Trigger, past: History, proposed: Decision) -> str:
    return asyncio.run(trigger(past, proposed)).reason


def stuck(task: Task, past: History, proposed: Decision, init_limit: int = 0) -> str:
    trigger = Stuck(init_limit, RuleOverseer(task, recent_limit=2), Coin(0.0, random.Random(0)))
    return reason(trigger, past, proposed)


def test_alone_the_agent_decides_and_nothing_else_is_kept(film_task, film_tools) -> None:
    decision = decide(film_task, Never(), history(film_tools))
    assert (decision.actor, decision.alternatives, decision.reason) == (Actor.AGENT, (), "")


def test_an_alternative_is_what_the_expert_would_have_done(film_task, film_tools, call) -> None:
    decision = decide(film_task, Never(), history(film_tools), keep=True)
    assert decision.actor is Actor.AGENT
    assert decision.alternatives[0].action == replace(call("get_film_director", title="Robbery"), thought=LOOK_UP)


def test_where_the_expert_steps_in_the_agents_choice_is_kept(film_task, film_tools) -> None:
    decision = decide(film_task, Always(), history(film_tools))
    assert (decision.actor, decision.reason) == (Actor.EXPERT, "ground_truth")
    assert decision.alternatives[0].action == Final("I don't know.")


def test_the_gold_expert_plays_a_task_to_its_end(film_task, film_tools, call) -> None:
    expert = GoldExpert(film_task)
    done = step(call("get_film_director", title="Robbery"), DIRECTOR, StepCategory.GOLD_CALL)
    second = asyncio.run(expert.act(history(film_tools, done))).action
    past = history(film_tools, done, step(second, FOUND, StepCategory.GOLD_CALL))
    assert asyncio.run(expert.act(past)).action == Final("Stroud")


def test_the_gold_expert_goes_on_after_detours_with_what_was_really_observed(film_task, film_tools, call) -> None:
    astray = step(call("get_film_director", title="Heat"), FAILED, StepCategory.TOOL_ERROR)
    done = step(
        call("get_film_director", title="Robbery"), Observation('{"director":["Ann Lee"]}'), StepCategory.GOLD_CALL
    )
    ahead = asyncio.run(GoldExpert(film_task).act(history(film_tools, astray, done, astray)))
    assert ahead.action == call("retrieve_documents", collection="people", query="Ann Lee")


def test_an_answer_before_the_evidence_is_caught_even_in_the_free_steps(film_task, film_tools) -> None:
    assert stuck(film_task, history(film_tools), Decision(Final("Paris")), init_limit=3) == "answers_too_early"


def test_an_answer_with_the_evidence_is_left_alone(unanswerable, film_tools) -> None:
    assert stuck(unanswerable, history(film_tools), Decision(Final("Paris"))) == ""


@pytest.mark.parametrize(
    ("seen", "category", "why"),
    [(FAILED, StepCategory.TOOL_ERROR, "failing"), (DIRECTOR, StepCategory.OTHER_CALL, "no_progress")],
)
def test_two_bad_steps_in_a_row_are_stuck(film_task, film_tools, call, seen, category, why) -> None:
    bad = step(call("get_film_director", title="x"), seen, category)
    assert stuck(film_task, history(film_tools, bad, bad), Decision(call("other"))) == why
    assert stuck(film_task, history(film_tools, bad), Decision(call("other"))) == ""
    assert stuck(film_task, history(film_tools, bad, bad), Decision(call("other")), init_limit=3) == ""


def test_repeating_a_call_and_malformed_text_are_stuck(film_task, film_tools, call) -> None:
    done = step(call("get_film_director", title="Robbery"), DIRECTOR, StepCategory.GOLD_CALL)
    again = Decision(call("get_film_director", title="Robbery", limit=5))
    assert stuck(film_task, history(film_tools, done), again) == "repeating"
    assert stuck(film_task, history(film_tools, done), Decision(Malformed("x", "y"))) == "malformed"


def test_several_calls_are_malformed_only_where_a_step_may_not_hold_them(film_task, film_tools, call) -> None:
    one, other = call("get_film_director", title="Robbery"), call("get_film_director", title="Heat")
    both, neither = Decision(CallTools((*one.calls, *other.calls))), Decision(CallTools(()))
    past = history(film_tools, step(one, DIRECTOR, StepCategory.GOLD_CALL))
    overseer = RuleOverseer(film_task, recent_limit=2, several_calls=True)
    assert stuck(film_task, past, both) == "malformed"
    assert [asyncio.run(overseer.stuck(past, each)).reason for each in (both, neither)] == ["", "malformed"]
    done = history(film_tools, step(both.action, DIRECTOR, StepCategory.GOLD_CALL))
    assert [asyncio.run(overseer.stuck(done, each)).reason for each in (both, Decision(other))] == ["repeating"] * 2


def test_the_expert_may_step_in_although_nothing_is_wrong(film_task, film_tools, call) -> None:
    explores = Stuck(3, RuleOverseer(film_task, recent_limit=2), Coin(1.0, random.Random(0)))
    assert reason(explores, history(film_tools), Decision(call("get_film_director", title="Robbery"))) == "random"


def test_a_coin_falls_as_often_as_it_is_told(film_task, film_tools) -> None:
    coin = Coin(0.25, random.Random(7))
    drawn = sum(reason(coin, history(film_tools), Decision(Final(""))) == "random" for _ in range(4000))
    assert 900 < drawn < 1100  # 1000 ± 3.6 standard deviations (√(4000·¼·¾) = 27.4)
