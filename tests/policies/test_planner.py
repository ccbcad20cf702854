"""The agent of two parts: what planner and caller are asked, what becomes of it, and what is learnt of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agentbench.llm import Request, Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.llm.structured import StructuredLlm
from agentbench.policies.callers import ModelCaller, OwnCaller, Voice
from agentbench.policies.planner import Callers, Planner, PlannerSettings, only_text
from agentbench.policies.plans import bounded, plan_schema, planner_view
from agentbench.templates.teacher import Teacher
from agentbench.tools.assistant.specs import ASK_USER, CALCULATOR, CREATE_EVENT
from agentbench.types import (
    Actor,
    CallTools,
    Decision,
    Final,
    Generation,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    ToolCall,
)

TOOLS = (CALCULATOR, ASK_USER)
START = History(TOOLS, Observation("What is 2 + 3?"))
PLAN = json.dumps({"task": "add 2 and 3", "tool": "calculator"})
ARGUMENTS = json.dumps({"expression": "2 + 3"})
ANSWER = json.dumps({"task": "say that it is 5", "tool": "answer"})
SAMPLING = Sampling(0.5, 1.0, 100)


def planner(llm: ScriptedLlm, *, guided: bool = True, list_tools: bool = True, **callers: Any) -> Planner:
    own = OwnCaller(Voice(llm, Teacher("Write arguments."), SAMPLING), 50, guided=guided)
    chosen = Callers(**{"caller": own, "specialists": {}, **callers})
    settings = PlannerSettings(list_tools, guided, task_chars=40)
    return Planner(Voice(llm, Teacher("Plan."), SAMPLING), chosen, settings, seed=5)


def act(llm: ScriptedLlm, history: History = START, **settings: Any) -> Decision:
    return asyncio.run(planner(llm, **settings).act(history))


def after(decision: Decision, seen: str = '{"result":5}') -> History:
    return History(TOOLS, START.opening, (Step(decision, Observation(seen), StepCategory.OTHER_CALL),))


def user(request: Request) -> str:
    return str(request.prompt.messages[-1]["content"])


def test_a_step_is_a_plan_and_the_arguments_for_its_tool() -> None:
    llm = ScriptedLlm([PLAN, ARGUMENTS])
    decision = act(llm)
    assert decision.action == CallTools((ToolCall("calculator", {"expression": "2 + 3"}),), "add 2 and 3")
    assert [each.role for each in decision.generations] == ["planner", "caller"]
    assert [request.schema for request in llm.requests] == [
        plan_schema(("calculator", "ask_user"), 40),
        bounded(CALCULATOR.parameters, 50),
    ]


def test_the_tool_answer_ends_the_turn_with_what_the_caller_writes() -> None:
    decision = act(ScriptedLlm([ANSWER, '{"answer": "5"}']))
    assert decision.action == Final("5", "say that it is 5")


def test_the_planner_is_told_the_tools_and_the_caller_one_tool_with_all_that_happened() -> None:
    llm = ScriptedLlm([PLAN, ARGUMENTS, ANSWER, '{"answer": "5"}'])
    act(llm, after(act(llm)))
    first, caller, second, _ = llm.requests
    assert "- calculator: Works out" in user(first) and "- answer: Tells" in user(first)
    assert user(first).endswith("Request:\nWhat is 2 + 3?")
    assert user(second) == 'calculator({"expression": "2 + 3"})\n{"result":5}'
    assert '"add 2 and 3"' in user(caller) and "ask_user" not in user(caller)


def test_later_prompts_of_the_planner_begin_with_the_earlier_ones_and_its_own_words() -> None:
    llm = ScriptedLlm([PLAN, ARGUMENTS, ANSWER, '{"answer": "5"}'])
    act(llm, after(act(llm)))
    first, second = llm.requests[0].prompt.messages, llm.requests[2].prompt.messages
    assert second[: len(first)] == first and second[len(first)]["content"] == PLAN


def test_without_the_list_the_planner_reads_the_request_alone_and_can_still_name_only_real_tools() -> None:
    llm = ScriptedLlm([PLAN, ARGUMENTS])
    act(llm, list_tools=False)
    assert user(llm.requests[0]) == "What is 2 + 3?"
    assert llm.requests[0].schema and llm.requests[0].schema["properties"]["tool"]["enum"] == [
        "calculator",
        "ask_user",
        "answer",
    ]


def test_unguided_words_are_read_as_well_as_they_can_be() -> None:
    llm = ScriptedLlm([f"Let me see.\n```json\n{PLAN}\n```", ARGUMENTS])
    assert isinstance(act(llm, guided=False).action, CallTools)
    assert [request.schema for request in llm.requests] == [None, None]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (["I would add."], "the plan is unusable: there is no JSON object in it"),
        (['{"task": "fly", "tool": "rocket"}'], "the plan is unusable: at 'tool': 'rocket' is not one of"),
        ([PLAN, "five"], "the arguments are unusable: there is no JSON object in it"),
    ],
)
def test_words_that_are_no_step_become_a_malformed_action_that_says_why(said: list[str], reason: str) -> None:
    action = act(ScriptedLlm(said)).action
    assert isinstance(action, Malformed) and action.reason.startswith(reason)


def test_a_direct_tool_gets_the_task_and_nobody_is_asked() -> None:
    llm = ScriptedLlm([json.dumps({"task": "Which day?", "tool": "ask_user"})])
    decision = act(llm, direct=frozenset({"ask_user"}))
    assert decision.action == CallTools((ToolCall("ask_user", {"question": "Which day?"}),), "Which day?")
    assert len(llm.requests) == 1 and only_text(CREATE_EVENT) == ""  # that one needs three texts


def test_a_specialist_writes_the_arguments_of_its_tool_until_they_fit() -> None:
    special = ScriptedLlm(["no idea", ARGUMENTS])
    caller = ModelCaller(StructuredLlm(special, Sampling(), True), "You add.", 50)
    decision = act(ScriptedLlm([PLAN]), specialists={"calculator": caller})
    assert decision.action == CallTools((ToolCall("calculator", {"expression": "2 + 3"}),), "add 2 and 3")
    assert [each.role for each in decision.generations] == ["planner", "caller", "caller"]


def test_a_specialist_who_never_finds_the_form_costs_a_step_and_not_the_episode() -> None:
    caller = ModelCaller(StructuredLlm(ScriptedLlm(["no"] * 3), Sampling(), True), "You add.", 50)
    action = act(ScriptedLlm([PLAN]), specialists={"calculator": caller}).action
    assert isinstance(action, Malformed) and "gave no usable answer in 3 attempts" in action.reason


def test_texts_and_lists_of_arguments_get_an_end_and_keep_their_own() -> None:
    schema = {
        "type": "object",
        "properties": {
            "to": {"type": "array", "items": {"type": "string"}},
            "kind": {"enum": ["a", "b"]},
            "code": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
        },
    }
    found = bounded(schema, 9)
    assert found["properties"]["to"] == {"maxItems": 20, "type": "array", "items": {"maxLength": 9, "type": "string"}}
    assert found["properties"]["kind"] == {"enum": ["a", "b"]}
    assert found["properties"]["code"]["anyOf"][0]["maxLength"] == 3 and found["additionalProperties"] is False
    assert not Draft202012Validator(found).is_valid({"to": ["1234567890"]})


def test_steps_that_an_expert_took_read_as_plans() -> None:
    call = Decision(CallTools((ToolCall("calculator", {"expression": "2"}),), "work it out"), Actor.EXPERT)
    (step,) = planner_view(after(call), list_tools=True).steps
    assert step.decision.action == Malformed('{"task": "work it out", "tool": "calculator"}', "")
    assert step.decision.actor is Actor.EXPERT and step.decision.generations == ()


def test_a_planner_s_view_holds_its_generations_as_the_agent_s_and_no_others() -> None:
    said = (Generation("planner", PLAN, (1, 2), (3,)), Generation("caller", ARGUMENTS, (9,), (9,)))
    (step,) = planner_view(after(Decision(Final("5"), generations=said)), list_tools=True).steps
    assert step.decision.generations == (Generation("agent", PLAN, (1, 2), (3,)),)
