"""The corrected waterfall. Scores stand in the order answer, policy, exact, correctness, groundedness."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agentbench.scoring.judge import UNANSWERABLE, Judged
from agentbench.scoring.vakra import VakraScorer
from agentbench.types import Answer, AnswerType, Exchange, Generation, Gold, Outcome, Step, ToolKind, Trajectory, Turn

from .harbour import Opinions, called, episode, opinions, said, scored, values

ASK = called("get_ships", '{"ships": ["Petrel", 1200.0]}')
REFUSE = said("I cannot answer this.")


def harbour(*steps: Step, **data: Any) -> Trajectory:
    """An episode whose gold call finds the Petrel and its tons."""
    facts = {"gold_answer": [["Petrel", 1200]], "gold_responses": [{"ships": ["Petrel", 1200]}]} | data
    return episode(*steps, **facts)


def scorer(judge: Opinions | None = None) -> VakraScorer:
    return VakraScorer(False, 1, judge)


def test_the_gold_rows_with_the_gold_responses_are_right_without_a_judge() -> None:
    assert values(scorer(), harbour(ASK, said("Petrel, 1200"))) == (1.0, 1.0, 1.0, 1.0, 1.0)


def test_a_broken_policy_counts_nought_however_right_the_answer() -> None:
    trajectory = harbour(ASK, said("Petrel, 1200"), forbids=(ToolKind.API,), capability=2)
    assert values(scorer(), trajectory) == (0.0, 0.0, None, None, None)


def test_a_turn_without_an_answer_counts_nought() -> None:
    assert values(scorer(opinions(True, True)), harbour(ASK)) == (0.0, 1.0, None, None, None)


def test_a_wrong_answer_beside_the_right_calls_is_wrong() -> None:
    judge = opinions(False, True)
    assert values(scorer(judge), harbour(ASK, said("A Tern"))) == (0.0, 1.0, 1.0, 0.0, None)
    assert judge.asked == [("Which ships are there?", "A Tern", "Petrel | 1200")]


@pytest.mark.parametrize(("grounded", "verdict"), [(True, 1.0), (False, 0.0), (None, None)])
def test_a_right_answer_found_another_way_has_to_be_grounded(grounded: bool | None, verdict: float | None) -> None:
    judge = opinions(None, grounded)
    trajectory = harbour(called("get_berths", "Petrel"), said("Petrel, 1200"))
    assert values(scorer(judge), trajectory) == (verdict, 1.0, 0.0, 1.0, verdict)
    assert judge.asked == [("Which ships are there?", "Petrel, 1200", ["Petrel"])]


def test_a_paraphrase_goes_to_the_judge_for_both_questions() -> None:
    trajectory = harbour(ASK, said("It is the Petrel of 1.2 kilotons."))
    assert values(scorer(opinions(True, True)), trajectory) == (1.0, 1.0, 1.0, 1.0, 1.0)
    assert values(scorer(opinions(True, False)), trajectory) == (0.0, 1.0, 1.0, 1.0, 0.0)


@pytest.mark.parametrize(("judge", "cause"), [(None, "no judge"), (opinions(None, True), "said of correctness")])
def test_an_answer_that_nobody_can_judge_has_no_score(judge: Opinions | None, cause: str) -> None:
    found = scored(scorer(judge), harbour(ASK, said("It is the Petrel of 1.2 kilotons.")))
    assert [score.value for score in found.values()] == [None, 1.0, 1.0, None, None]
    assert found["answer"].explanation == found["correctness"].explanation == cause
    assert found["groundedness"].explanation == "not reached"


def test_without_a_judge_a_right_answer_found_another_way_has_no_score() -> None:
    found = scored(scorer(), harbour(called("get_berths"), said("Petrel, 1200")))
    assert [score.value for score in found.values()] == [None, 1.0, 0.0, 1.0, None]
    assert found["answer"].explanation == found["groundedness"].explanation == "no judge"


def test_a_task_without_gold_responses_is_not_matched_by_them() -> None:
    found = scored(scorer(opinions(None, True)), harbour(said("Petrel, 1200"), gold_responses=[]))
    assert (found["exact"].value, found["exact"].explanation) == (None, "the task gives no gold responses")
    assert found["answer"].value == 1.0


def test_all_responses_of_the_episode_count() -> None:
    steps = (ASK, said("Petrel"), *[called("get_berths")] * 30, said("Petrel, 1200"))
    assert values(scorer(), harbour(*steps, turns=2)) == (1.0, 1.0, 1.0, 1.0, 1.0)


def test_evidence_is_what_was_said_before_and_what_calls_found() -> None:
    trajectory = harbour(called("get_ships", "no", Outcome.TOOL_ERROR), called("get_berths", "3"), said("Petrel, 1200"))
    history = dataclasses.replace(trajectory.history, earlier=(Exchange("Which quay?", "North"),))
    judge = opinions(None, True)
    scored(scorer(judge), dataclasses.replace(trajectory, history=history))
    assert judge.asked[0][2] == ["Which quay?\nNorth", "3"]


def test_what_earlier_turns_found_is_evidence() -> None:
    judge = opinions(None, True)
    steps = (called("get_berths", "3"), said("Three"), called("get_berths", "4"), said("Petrel, 1200"))
    scored(scorer(judge), harbour(*steps, turns=2))
    assert judge.asked[0][2] == ["3", "4"]


@pytest.mark.parametrize(("answer", "why"), [("", "an empty answer"), ("I cannot answer this.", "a refusal where")])
def test_nothing_said_where_there_is_an_answer_is_wrong_without_a_judge(answer: str, why: str) -> None:
    found = scored(scorer(), harbour(ASK, said(answer)))
    assert (found["answer"].value, found["correctness"].value) == (0.0, 0.0)
    assert found["correctness"].explanation.startswith(why)


def test_a_refusal_that_names_the_answer_is_left_to_the_judge() -> None:
    trajectory = harbour(ASK, said("I cannot determine more than the Petrel."))
    assert values(scorer(), trajectory)[0] is None


@pytest.mark.parametrize("gold", ["I can not answer this.", [["I can not answer."]]])
def test_a_refusal_is_right_where_there_is_no_answer(gold: Any) -> None:
    trajectory = harbour(called("get_ships"), REFUSE, gold_answer=gold, gold_responses=[])
    assert values(scorer(), trajectory) == (1.0, 1.0, None, 1.0, 1.0)


def test_idle_invention_where_there_is_no_answer_goes_to_the_judge() -> None:
    judge = opinions(False, True)
    trajectory = harbour(said("Surely the Tern."), gold_answer="I can not answer this.", gold_responses=[])
    assert values(scorer(judge), trajectory) == (0.0, 1.0, None, 0.0, None)
    assert judge.asked == [("Which ships are there?", "Surely the Tern.", UNANSWERABLE)]


def test_a_task_without_a_known_answer_has_a_policy_score_only() -> None:
    for parity in (False, True):
        trajectory = harbour(ASK, said("Petrel"), gold_answer=None)
        found = scored(VakraScorer(parity, 20, opinions(True, True)), trajectory)
        assert [score.value for score in found.values()] == [None, 1.0, None, None, None]
        assert found["answer"].explanation == "the task gives no right answer"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (Answer(AnswerType.TEXT, "Petrel"), "the petrel"),
        (Answer(AnswerType.NUMBER, 12.0), "There are 12."),
        (Answer(AnswerType.ITEMS, ("Petrel", "Heron")), "Heron; Petrel"),
        (Answer(AnswerType.UNANSWERABLE), "I cannot answer this."),
    ],
)
def test_tasks_of_our_own_are_judged_by_their_gold(gold: Answer, answer: str) -> None:
    trajectory = episode(called("get_ships", "7"), said(answer), gold_responses=[7])
    task = dataclasses.replace(trajectory.task, turns=(Turn("?", Gold(gold)),))
    assert values(scorer(), dataclasses.replace(trajectory, task=task))[0] == 1.0


def test_what_the_judge_said_is_kept_with_its_part() -> None:
    said_so = (Generation("judge", "yes"),)
    judge = Opinions(Judged(True, "", said_so), Judged(True, "", said_so))
    found = scored(scorer(judge), harbour(ASK, said("It is the Petrel of 1.2 kilotons.")))
    assert found["correctness"].generations == found["groundedness"].generations == said_so
