"""Policies are checked from the record, whether the environment enforced them or not."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.scoring.adherence import AdherenceScorer
from agentbench.types import Actor, CallTools, Outcome, ToolCall, ToolKind

from .harbour import called, episode, said, scored, step

NO_API = (ToolKind.API,)
NO_SEARCH = (ToolKind.RETRIEVER,)


def test_an_episode_that_keeps_to_the_allowed_kind_adheres() -> None:
    score = scored(AdherenceScorer(), episode(called("get_ships"), said("Petrel"), forbids=NO_SEARCH))["policy"]
    assert (score.value, score.explanation) == (1.0, "no rule was broken")


def test_without_a_binding_rule_every_episode_adheres() -> None:
    score = scored(AdherenceScorer(), episode(called("get_ships"), called("query_harbour")))["policy"]
    assert (score.value, score.explanation) == (1.0, "no rule binds")


@pytest.mark.parametrize(
    "outcome",
    [Outcome.OK, Outcome.RULE_BROKEN, Outcome.BAD_ARGUMENTS, Outcome.REPEATED, Outcome.TOOL_ERROR, Outcome.MALFORMED],
)
def test_a_forbidden_call_breaks_the_rule_whatever_came_of_it(outcome: Outcome) -> None:
    trajectory = episode(called("query_harbour"), called("get_ships", outcome=outcome), forbids=NO_API)
    score = scored(AdherenceScorer(), trajectory)["policy"]
    assert (score.value, score.explanation) == (0.0, f"step 2 (agent) called get_ships: {outcome}")


def test_a_forbidden_call_beside_an_allowed_one_breaks_the_rule() -> None:
    both = CallTools((ToolCall("query_harbour", {}), ToolCall("get_ships", {})))
    refused = step(both, outcome=Outcome.MALFORMED)
    assert scored(AdherenceScorer(), episode(refused, forbids=NO_API))["policy"].value == 0.0


@pytest.mark.parametrize("outcome", [Outcome.UNAVAILABLE, Outcome.UNKNOWN_TOOL])
def test_a_call_of_a_tool_that_is_not_there_breaks_no_rule(outcome: Outcome) -> None:
    trajectory = episode(called("get_tides", outcome=outcome), forbids=NO_API)
    assert scored(AdherenceScorer(), trajectory)["policy"].value == 1.0


def test_every_broken_step_is_named_with_its_actor() -> None:
    first = called("get_ships")
    expert = dataclasses.replace(first, decision=dataclasses.replace(first.decision, actor=Actor.EXPERT))
    score = scored(AdherenceScorer(), episode(first, called("query_harbour"), expert, forbids=NO_API))["policy"]
    assert score.explanation == "step 1 (agent) called get_ships: ok; step 3 (expert) called get_ships: ok"


def test_two_contradictory_rules_forbid_every_call() -> None:
    for name in ("get_ships", "query_harbour"):
        trajectory = episode(called(name), forbids=(*NO_API, *NO_SEARCH))
        assert scored(AdherenceScorer(), trajectory)["policy"].value == 0.0
