"""Every misuse is an observation with its outcome."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agentbench.envs import EnvStep
from agentbench.envs.tool_env import ToolEnv, argument_problem
from agentbench.tools.limits import ToolLimits
from agentbench.types import (
    Action,
    CallTools,
    Final,
    Malformed,
    Observation,
    Outcome,
    Rule,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
)

NO_API = Rule("Do not use the database.", (ToolKind.API,))


def play(env: ToolEnv, task: Task, *actions: Action) -> EnvStep:
    async def run() -> EnvStep:
        await env.reset(task)
        return [await env.step(action) for action in actions][-1]

    return asyncio.run(run())


def outcome(film_tools, task: Task, *actions: Action, enforce: bool = True) -> Outcome:
    return play(ToolEnv(film_tools, enforce), task, *actions).observation.outcome


def test_a_call_brings_the_tools_result(film_tools, film_task, call) -> None:
    answer = play(ToolEnv(film_tools, True), film_task, call("get_film_director", title="Robbery"))
    assert answer.observation.text == '{"director":["Jack Lee"]}'
    assert not answer.terminated


@pytest.mark.parametrize(
    "arguments", [{}, {"title": 3}, {"title": "Robbery", "year": 1967}, {"title": None}, {"title": ["Robbery"]}]
)
def test_wrong_arguments_are_told_apart_from_a_missing_tool(film_tools, film_task, arguments) -> None:
    action = CallTools((ToolCall("get_film_director", arguments),))
    assert outcome(film_tools, film_task, action) is Outcome.BAD_ARGUMENTS


def test_an_unknown_tool_gets_a_suggestion(film_tools, film_task, call) -> None:
    answer = play(ToolEnv(film_tools, True), film_task, call("get_film_directr", title="Robbery"))
    assert answer.observation.outcome is Outcome.UNKNOWN_TOOL
    assert "did you mean 'get_film_director'" in answer.observation.text


def test_a_complaint_does_not_echo_megabytes(film_tools, film_task, call) -> None:
    wanted = call("x" * 1_000_000), CallTools((ToolCall("get_film_director", {"title": [1] * 100_000}),))
    for action in wanted:
        assert len(play(ToolEnv(film_tools, True), film_task, action).observation.text) < 500


def test_a_tool_that_was_taken_away_is_unavailable_and_unseen(film_tools, unanswerable, call) -> None:
    env = ToolEnv(film_tools, True)
    answer = play(env, unanswerable, call("retrieve_documents", collection="people", query="Lee"))
    assert answer.observation.outcome is Outcome.UNAVAILABLE
    assert [spec.name for spec in env.tools] == ["get_film_director"]


def test_a_forbidden_call_is_refused_only_where_rules_are_enforced(film_tools, film_task, call) -> None:
    task = dataclasses.replace(film_task, rules=(NO_API,))
    wanted = call("get_film_director", title="Robbery")
    assert outcome(film_tools, task, wanted) is Outcome.RULE_BROKEN
    assert outcome(film_tools, task, wanted, enforce=False) is Outcome.OK


def test_rules_are_told_before_the_question(film_tools, film_task) -> None:
    opening = asyncio.run(ToolEnv(film_tools, True).reset(dataclasses.replace(film_task, rules=(NO_API,))))
    assert opening.text == "Do not use the database.\nWhere was the director of Robbery born?"


def test_a_repeated_call_is_told_so(film_tools, film_task, call) -> None:
    wanted = call("get_film_director", title="Robbery")
    assert outcome(film_tools, film_task, wanted, wanted) is Outcome.REPEATED


def test_a_failing_tool_is_an_observation(film_tools, film_task, call) -> None:
    answer = play(ToolEnv(film_tools, True), film_task, call("get_film_director", title="crash"))
    assert (answer.observation.outcome, answer.terminated) == (Outcome.TOOL_ERROR, False)
    assert "on fire" in answer.observation.text


def test_two_calls_in_one_step_are_refused(film_tools, film_task, call) -> None:
    one = call("get_film_director", title="Robbery").calls
    assert outcome(film_tools, film_task, CallTools(one + one)) is Outcome.MALFORMED


def test_malformed_text_is_an_observation(film_tools, film_task) -> None:
    assert outcome(film_tools, film_task, Malformed("<call", "no closing tag")) is Outcome.MALFORMED


def test_an_answer_brings_the_next_turn_and_the_last_one_ends(film_tools, two_turns) -> None:
    first = play(ToolEnv(film_tools, True), two_turns, Final("Jack Lee"))
    assert (first.observation.text, first.terminated) == ("Where was that person born?", False)
    assert play(ToolEnv(film_tools, True), two_turns, Final("Jack Lee"), Final("Stroud")).terminated


VALUES = st.one_of(st.text(max_size=3), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
SCHEMAS = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional={
        "properties": st.dictionaries(
            st.sampled_from("ab"),
            st.sampled_from(
                [
                    *({"type": "string"}, {"type": "integer"}, {"type": "boolean", "title": "B"}, {"type": "number"}),
                    *({"type": ["string", "null"]}, {"type": "string", "minLength": 2}, {"enum": ["x"]}, True, {}),
                ]
            ),
        ),
        "required": st.lists(st.sampled_from("ab"), unique=True),
        "additionalProperties": st.booleans(),
    },
)


@given(schema=SCHEMAS, arguments=st.dictionaries(st.sampled_from("abc"), VALUES))
def test_arguments_are_found_right_exactly_where_json_schema_finds_them_right(
    schema: dict[str, Any], arguments: dict[str, Any]
) -> None:
    right = Draft202012Validator(schema).is_valid(arguments)
    assert (argument_problem(ToolSpec("t", "", schema), arguments) == "") is right


def test_a_limit_of_a_tool_that_times_out_inside_is_the_tools_own_failure() -> None:
    class Late:
        spec = ToolSpec("late", "", {"type": "object"})

        async def call(self, arguments: dict[str, Any]) -> Observation:
            raise TimeoutError("the tool's own")

    with pytest.raises(TimeoutError, match="the tool's own"):
        asyncio.run(ToolLimits(5.0, {}).call(Late(), {}))
