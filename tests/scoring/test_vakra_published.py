"""The published waterfall, its faults included. Scores stand in the order answer, policy, exact, correct, grounded."""

from __future__ import annotations

from typing import Any

import pytest

from agentbench.scoring.judge import Judged
from agentbench.scoring.vakra import VakraScorer
from agentbench.scoring.vakra_published import gold_string
from agentbench.types import Generation, Outcome, Step, ToolKind, Trajectory

from .harbour import Opinions, called, episode, opinions, said, scored, values

SHIPS = '{"ships":["Petrel"]}'
ASK = called("get_ships", SHIPS)


def harbour(*steps: Step, **data: Any) -> Trajectory:
    """A capability-4 episode whose gold call finds the Petrel."""
    facts = {"capability": 4, "gold_answer": [["Petrel"]], "gold_responses": [{"ships": ["Petrel"]}]} | data
    return episode(*steps, **facts)


def parity(judge: Opinions | None = None, responses: int = 20) -> VakraScorer:
    return VakraScorer(True, responses, judge)


def test_a_turn_without_an_answer_counts_nought() -> None:
    assert values(parity(opinions(True, True)), harbour(ASK)) == (0.0, None, None, None, None)


def test_a_broken_policy_ends_it_before_anything_is_judged() -> None:
    judge = opinions(True, True)
    trajectory = harbour(ASK, said("Petrel"), forbids=(ToolKind.API,))
    assert values(parity(judge), trajectory) == (0.0, 0.0, None, None, None)
    assert scored(parity(judge), trajectory)["policy"].explanation == "called get_ships"
    assert judge.asked == []


@pytest.mark.parametrize("capability", [1, 2, 3])
def test_policies_are_checked_in_capability_4_only(capability: int) -> None:
    trajectory = harbour(ASK, said("Petrel"), forbids=(ToolKind.API,), capability=capability)
    assert values(parity(opinions(None, True)), trajectory) == (1.0, 1.0, 1.0, None, 1.0)


@pytest.mark.parametrize(("name", "kept"), [("query_reef", 0.0), ("get_reef", 1.0)])
def test_an_unknown_tool_is_a_retriever_by_its_name(name: str, kept: float) -> None:
    trajectory = harbour(called(name, outcome=Outcome.UNKNOWN_TOOL), said("?"), forbids=(ToolKind.RETRIEVER,))
    assert values(parity(opinions(False, None)), trajectory)[1] == kept


@pytest.mark.parametrize(("grounded", "verdict"), [(True, 1.0), (False, 0.0), (None, 0.0)])
def test_where_the_responses_match_groundedness_alone_decides(grounded: bool | None, verdict: float) -> None:
    judge = opinions(False, grounded)
    assert values(parity(judge), harbour(ASK, said(" No  SHIPS "))) == (verdict, 1.0, 1.0, None, verdict)
    assert judge.asked == [("Which ships are there?", "no ships", ["{'ships': ['petrel']}"])]


@pytest.mark.parametrize("correct", [False, None])
def test_a_wrong_or_unreadable_answer_without_the_responses_counts_nought(correct: bool | None) -> None:
    judge = opinions(correct, True)
    assert values(parity(judge), harbour(called("get_ships"), said("A Tern"))) == (0.0, 1.0, 0.0, 0.0, None)
    assert judge.asked == [("which ships are there?", "a tern", "petrel")]


@pytest.mark.parametrize(("grounded", "verdict"), [(True, 1.0), (False, 0.0), (None, 0.0)])
def test_a_right_answer_without_the_responses_has_to_be_grounded(grounded: bool | None, verdict: float) -> None:
    trajectory = harbour(called("get_ships"), said("Petrel"))
    assert values(parity(opinions(True, grounded)), trajectory) == (verdict, 1.0, 0.0, 1.0, verdict)


def test_a_judges_reply_in_a_code_fence_counts_nought() -> None:
    fenced = (Generation("judge", '```json\n{"verdict": true}\n```'),)
    judge = Opinions(Judged(True, "", fenced), Judged(True, ""))
    score = scored(parity(judge), harbour(called("get_ships"), said("Petrel")))["correctness"]
    assert (score.value, score.generations) == (0.0, fenced)


def test_what_the_judge_said_is_kept_with_its_part() -> None:
    plain = (Generation("judge", '{"verdict": true}'),)
    judge = Opinions(Judged(True, "", plain), Judged(True, "it stands there", plain))
    found = scored(parity(judge), harbour(called("get_ships"), said("Petrel")))
    assert found["correctness"].generations == found["groundedness"].generations == plain
    assert found["groundedness"].explanation == "it stands there" and found["answer"].generations == ()


def test_without_a_judge_only_the_gates_decide() -> None:
    assert values(parity(), harbour(ASK, said("Petrel"))) == (None, 1.0, 1.0, None, None)
    found = scored(parity(), harbour(called("get_ships"), said("Petrel")))
    assert [score.value for score in found.values()] == [None, 1.0, 0.0, None, None]
    assert (found["correctness"].explanation, found["groundedness"].explanation) == ("no judge", "not reached")


def test_only_the_latest_responses_are_looked_at() -> None:
    steps = (ASK, called("get_berths", "1"), called("get_berths", "2"), said("Petrel"))
    assert values(parity(opinions(False, True), 3), harbour(*steps))[:3] == (1.0, 1.0, 1.0)
    assert values(parity(opinions(False, True), 2), harbour(*steps))[:4] == (0.0, 1.0, 0.0, 0.0)


def test_the_judge_sees_the_latest_responses_only() -> None:
    judge = opinions(False, True)
    values(parity(judge, 1), harbour(called("get_berths", "1"), ASK, said("Petrel")))
    assert judge.asked[-1][2] == ["{'ships': ['petrel']}"]


def test_a_task_that_names_no_capability_has_its_policies_checked() -> None:
    trajectory = episode(ASK, said("Petrel"), forbids=(ToolKind.API,), gold_answer="Petrel")
    assert values(parity(), trajectory) == (0.0, 0.0, None, None, None)


def test_calls_of_earlier_turns_do_not_count() -> None:
    steps = (ASK, said("Petrel"), called("get_berths", "1"), said("Petrel"))
    assert values(parity(opinions(False, True)), harbour(*steps, turns=2))[:4] == (0.0, 1.0, 0.0, 0.0)


def test_without_gold_responses_the_responses_match_always() -> None:
    trajectory = harbour(said("A Tern"), gold_responses=[])
    assert values(parity(opinions(False, True)), trajectory) == (1.0, 1.0, 1.0, None, 1.0)


def test_two_empty_answers_are_equal_without_a_judge() -> None:
    assert values(parity(), harbour(called("get_ships"), said(" "), gold_answer=[])) == (None, 1.0, 0.0, 1.0, None)


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ((said("Surely the Tern."),), 1.0),
        ((called("get_ships"), said(" ")), 1.0),
        ((called("get_ships"), said("Surely the Tern.")), None),
    ],
)
def test_where_nothing_can_be_answered_idleness_is_right(steps: tuple[Step, ...], verdict: float | None) -> None:
    trajectory = harbour(*steps, gold_answer="I can not answer this.", gold_responses=[])
    assert values(parity(), trajectory) == (verdict, 1.0, 1.0, None, verdict)


def test_a_gold_answer_is_cut_down_to_its_first_column() -> None:
    assert gold_string([["Petrel", 1200], [], ["Heron", 830], 7]) == "Petrel, Heron, 7"
    assert (gold_string(None), gold_string("Petrel"), gold_string(7)) == ("", "Petrel", "7")
