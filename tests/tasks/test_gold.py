"""Progress along a gold chain, after detours and over turns."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.errors import DataError
from agentbench.tasks.gold import advances, progress, same_value
from agentbench.types import (
    Action,
    CallTools,
    Decision,
    Final,
    Gold,
    History,
    Observation,
    Outcome,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolSpec,
    Turn,
)

DIRECTOR = Observation('{"director":["Jack Lee"]}')
FOUND = Observation('{"results":[{"id":"people-1","text":"Jack Lee was born in Stroud."}]}')


def history(film_tools, *done: tuple[Action, Observation]) -> History:
    specs: tuple[ToolSpec, ...] = tuple(tool.spec for tool in film_tools)
    steps = tuple(Step(Decision(action), seen, StepCategory.OTHER_CALL) for action, seen in done)
    return History(specs, Observation("?"), steps)


def test_the_first_gold_call_comes_first(film_task: Task, film_tools, call) -> None:
    ahead = progress(film_task, history(film_tools))
    assert (ahead.met, ahead.needed) == (0, 2)
    assert ahead.next is not None and ahead.next.calls == call("get_film_director", title="Robbery").calls


def test_a_reference_is_filled_in_from_what_was_observed(film_task: Task, film_tools, call) -> None:
    ahead = progress(film_task, history(film_tools, (call("get_film_director", title="Robbery"), DIRECTOR)))
    assert ahead.next is not None
    assert ahead.next.calls[0].arguments == {"collection": "people", "query": "Jack Lee"}


def test_defaults_written_out_do_not_hide_a_gold_call(film_task: Task, film_tools, call) -> None:
    done = call("get_film_director", title="Robbery", limit=5), DIRECTOR
    assert progress(film_task, history(film_tools, done)).met == 1


def test_a_failed_call_is_no_progress(film_task: Task, film_tools, call) -> None:
    failed = Observation('{"error":"x"}', Outcome.TOOL_ERROR)
    assert progress(film_task, history(film_tools, (call("get_film_director", title="Robbery"), failed))).met == 0


def test_any_search_that_finds_the_gold_document_counts(film_task: Task, film_tools, call) -> None:
    searched = call("retrieve_documents", collection="people", query="Lee, birthplace of"), FOUND
    done = progress(film_task, history(film_tools, (call("get_film_director", title="Robbery"), DIRECTOR), searched))
    assert (done.met, done.next) == (2, None)


def test_a_second_turn_still_needs_the_first_turns_call(two_turns: Task, film_tools, call) -> None:
    ahead = progress(two_turns, history(film_tools, (Final("Someone else"), Observation("Where was …"))))
    assert ahead.needed == 2
    assert ahead.next is not None and ahead.next.calls[0] == ToolCall("get_film_director", {"title": "Robbery"})


def test_a_gold_chain_that_refers_forward_is_refused(film_task: Task, film_tools, call) -> None:
    gold = dataclasses.replace(film_task.turns[0].gold, actions=(call("get_film_director", title="$var_2.x$"),))
    broken = dataclasses.replace(film_task, turns=(Turn("?", gold),))
    with pytest.raises(DataError, match="no earlier gold call"):
        progress(broken, history(film_tools))


def test_a_reference_to_a_path_that_was_not_observed_names_it(film_task: Task, film_tools, call) -> None:
    empty = Observation('{"director":[]}')
    with pytest.raises(DataError, match="finds nothing at '0'"):
        progress(film_task, history(film_tools, (call("get_film_director", title="Robbery"), empty)))


def test_an_unanswerable_turn_needs_no_calls(unanswerable: Task, film_tools) -> None:
    assert progress(unanswerable, history(film_tools)) == (0, 0, None)
    assert isinstance(unanswerable.turns[0].gold, Gold)


def test_a_step_advances_exactly_where_it_adds_to_what_is_met(film_task: Task, film_tools, call) -> None:
    director = call("get_film_director", title="Robbery"), DIRECTOR
    search = call("retrieve_documents", collection="people", query="Lee, birthplace of"), FOUND
    other = call("get_film_director", title="Heat"), Observation('{"director":[]}')
    for done in ((), (director,), (director, search), (search,)):
        for action, seen in (director, search, other):
            before, after = history(film_tools, *done), history(film_tools, *done, (action, seen))
            added = progress(film_task, after).met > progress(film_task, before).met
            assert advances(film_task, before, after.steps[-1]) is added


A, B, C = (ToolCall("get_film_director", {"title": title}) for title in ("Robbery", "Heat", "Alien"))


@pytest.fixture
def together(film_task: Task) -> Task:
    """Two calls that are made together, then another one."""
    gold = dataclasses.replace(film_task.turns[0].gold, actions=(CallTools((A, B)), CallTools((C,))), documents=())
    return dataclasses.replace(film_task, turns=(Turn("?", gold),))


def test_calls_of_one_gold_action_are_asked_for_together(together: Task, film_tools) -> None:
    assert progress(together, history(film_tools)).next == CallTools((A, B))
    half = progress(together, history(film_tools, (CallTools((B,)), DIRECTOR)))
    assert (half.met, half.needed, half.next) == (1, 3, CallTools((A,)))


@pytest.mark.parametrize(
    ("calls", "gold"),
    [((A, B), True), ((B, A), True), ((A, B, C), True), ((C,), True), ((A,), False), ((A, B, A), False)],
)
def test_a_step_is_gold_if_it_makes_whole_actions_and_nothing_else(together: Task, film_tools, calls, gold) -> None:
    step = Step(Decision(CallTools(calls)), DIRECTOR, StepCategory.OTHER_CALL)
    assert advances(together, history(film_tools), step) is gold


@pytest.mark.parametrize(("first", "second", "same"), [(1, 1.0, True), (1, True, False), ([0], [False], False)])
def test_numbers_are_no_truth_values(first: object, second: object, same: bool) -> None:
    assert same_value({"x": first}, {"x": second}) is same
