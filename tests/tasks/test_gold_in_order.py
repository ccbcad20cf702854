"""Gold chains whose calls change a world are scripts: in order, and again where they stand twice."""

from __future__ import annotations

from agentbench.tasks.gold import advances, progress
from agentbench.types import (
    Answer,
    AnswerType,
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
    Turn,
)

UP, LIST = CallTools((ToolCall("cd", {"folder": ".."}),)), CallTools((ToolCall("ls", {}),))
SECRET = Answer(AnswerType.TEXT, None)


def step(action: CallTools | Final, outcome: Outcome = Outcome.OK) -> Step:
    return Step(Decision(action), Observation("", outcome), StepCategory.OTHER_CALL)


def history(*steps: Step) -> History:
    return History((), Observation("Go up twice, then list."), steps)


TASK = Task(
    "files-1",
    "files",
    "files",
    (
        Turn("Go up twice, then list.", Gold(SECRET, (UP, UP, LIST), in_order=True)),
        Turn("Once more.", Gold(SECRET, (UP,), in_order=True)),
    ),
)


def test_a_call_that_stands_there_twice_is_made_twice() -> None:
    ahead = progress(TASK, history(step(UP)))
    assert (ahead.met, ahead.needed, ahead.next) == (1, 3, UP)
    assert progress(TASK, history(step(UP), step(UP))).next == LIST


def test_a_call_out_of_order_does_not_count() -> None:
    assert progress(TASK, history(step(LIST))).met == 0
    assert not advances(TASK, history(step(UP)), step(LIST))
    assert advances(TASK, history(step(UP)), step(UP))


def test_a_call_that_fails_in_the_script_is_not_made_for_ever() -> None:
    assert progress(TASK, history(step(UP, Outcome.TOOL_ERROR))).met == 1


def test_an_earlier_turns_calls_are_no_part_of_the_open_one() -> None:
    made = (step(UP), step(UP), step(LIST), step(Final("done")))
    assert progress(TASK, history(*made)).next == UP
    assert progress(TASK, history(*made, step(UP))).next is None
