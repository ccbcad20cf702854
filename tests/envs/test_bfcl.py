"""BFCL's questions on its own simulated APIs and checkers, in a process of their own; `make bfcl` builds it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agentbench.envs import EnvStep
from agentbench.envs.bfcl import STEPS_PER_TURN, BfclDialogue, BfclQuestion
from agentbench.errors import PreflightError
from agentbench.tasks.bfcl.process import Official, load
from agentbench.tasks.bfcl.questions import Question, questions
from agentbench.types import Action, CallTools, Final, Malformed, Outcome, ToolCall

PYTHON = Path(__file__).parents[2] / ".venv-bfcl/bin/python"
needs_bfcl = pytest.mark.skipif(not PYTHON.is_file(), reason="no .venv-bfcl here; make bfcl builds it")
T = TypeVar("T")


def function(name: str, **properties: str) -> dict[str, Any]:
    schema = {"type": "dict", "properties": {key: {"type": kind} for key, kind in properties.items()}, "required": []}
    return {"name": name, "description": f"{name} of files.", "parameters": schema}


FUNCTIONS = [function("ls", a="boolean"), function("cd", folder="string"), function("touch", file_name="string")]
LATER = function("cat", file_name="string")


def dialogue() -> Question:
    """Two turns over the official simulated file system, in words of our own; `cat` comes with the second."""
    files = {"notes.txt": {"type": "file", "content": "milk"}}
    root = {"home": {"type": "directory", "contents": {"shop": {"type": "directory", "contents": files}}}}
    entry = {
        "id": "multi_turn_miss_func_9000",
        "question": [[{"role": "user", "content": "Go to the shop and add list.txt."}], []],
        "initial_config": {"GorillaFileSystem": {"root": root}},
        "involved_classes": ["GorillaFileSystem"],
        "missed_function": {"1": [LATER]},
    }
    truth = [["cd('shop')", "touch('list.txt')"], ["cat(file_name='notes.txt')"]]
    loaded = {"entry": entry, "shown": FUNCTIONS, "ground_truth": truth}
    (question,) = questions("multi_turn_miss_func", [loaded], "Now read the notes.")
    return question


def single(category: str, truth: Any) -> Question:
    add = {"name": "math.add", "description": "Adds.", "parameters": {"type": "dict", "properties": {}, "required": []}}
    add["parameters"]["properties"] = {"a": {"type": "integer"}, "b": {"type": "integer"}}  # type: ignore[index]
    entry = {"id": f"{category}_0", "question": [[{"role": "user", "content": "1 and 2?"}]], "function": [add]}
    (question,) = questions(category, [{"entry": entry, "shown": [add], "ground_truth": truth}], "")
    return question


def calls(*made: tuple[str, dict[str, Any]]) -> CallTools:
    return CallTools(tuple(ToolCall(name, arguments) for name, arguments in made))


def played(env: BfclQuestion | BfclDialogue, question: Question, *actions: Action) -> tuple[list[EnvStep], Any]:
    """The environment's answers, and its evidence."""

    async def play() -> list[EnvStep]:
        try:
            await env.reset(question.task)
            return [await env.step(action) for action in actions]
        finally:
            await env.close()

    return asyncio.run(play()), env.evidence()


def in_dialogue(*actions: Action, timeout_s: float = 20.0) -> tuple[list[EnvStep], Any]:
    question = dialogue()
    return played(BfclDialogue(question, Official(PYTHON, timeout_s)), question, *actions)


CD, TOUCH, CAT = ("cd", {"folder": "shop"}), ("touch", {"file_name": "list.txt"}), ("cat", {"file_name": "notes.txt"})


@needs_bfcl
def test_the_gold_calls_are_right_one_by_one_or_together() -> None:
    apart, evidence = in_dialogue(calls(CD), calls(TOUCH), Final("done"), calls(CAT), Final("milk"))
    assert [step.observation.outcome for step in apart] == [Outcome.OK] * 5
    assert apart[3].observation.text == '{"file_content": "milk"}' and apart[4].terminated
    assert evidence["verdict"]["solved"] is True
    together, evidence = in_dialogue(calls(CD, TOUCH), Final("done"), calls(CAT), Final("milk"))
    assert together[0].observation.text.startswith("[") and evidence["verdict"]["solved"] is True


@needs_bfcl
def test_a_world_left_otherwise_is_wrong_and_says_why() -> None:
    _, evidence = in_dialogue(calls(CD), Final("done"), calls(CAT), Final("milk"))
    assert evidence["verdict"]["solved"] is False
    assert "instance_state_mismatch" in evidence["verdict"]["explanation"]


