"""The expert that is a language model: what it is told, what it may write."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agentbench.errors import LlmError
from agentbench.llm import Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.llm.structured import StructuredLlm
from agentbench.policies.llm_expert import EXPERT_PROMPT, LlmExpert, expert_schema, step_problem
from agentbench.types import (
    Action,
    Actor,
    CallTools,
    Decision,
    Exchange,
    Final,
    History,
    Malformed,
    Observation,
    Outcome,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolSpec,
)

DIRECTOR = Observation('{"director":["Jack Lee"]}')


def said(thought: str, **action: Any) -> str:
    return json.dumps({"thought": thought, "action": action})


CALL = said("I need the director.", kind="call", name="get_film_director", arguments={"title": "Robbery"})
ANSWER = said(" That is all. ", kind="final", answer=" Stroud\n")


def history(film_tools, *steps: Step, earlier: tuple[Exchange, ...] = ()) -> History:
    return History(tuple(tool.spec for tool in film_tools), Observation("Only APIs!\nWhere?"), steps, earlier)


def step(action: Action, seen: Observation) -> Step:
    return Step(Decision(action), seen, StepCategory.OTHER_CALL)


def act(llm: ScriptedLlm, task: Task, past: History) -> Decision:
    return asyncio.run(LlmExpert(task, StructuredLlm(llm, Sampling(), True), "Be wise.", 7).act(past))


def blocks(llm: ScriptedLlm, request: int = -1) -> dict[str, list[Any]]:
    """What the user message holds, block by block."""
    found: dict[str, list[Any]] = {}
    for part in llm.requests[request].prompt.messages[1]["content"].split("\n\n"):
        first, *lines, last = part.split("\n")
        assert last == f"</{first[1:]}"
        found[first[1:-1]] = [json.loads(line) for line in lines]
    return found


def test_a_call_is_the_experts_decision(film_task, film_tools) -> None:
    decision = act(ScriptedLlm([CALL]), film_task, history(film_tools))
    expected = ToolCall("get_film_director", {"title": "Robbery"})
    assert decision.action == CallTools((expected,), "I need the director.") and decision.actor is Actor.EXPERT
    assert [generation.role for generation in decision.generations] == ["expert"]


def test_an_answer_is_taken_without_blanks_around_it(film_task, film_tools) -> None:
    assert act(ScriptedLlm([ANSWER]), film_task, history(film_tools)).action == Final("Stroud", "That is all.")


def test_it_is_told_what_the_agent_sees(film_task, film_tools) -> None:
    llm, gone = ScriptedLlm([CALL]), Exchange("Who?", "Me")
    odd = (step(Malformed("f(", "cut off"), Observation("what?", Outcome.MALFORMED)),)
    act(llm, film_task, history(film_tools, *odd, earlier=(gone,)))
    told = blocks(llm)
    assert llm.requests[0].prompt.messages[0] == {"role": "system", "content": "Be wise."}
    assert [tool["name"] for tool in told["tools"]] == ["get_film_director", "retrieve_documents"]
    assert told["earlier_turns"] == [{"user": "Who?", "answer": "Me"}] and told["request"] == ["Only APIs!\nWhere?"]
    seen = {"unreadable": "f(", "problem": "cut off", "outcome": "malformed", "observation": "what?"}
    assert told["steps"] == [{"step": 1, "by": "agent", **seen}]
    assert told["open_question"] == ["Where was the director of Robbery born?"]


def test_it_is_told_the_gold_with_what_was_really_observed(film_task, film_tools, call) -> None:
    llm = ScriptedLlm([CALL])
    act(llm, film_task, history(film_tools, step(call("get_film_director", title="Robbery"), DIRECTOR)))
    (gold,) = blocks(llm)["gold"]
    assert (gold["needed"], gold["done"], gold["answer"], gold["documents"]) == (2, 1, "Stroud", ["people-1"])
    assert gold["next"] == {"name": "retrieve_documents", "arguments": {"collection": "people", "query": "Jack Lee"}}
    assert gold["calls"][1]["arguments"]["query"] == "$var_1.director.0$" and gold["calls"][1]["number"] == 2


def test_gold_of_later_turns_is_not_told(two_turns, film_tools) -> None:
    llm = ScriptedLlm([CALL])
    act(llm, two_turns, history(film_tools))
    (gold,) = blocks(llm)["gold"]
    assert [made["name"] for made in gold["calls"]] == ["get_film_director"] and gold["answer"] == "Jack Lee"


def test_an_unanswerable_question_is_told_to_be_one(unanswerable, film_tools) -> None:
    llm = ScriptedLlm([ANSWER])
    act(llm, unanswerable, history(film_tools))
    (gold,) = blocks(llm)["gold"]
    assert gold["next"] is None and gold["answer"].startswith("No answer can be given with these tools")


def test_each_step_has_a_seed_of_its_own(film_task, film_tools, call) -> None:
    llm = ScriptedLlm([CALL, CALL, CALL])
    done = step(call("get_film_director", title="Robbery"), DIRECTOR)
    for past in (history(film_tools), history(film_tools, done), history(film_tools)):
        act(llm, film_task, past)
    first, second, third = (request.seed for request in llm.requests)
    assert first == third != second


ILLEGAL = {
    "there is no tool 'fly'": said("", kind="call", name="fly", arguments={}),
    "the arguments of 'get_film_director': 'title' is a required": said(
        "", kind="call", name="get_film_director", arguments={}
    ),
    "the arguments of 'retrieve_documents': 'films' is not one of ['people']": said(
        "", kind="call", name="retrieve_documents", arguments={"collection": "films", "query": "x"}
    ),
    "the answer is empty": said("", kind="final", answer=" "),
    'action has to be {"kind": "call"': said("", kind="call", name="get_film_director", arguments="Robbery"),
    "'thought' is a required property": '{"action": {"kind": "final", "answer": "x"}}',
}


@pytest.mark.parametrize(("problem", "first"), ILLEGAL.items())
def test_a_step_that_is_not_legal_is_asked_for_again_in_words(problem, first, film_task, film_tools) -> None:
    llm = ScriptedLlm([first, CALL])
    decision = act(llm, film_task, history(film_tools))
    assert isinstance(decision.action, CallTools) and len(decision.generations) == 2
    assert problem in llm.requests[1].prompt.messages[3]["content"]


def test_an_expert_that_never_writes_a_legal_step_is_an_error(film_task, film_tools) -> None:
    fly = ILLEGAL["there is no tool 'fly'"]
    with pytest.raises(LlmError, match="the expert gave no usable answer in 3 attempts: there is no tool 'fly'"):
        act(ScriptedLlm([fly] * 3), film_task, history(film_tools))


NODE = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/node"}, "all": {"$ref": "#"}},
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}},
}


@pytest.mark.parametrize(
    ("arguments", "legal"),
    [
        ({"next": {"next": {"n": 1}}}, True),
        ({"next": {"next": {"n": "x"}}}, False),
        ({"all": {"next": {"n": "x"}}}, False),
    ],
)
def test_a_tools_own_references_are_kept(arguments: dict[str, Any], legal: bool, film_tools) -> None:
    specs = (film_tools[0].spec, ToolSpec("walk", "Walks.", NODE))
    schema = expert_schema(specs)
    Draft202012Validator.check_schema(schema)
    action = {"kind": "call", "name": "walk", "arguments": arguments}
    assert Draft202012Validator(schema).is_valid({"thought": "", "action": action}) is legal
    assert (step_problem({"action": action}, {spec.name: spec for spec in specs}) == "") is legal


def test_the_shipped_instructions_name_every_block(film_task, film_tools) -> None:
    llm, text = ScriptedLlm([CALL]), EXPERT_PROMPT.read_text(encoding="utf-8")
    act(llm, replace(film_task, earlier=()), history(film_tools))
    assert all(f"- {name}:" in text for name in blocks(llm))
