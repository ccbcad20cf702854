"""The environment of coding agents over a small world of our own; the real engine's is in `test_appworld.py`."""

from __future__ import annotations

import asyncio

import pytest

from agentbench.config.env_appworld import Docs
from agentbench.envs import EnvStep, Restoring
from agentbench.envs.code_env import CodeEnv, opening_text, verdict
from agentbench.scoring.environment import EnvironmentScorer
from agentbench.tools.code.appworld import Executed, Judged, Opened
from agentbench.types import (
    Action,
    Answer,
    AnswerType,
    CallTools,
    EndReason,
    Final,
    Gold,
    History,
    Malformed,
    Observation,
    Outcome,
    Task,
    ToolCall,
    Trajectory,
    Turn,
)

TASK = Task("pay_1", "appworld", "appworld", (Turn("Pay Otto.", Gold(Answer(AnswerType.TEXT))),))
USER = {"first_name": "Mina", "last_name": "Berg", "email": "mina@example.com", "phone_number": "555"}


class Ledger:
    """A world in which `pay` pays, `done` completes, and all else raises."""

    opened = Opened("Pay Otto.", USER, {"bank": "Money."}, {"bank": {"pay": "Pays."}})

    def __init__(self) -> None:
        self.paid = self.closed = False
        self.judgements = 0

    async def execute(self, code: str) -> Executed:
        self.paid |= code == "pay"
        return Executed("" if code in ("pay", "done") else "NameError", code not in ("pay", "done"), code == "done")

    async def evaluate(self) -> Judged:
        self.judgements += 1
        return Judged(self.paid, 2, 1 + self.paid, () if self.paid else ("Otto is paid",))

    async def close(self) -> None:
        self.closed = True


def run(code: str) -> CallTools:
    return CallTools((ToolCall("python", {"code": code}),))


def play(world: Ledger, *actions: Action, most_steps: int = 10) -> tuple[CodeEnv, list[EnvStep]]:
    async def opened(_task: str) -> Ledger:
        return world

    async def episode() -> list[EnvStep]:
        await env.reset(TASK)
        return [await env.step(action) for action in actions]

    env = CodeEnv(opened, Docs.NONE, most_steps)  # type: ignore[arg-type]  # as much of a world as is asked
    return env, asyncio.run(episode())


def scores(env: CodeEnv) -> dict[str, float | None]:
    ended = Trajectory(TASK, History((), Observation("")), EndReason.ENV_DONE, evidence=env.evidence())
    return {score.name: score.value for score in asyncio.run(EnvironmentScorer().score(ended))}


def test_a_completed_world_ends_the_episode_and_is_judged_once() -> None:
    world = Ledger()
    env, steps = play(world, run("pay"), run("done"))
    assert [step.terminated for step in steps] == [False, True] and world.judgements == 1
    assert scores(env) == {"answer": 1.0, "tests": 1.0}


def test_words_end_it_too_and_a_world_without_payment_is_not_solved() -> None:
    env, (step,) = play(Ledger(), Final("I paid."))
    assert step.terminated and scores(env) == {"answer": 0.0, "tests": 0.5}
    assert env.evidence()["verdict"]["explanation"] == "1 of 2 tests passed; not: Otto is paid"


def test_the_last_step_judges_the_world_as_it_stands() -> None:
    env, steps = play(Ledger(), run("pay"), run("x"), most_steps=2)
    assert [step.truncated for step in steps] == [False, True] and scores(env)["answer"] == 1.0


def test_an_episode_that_is_not_over_has_no_evidence() -> None:
    env, _ = play(Ledger(), run("pay"))
    assert env.evidence() == {}


MISUSE = {
    "code that raises": (run("x"), Outcome.TOOL_ERROR),
    "another tool": (CallTools((ToolCall("shell", {}),)), Outcome.UNKNOWN_TOOL),
    "no code": (CallTools((ToolCall("python", {}),)), Outcome.BAD_ARGUMENTS),
    "code that is no text": (CallTools((ToolCall("python", {"code": 1}),)), Outcome.BAD_ARGUMENTS),
    "half a character": (run("\ud800"), Outcome.BAD_ARGUMENTS),
    "two calls": (CallTools((ToolCall("python", {"code": "pay"}),) * 2), Outcome.MALFORMED),
    "no call": (CallTools(()), Outcome.MALFORMED),
    "unreadable text": (Malformed("x", "no call"), Outcome.MALFORMED),
}


@pytest.mark.parametrize(("action", "outcome"), MISUSE.values(), ids=MISUSE)
def test_misuse_is_an_observation(action: Action, outcome: Outcome) -> None:
    world = Ledger()
    _, (step,) = play(world, action)
    assert step.observation.outcome is outcome and not step.terminated and not world.paid


def test_the_same_code_may_run_twice() -> None:
    _, steps = play(Ledger(), run("pay"), run("pay"))
    assert [step.observation.outcome for step in steps] == [Outcome.OK, Outcome.OK]


def test_a_world_can_only_be_played_again() -> None:
    env, _ = play(Ledger())
    assert env.restoring is Restoring.REPLAY
    with pytest.raises(NotImplementedError):
        asyncio.run(env.fork())


def test_closing_ends_the_world() -> None:
    world = Ledger()
    env, _ = play(world)
    asyncio.run(env.close())
    assert world.closed


def test_the_opening_tells_as_much_of_the_apps_as_is_wanted() -> None:
    plain = "I am Mina Berg, mina@example.com, 555.\nPay Otto."
    assert opening_text(Ledger.opened, Docs.NONE) == plain
    assert opening_text(Ledger.opened, Docs.APPS) == f"Apps:\n- bank: Money.\n\n{plain}"
    assert opening_text(Ledger.opened, Docs.APIS) == f"APIs:\n- apis.bank.pay: Pays.\n\n{plain}"


def test_a_task_without_tests_is_not_judged() -> None:
    assert verdict(Judged(None, 0, 0, ())).solved is None