@needs_bfcl
@pytest.mark.parametrize(
    ("name", "arguments", "outcome"),
    [
        ("open", {"file": "stolen.txt", "mode": "w"}, Outcome.UNKNOWN_TOOL),
        ("__import__('os').system", {"command": "touch stolen.txt"}, Outcome.UNKNOWN_TOOL),
        ("cat", {"file_name": "notes.txt"}, Outcome.UNKNOWN_TOOL),  # it comes with the second turn
        ("ls", {"a=open('stolen.txt', 'w'), b": True}, Outcome.BAD_ARGUMENTS),
    ],
)
def test_nothing_but_offered_functions_ever_reaches_the_executor(
    name: str, arguments: dict[str, Any], outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (step,), evidence = in_dialogue(calls((name, arguments)))
    assert step.observation.outcome is outcome and evidence["result"] == []
    assert list(tmp_path.iterdir()) == []


@needs_bfcl
def test_text_in_an_argument_stays_text() -> None:
    text = "'); __import__('os').system('false'); ('"
    (_, step), _ = in_dialogue(calls(CD), calls(("touch", {"file_name": text})))
    assert step.observation.outcome in (Outcome.OK, Outcome.TOOL_ERROR)
    assert "unexpected" not in step.observation.text.lower()


@needs_bfcl
def test_a_dialogue_stopped_before_its_end_is_not_solved_and_written_as_far_as_it_went() -> None:
    _, evidence = in_dialogue(calls(CD, TOUCH), Final("done"), calls(CAT))
    assert evidence["verdict"]["solved"] is False
    assert [len(turn) for turn in evidence["result"]] == [2]  # the calls and the answer of the first turn


@needs_bfcl
def test_a_turn_has_as_many_steps_as_officially() -> None:
    steps, _ = in_dialogue(*[calls(("ls", {}))] * (STEPS_PER_TURN + 1))
    assert [step.truncated for step in steps] == [False] * STEPS_PER_TURN + [True]


@needs_bfcl
def test_text_that_is_no_action_is_complained_about_and_the_turn_goes_on() -> None:
    steps, evidence = in_dialogue(Malformed("<call", "no JSON"), calls(CD, TOUCH), Final(""), calls(CAT), Final(""))
    assert steps[0].observation.outcome is Outcome.MALFORMED and evidence["verdict"]["solved"] is True


@needs_bfcl
@pytest.mark.parametrize(
    ("action", "solved"),
    [
        (calls(("math_add", {"a": 1, "b": 2})), True),
        (calls(("math_add", {"a": 2, "b": 1})), False),
        (calls(("math_add", {"a": 1, "b": 2}), ("math_add", {"a": 1, "b": 2})), False),
        (Final("3"), False),
        (Malformed("?", "no call"), False),
    ],
)
def test_the_official_checker_judges_single_questions(action: Action, solved: bool) -> None:
    question = single("simple_python", [{"math.add": {"a": [1], "b": [2]}}])
    steps, evidence = played(BfclQuestion(question, Official(PYTHON, 20.0)), question, action)
    assert steps[0].terminated and evidence["verdict"]["solved"] is solved


@pytest.mark.parametrize(
    ("category", "action", "solved"),
    [
        ("irrelevance", Final("I cannot."), True),
        ("irrelevance", calls(("math_add", {})), False),
        ("live_relevance", calls(("math_add", {})), True),
        ("live_relevance", Final("3"), False),
    ],
)
def test_relevance_is_whether_anything_is_called(category: str, action: Action, solved: bool) -> None:
    question = single(category, None)
    _, evidence = played(BfclQuestion(question, Official(None, 1.0)), question, action)
    assert evidence["verdict"]["solved"] is solved


def asked(work: Callable[[Official], Awaitable[T]], timeout_s: float = 20.0) -> T:
    async def use() -> T:
        official = Official(PYTHON, timeout_s)
        try:
            return await work(official)
        finally:
            await official.close()

    return asyncio.run(use())


@needs_bfcl
def test_a_process_that_takes_too_long_is_killed_and_another_one_answers() -> None:
    async def work(official: Official) -> Any:
        question = single("simple_python", [{"math.add": {"a": [1], "b": [2]}}])
        about: dict[str, Any] = {"category": "simple_python", "entry": question.entry, "calls": []}
        with pytest.raises(TimeoutError):
            official._timeout_s = 0.0
            await official.ask("calls", ground_truth=question.ground_truth, **about)
        official._timeout_s = 20.0
        return await official.ask("calls", ground_truth=question.ground_truth, **about)

    assert asked(work)["valid"] is False  # no call is a wrong one, and it was said by the second process


def test_without_its_environment_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="no such interpreter") as error:
        load(tmp_path / "python", ["parallel"])
    assert error.value.next_step.startswith("make bfcl")
