"""The last turn alone, those before it given with their gold answers."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.errors import DataError
from agentbench.tasks.answers import REFUSAL
from agentbench.tasks.turns import with_given_turns
from agentbench.types import Answer, AnswerType, CallTools, Exchange, Gold, Task, ToolCall, Turn


def act(name: str, thought: str = "", **arguments: object) -> CallTools:
    return CallTools((ToolCall(name, arguments),), thought)


def answered(query: str, answer: str, *actions: CallTools, documents: tuple[str, ...] = ()) -> Turn:
    return Turn(query, Gold(Answer(AnswerType.TEXT, answer), actions, documents))


def task(*turns: Turn) -> Task:
    return Task("t-1", "m3", "films", turns, data={"scenario": "api"})


def test_a_task_of_one_turn_is_unchanged(film_task: Task) -> None:
    assert with_given_turns(film_task) is film_task


def test_turns_before_the_last_become_exchanges(two_turns: Task) -> None:
    alone = with_given_turns(two_turns)
    assert alone.earlier == (Exchange("Who directed Robbery?", "Jack Lee"),)
    assert [turn.query for turn in alone.turns] == ["Where was that person born?"]
    assert (alone.id, alone.tools_allowed) == (two_turns.id, two_turns.tools_allowed)
    assert alone.data == {**two_turns.data, "earlier_turns": "given"}


def test_what_a_given_answer_says_is_not_looked_up_again(two_turns: Task) -> None:
    # the first turn's one call is $var_1$, its answer Jack Lee; the second turn asks about $var_1.director.0$
    gold = with_given_turns(two_turns).turns[0].gold
    search = ToolCall("retrieve_documents", {"collection": "people", "query": "Jack Lee"})
    assert gold == Gold(Answer(AnswerType.TEXT, "Stroud"), (CallTools((search,)),), ("people-1",))


def test_whole_numbers_of_given_answers_stay_whole() -> None:
    first = Turn("How many?", Gold(Answer(AnswerType.NUMBER, 12.0), (act("count"),)))
    last = answered("Which?", "a", act("find", number="$var_1.result$"))
    assert with_given_turns(task(first, last)).turns[0].gold.actions == (act("find", number=12),)


def test_calls_are_counted_anew_and_those_nothing_refers_to_are_left_out() -> None:
    first = answered("a?", "a", act("start"), act("unused"), act("filter", "Filter.", label="$var_1.handle$"))
    second = answered("b?", "b", act("other"))
    last = answered("c?", "c", act("sort", label="$var_3.handle$"), act("read", label="$var_5.handle$", limit=1))
    actions = with_given_turns(task(first, second, last)).turns[0].gold.actions
    # calls 1 start, 2 unused, 3 filter, 4 other, 5 sort, 6 read: kept 1, 3, 5, 6, now 1, 2, 3, 4
    assert actions == (
        act("start"),
        act("filter", "Filter.", label="$var_1.handle$"),
        act("sort", label="$var_2.handle$"),
        act("read", label="$var_3.handle$", limit=1),
    )


def test_documents_stay_beside_the_searches_that_bring_them_up() -> None:
    first = answered("a?", "a", act("retrieve_documents", query="x"), act("retrieve_documents", query="y"), act("api"))
    first = dataclasses.replace(first, gold=dataclasses.replace(first.gold, documents=("d-x", "d-y")))
    last = answered("b?", "b", act("retrieve_documents", query="$var_2.results.0.id$"), documents=("d-z",))
    gold = with_given_turns(task(first, last)).turns[0].gold
    assert [action.calls[0].arguments["query"] for action in gold.actions] == ["y", "$var_1.results.0.id$"]
    assert gold.documents == ("d-y", "d-z")


def test_several_calls_of_one_action_stay_together_in_the_last_turn() -> None:
    both = CallTools((ToolCall("f", {}), ToolCall("g", {"label": "$var_2.handle$"})))
    last = dataclasses.replace(both, calls=(*both.calls, ToolCall("h", {"label": "$var_3.handle$"})))
    gold = with_given_turns(task(answered("a?", "a", act("unused"), act("start")), answered("b?", "b", last))).turns[0]
    start, together = gold.gold.actions
    assert start == act("start")
    assert [call.arguments for call in together.calls] == [
        {},
        {"label": "$var_1.handle$"},  # was call 2
        {"label": "$var_2.handle$"},  # was call 3, the first one of its own action
    ]


def test_a_given_turn_without_an_answer_is_refused_in_words() -> None:
    hopeless = Turn("a?", Gold(Answer(AnswerType.UNANSWERABLE)))
    alone = with_given_turns(task(hopeless, answered("b?", "b", act("f"))))
    assert alone.earlier == (Exchange("a?", REFUSAL),)


def test_a_last_turn_without_an_answer_needs_no_call(two_turns: Task) -> None:
    last = Turn("And her?", Gold(Answer(AnswerType.UNANSWERABLE)))
    alone = with_given_turns(dataclasses.replace(two_turns, turns=(*two_turns.turns, last)))
    assert alone.turns == (last,)
    assert [exchange.answer for exchange in alone.earlier] == ["Jack Lee", "Stroud"]


def test_turns_that_were_given_already_stay_in_front(two_turns: Task) -> None:
    said = Exchange("Hello?", "Hello.")
    alone = with_given_turns(dataclasses.replace(two_turns, earlier=(said,)))
    assert [exchange.query for exchange in alone.earlier] == ["Hello?", "Who directed Robbery?"]


def test_giving_turns_twice_is_giving_them_once(two_turns: Task) -> None:
    alone = with_given_turns(two_turns)
    assert with_given_turns(alone) is alone


@pytest.mark.parametrize("reference", ["$var_2.x$", "$var_9.x$", "$var_0.x$"])
def test_a_reference_to_no_earlier_call_is_named(reference: str) -> None:
    odd = task(answered("a?", "a", act("f")), answered("b?", "b", act("g", label=reference)))
    with pytest.raises(DataError, match=r"t-1.*gold call 2 refers to \$var_\d\$, which is no earlier gold call"):
        with_given_turns(odd)
