"""Trajectories survive the way to disk and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbench.episodes.encoding import decode, encode, expanded, shortened
from agentbench.types import (
    Actor,
    Alternative,
    Answer,
    AnswerType,
    Branch,
    CallTools,
    Decision,
    EndReason,
    Final,
    Generation,
    Gold,
    History,
    Malformed,
    Observation,
    Outcome,
    Rule,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
    Trajectory,
    Turn,
    Usage,
)


def asked(ids: tuple[int, ...], role: str = "agent") -> Generation:
    return Generation(role, "text", ids, (5, 6), (-0.5, -0.25), "length", Usage(len(ids), 2, 1), 0.75)


def step(*generations: Generation, branches: tuple[Branch, ...] = ()) -> Step:
    action = CallTools((ToolCall("f", {"x": [1, None, {"y": "é"}]}),), "why")
    alternative = Alternative(Actor.EXPERT, Malformed("gibberish", "no JSON"))
    decision = Decision(action, Actor.AGENT, (alternative,), generations)
    return Step(decision, Observation("no", Outcome.TOOL_ERROR), StepCategory.BAD_CALL, -0.2, 0.5, branches)


def trajectory(*steps: Step, **changes: Any) -> Trajectory:
    gold = Gold(Answer(AnswerType.ITEMS, ("a", "b")), (CallTools((ToolCall("f", {"x": "$var_1$"}),)),), ("d-1",))
    rules = (Rule("never search", (ToolKind.RETRIEVER,)),)
    task = Task("t-1", "m3", "films", (Turn("q", gold),), rules, (ToolKind.API,), {"hops": 2})
    spec = ToolSpec("f", "Does f.", {"type": "object"}, ToolKind.FUNCTION)
    history = History((spec,), Observation("q"), steps)
    whole = Trajectory(task, history, EndReason.HORIZON, (Score("answer", None, "unscored"),), {"k": [1]}, "", 9, 1.5)
    return dataclasses.replace(whole, **changes)


def on_disk(whole: Trajectory) -> list[tuple[int, list[int]]]:
    """(prompt_prefix, prompt_ids) of each generation on the main path."""
    steps = orjson.loads(encode(whole))["history"]["steps"]
    return [(each["prompt_prefix"], each["prompt_ids"]) for one in steps for each in one["decision"]["generations"]]


def test_every_field_survives() -> None:
    other_way = Branch(Decision(Final("x")), (step(asked((1, 2, 9))),), EndReason.FINAL, (Score("answer", 1.0),))
    whole = trajectory(step(asked((1, 2))), step(asked((1, 2, 3)), branches=(other_way,)), step(asked((1, 2, 3, 4))))
    assert decode(encode(whole)) == whole


def test_a_growing_prompt_is_stored_once() -> None:
    whole = trajectory(step(asked((1, 2))), step(asked((1, 2, 3))), step(asked((1, 2, 3, 4, 5))))
    assert on_disk(whole) == [(0, [1, 2]), (2, [3]), (3, [4, 5])]


def test_each_role_has_its_own_previous_prompt() -> None:
    whole = trajectory(step(asked((1, 2)), asked((7, 8), "judge")), step(asked((1, 2, 3)), asked((7, 9), "judge")))
    assert on_disk(whole) == [(0, [1, 2]), (0, [7, 8]), (2, [3]), (1, [9])]


def test_a_branch_leaves_the_main_path_as_it_was() -> None:
    away = Branch(Decision(Final("x"), generations=(asked((1, 9)),)), (), EndReason.FINAL)
    whole = trajectory(step(asked((1, 2)), branches=(away,)), step(asked((1, 2, 3))))
    stored = orjson.loads(encode(whole))["history"]["steps"][0]["branches"][0]["decision"]["generations"][0]
    assert (stored["prompt_prefix"], stored["prompt_ids"]) == (1, [9])
    assert on_disk(whole)[1] == (2, [3])


@given(st.lists(st.lists(st.integers(0, 3), max_size=6).map(tuple), max_size=6))
def test_any_sequence_of_prompts_comes_back(prompts: list[tuple[int, ...]]) -> None:
    whole = trajectory(*(step(asked(ids)) for ids in prompts))
    assert decode(encode(whole)) == whole


def test_log_probabilities_have_six_decimals_and_may_be_infinite() -> None:
    generation = dataclasses.replace(asked((1,)), logprobs=(-0.12345678, -math.inf))
    back = decode(encode(trajectory(step(generation))))
    assert back.history.steps[0].decision.generations[0].logprobs == (-0.123457, -math.inf)


def test_floats_that_json_lacks_become_words_in_free_form_values() -> None:
    call = Decision(CallTools((ToolCall("f", {"x": [math.nan]}),)))
    task = dataclasses.replace(trajectory().task, data={"spread": -math.inf})
    whole = trajectory(Step(call, Observation(""), StepCategory.BAD_CALL), evidence={"mean": math.inf}, task=task)
    back = decode(encode(whole))
    assert (back.evidence, back.task.data) == ({"mean": "Infinity"}, {"spread": "-Infinity"})
    assert back.history.steps[0].decision.action == CallTools((ToolCall("f", {"x": ["NaN"]}),))


def test_an_infinite_reward_survives() -> None:
    whole = trajectory(dataclasses.replace(step(), reward=-math.inf))
    assert decode(encode(whole)) == whole


def test_half_a_surrogate_pair_and_huge_integers_can_be_written() -> None:
    whole = trajectory(evidence={"half \ud83d": "\ud83d", "whole": "\ud83d\ude00", "huge": 10**30})
    assert decode(encode(whole)).evidence == {"half �": "�", "whole": "😀", "huge": 10**30}


def test_evidence_without_a_json_form_is_refused() -> None:
    with pytest.raises(TypeError):
        encode(trajectory(evidence={"things": {1, 2}}))


def test_a_prefix_longer_than_the_previous_prompt_is_refused() -> None:
    line = encode(trajectory(step(asked((1, 2))), step(asked((1, 2, 3)))))
    with pytest.raises(ValueError, match="prompt_prefix 7 of a generation by 'agent' whose previous prompt has 2 ids"):
        decode(line.replace(b'"prompt_prefix":2', b'"prompt_prefix":7'))


def test_a_counted_episode_comes_back_equal(make_task: Callable[..., Task]) -> None:
    whole = dataclasses.replace(trajectory(), task=make_task("a", goal=3, scenario="api"))
    assert decode(encode(whole)) == whole


@given(st.lists(st.lists(st.integers(0, 3), max_size=6).map(tuple), max_size=6))
def test_a_live_episodes_shortened_steps_are_stored_and_expanded_like_full_ones(prompts: list[tuple[int, ...]]) -> None:
    full = trajectory(*(step(asked(ids)) for ids in prompts))
    seen: dict[str, tuple[int, ...]] = {}
    live = trajectory(*(dataclasses.replace(one, decision=shortened(one.decision, seen)) for one in full.history.steps))
    assert encode(live) == encode(full) and expanded(live) == full
