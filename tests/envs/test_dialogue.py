"""Conversations: messages are answered by a user, who ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.envs import EnvStep
from agentbench.envs.dialogue import DialogueEnv
from agentbench.envs.users import GO_ON, NOTHING_LEFT, Hands, Script, ScriptedUser, User
from agentbench.errors import ToolError
from agentbench.types import (
    Action,
    Answer,
    AnswerType,
    CallTools,
    Final,
    Gold,
    Malformed,
    Observation,
    Outcome,
    Rule,
    Task,
    ToolCall,
    ToolSpec,
    Turn,
)

TASK = Task("t", "s", "d", (Turn("Count.", Gold(Answer(AnswerType.TEXT))),), rules=(Rule("Be kind."),))


class Counter:
    """Counts its calls in a list it shares with others."""

    def __init__(self, name: str, count: list[int]) -> None:
        parameters = {"type": "object", "properties": {"by": {"type": "integer"}}, "additionalProperties": False}
        self.spec = ToolSpec(name, "Counts.", parameters)
        self._count = count

    async def call(self, arguments: dict[str, Any]) -> Observation:
        if arguments.get("by") == 0:
            raise ToolError("by nothing")
        self._count[0] += arguments.get("by", 1)
        return Observation(orjson.dumps(self._count[0]).decode())


class Counting:
    """Agent and user count together."""

    def __init__(self, count: list[int], hands: Hands, user: User) -> None:
        self._count = count
        self._hands = hands
        self.user = user
        self.tools = (Counter("count_up", count), Counter("hand_over", count))

    def evidence(self, said: Sequence[str], calls: Sequence[ToolCall], ended: bool) -> dict[str, Any]:
        return {"count": self._count[0], "said": list(said), "calls": len(calls), "ended": ended}

    def fork(self) -> Counting:
        count = list(self._count)
        hands = self._hands.fork(pushes(count))
        return Counting(count, hands, self.user.fork(hands))


def pushes(count: list[int]) -> tuple[Counter, ...]:
    return (Counter("push", count), Counter("push_hard", count))


@pytest.fixture(scope="module")
def talk() -> Callable[[], DialogueEnv]:
    def begin() -> DialogueEnv:
        count = [0]
        hands = Hands(pushes(count))
        script = Script("Hello, count for me.", {"push_hard": ({"by": 10}, {"by": 20})}, patience=2)
        return DialogueEnv(Counting(count, hands, ScriptedUser(script, hands)), "hand_over")

    return begin


def played(env: DialogueEnv, *actions: Action, begin: bool = True) -> list[EnvStep]:
    async def play() -> list[EnvStep]:
        if begin:
            await env.reset(TASK)
        return [await env.step(action) for action in actions]

    return asyncio.run(play())


def count(**arguments: int) -> CallTools:
    return CallTools((ToolCall("count_up", arguments),))


def test_the_opening_is_the_policy_and_what_the_user_says(talk: Callable[[], DialogueEnv]) -> None:
    env = talk()
    assert asyncio.run(env.reset(TASK)).text == "Be kind.\n\nHello, count for me."
    assert [spec.name for spec in env.tools] == ["count_up", "hand_over"]  # the user's tools are the user's


def test_a_message_is_answered_and_the_user_ends_after_asking_nothing_twice(talk: Callable[[], DialogueEnv]) -> None:
    env = talk()
    first, second = played(env, Final("Shall I?"), Final("Done."))
    assert (first.observation.text, first.terminated) == (GO_ON, False)
    assert (second.observation.text, second.terminated) == (NOTHING_LEFT, True)
    assert env.evidence() == {"count": 0, "said": ["Shall I?", "Done."], "calls": 0, "ended": True}


def test_a_user_uses_the_tools_a_message_names_in_its_order_and_the_script_s_way(
    talk: Callable[[], DialogueEnv],
) -> None:
    env = talk()
    first, second = played(env, Final("Please `push_hard`, then push."), Final("Push hard once more!"))
    assert first.observation.text == "push_hard: 10\npush: 11"
    assert (second.observation.text, second.terminated) == ("push_hard: 31", False)


def test_calls_may_be_repeated_and_misuse_is_an_observation(talk: Callable[[], DialogueEnv]) -> None:
    steps = played(talk(), count(), count(), count(by=0), Malformed("<", "cut"), CallTools((ToolCall("push", {}),)))
    assert [step.observation.outcome for step in steps] == [
        Outcome.OK,
        Outcome.OK,
        Outcome.TOOL_ERROR,
        Outcome.MALFORMED,
        Outcome.UNKNOWN_TOOL,
    ]
    assert [step.observation.text for step in steps[:2]] == ["1", "2"]


def test_the_message_after_handing_over_is_the_last(talk: Callable[[], DialogueEnv]) -> None:
    env = talk()
    *_, last = played(env, CallTools((ToolCall("hand_over", {}),)), Final("Please hold on."))
    assert last.terminated and env.evidence()["ended"]


def test_a_conversation_that_is_cut_off_has_not_ended(talk: Callable[[], DialogueEnv]) -> None:
    env = talk()
    played(env, count(), Final("Wait."))
    assert not env.evidence()["ended"]


ACTIONS = st.sampled_from(
    (count(), count(by=3), Final("push"), Final("push_hard please"), Final("Done?"), Malformed("", "x"))
)


@settings(max_examples=50)
@given(before=st.lists(ACTIONS, max_size=5), here=st.lists(ACTIONS, max_size=5), there=st.lists(ACTIONS, max_size=5))
def test_a_fork_goes_on_as_the_original_would_have(
    talk: Callable[[], DialogueEnv], before: list[Action], here: list[Action], there: list[Action]
) -> None:
    original = talk()
    played(original, *before)
    fork = asyncio.run(original.fork())
    played(original, *here, begin=False)
    alone = talk()
    expected = played(alone, *before, *there)[len(before) :]
    assert played(fork, *there, begin=False) == expected
    assert fork.evidence() == alone.evidence()
