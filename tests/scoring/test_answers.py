"""What counts as a right answer."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from hypothesis import example, given
from hypothesis.strategies import sampled_from, text

from agentbench.scoring.answers import AnswerScorer, answer_is_right, is_refusal, normalise
from agentbench.types import Answer, AnswerType, EndReason, Gold, History, Observation, Task, Trajectory, Turn

TEXT = Answer(AnswerType.TEXT, "The Wild Bunch")
YEAR = Answer(AnswerType.NUMBER, 1994.0)
MEAN = Answer(AnswerType.NUMBER, 101.3333)
ITEMS = Answer(AnswerType.ITEMS, ("Crouching Tiger, Hidden Dragon", "Heat"))
NONE = Answer(AnswerType.UNANSWERABLE)


@pytest.mark.parametrize(
    ("said", "gold", "right"),
    [
        ("wild bunch", TEXT, True),
        ("Answer: “The Wild Bunch”.", TEXT, True),
        ("The Wild Bunch or Heat", TEXT, False),
        ("", TEXT, False),
        ("1994", YEAR, True),
        ("It was 1994.", YEAR, True),
        ("1,994", YEAR, True),
        ("1995", YEAR, False),
        ("1994 or 1995", YEAR, False),
        ("nineteen ninety-four", YEAR, False),
        ("Nm52", Answer(AnswerType.NUMBER, 52.0), False),
        ("Ac-206", Answer(AnswerType.NUMBER, 206.0), False),
        ("−9.1", Answer(AnswerType.NUMBER, -9.1), True),
        ("answer -5", Answer(AnswerType.NUMBER, -5.0), True),
        ("in 1994, I think", YEAR, True),
        ("C", Answer(AnswerType.TEXT, "C++"), False),
        ("5", Answer(AnswerType.TEXT, "-5"), False),
        ("", Answer(AnswerType.TEXT, "!!!"), False),
        ("I can’t answer that", NONE, True),
        ("I am not able to find the answer", NONE, True),
        ("There is no tool available for this", NONE, True),
        ("Unanswerable.", NONE, True),
        ("42. (I cannot tell you more.)", NONE, False),
        (".5", Answer(AnswerType.NUMBER, 0.5), True),
        ("1.1082e3", Answer(AnswerType.NUMBER, 1108.2), True),
        ("101.33", MEAN, True),
        ("101.5", MEAN, False),
        ("-101.3333", MEAN, False),
        ("Heat; Crouching Tiger, Hidden Dragon", ITEMS, True),
        ('["heat", "crouching tiger hidden dragon"]', ITEMS, True),
        ("Heat", ITEMS, False),
        ("Heat; Crouching Tiger, Hidden Dragon; Alien", ITEMS, False),
        ("I cannot answer this: there is no retriever.", NONE, True),
        ("I don't have a tool for documents", NONE, True),
        ("I don't know.", NONE, False),
        ("Stroud", NONE, False),
    ],
)
def test_an_answer_is_judged_by_the_type_of_the_gold_one(said: str, gold: Answer, right: bool) -> None:
    assert answer_is_right(said, gold) is right


def test_items_separated_by_commas_are_read_when_no_item_holds_one() -> None:
    assert answer_is_right("Heat, Alien and Jaws", Answer(AnswerType.ITEMS, ("Alien", "Heat", "Jaws")))


def test_a_plain_answer_is_no_refusal() -> None:
    assert not is_refusal("Mission: Impossible")


@given(text(), sampled_from([TEXT, YEAR, MEAN, ITEMS, NONE]))
@example("chemistry-elements-e-0086", YEAR)
def test_any_text_is_judged(given_answer: str, gold: Answer) -> None:
    assert answer_is_right(given_answer, gold) in (True, False)


def test_normalising_never_empties_a_title_made_of_articles() -> None:
    assert normalise("The A") == "the a"


def test_a_task_that_keeps_its_answer_secret_is_unscored(film_task: Task) -> None:
    secret = Turn("?", Gold(Answer(AnswerType.NUMBER)))
    ended = Trajectory(dataclasses.replace(film_task, turns=(secret,)), History((), Observation("?")), EndReason.FINAL)
    (score,) = asyncio.run(AnswerScorer().score(ended))
    assert score.value is None and "no right answer" in score.explanation


def test_who_refuses_and_guesses_at_once_has_given_no_number() -> None:
    hedge = "I cannot answer this, but it may be 1999."
    assert not answer_is_right(hedge, Answer(AnswerType.NUMBER, 1999.0))
    assert answer_is_right("It may be 1999.", Answer(AnswerType.NUMBER, 1999.0))


@pytest.mark.parametrize(
    "dump", ['{"results": [{"text": "He is unable to find the way."}]}', "He could not find it. " * 60]
)
def test_a_tool_s_output_in_which_somebody_finds_nothing_is_no_refusal(dump: str) -> None:
    assert not is_refusal(dump)
    assert is_refusal("He could not find it.")
