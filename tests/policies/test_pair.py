"""A critic and an actor: who sees what, and that a recorded episode shows the actor's conversation again."""

from __future__ import annotations

import asyncio
import dataclasses

from agentbench.llm import Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.policies.callers import Voice
from agentbench.policies.pair import OwnPerceiver, Pair, note_text, noted
from agentbench.templates.teacher import Teacher
from agentbench.types import CallTools, Decision, Final, Generation, History, Observation, Step, StepCategory
from tests.conftest import Call

ACTS = '{"content": "", "tool_calls": [{"name": "look", "arguments": {}}]}'


def pair(llm: ScriptedLlm) -> Pair:
    critic, actor = (Voice(llm, Teacher(text), Sampling()) for text in ("Watch.", "Act."))
    return Pair(OwnPerceiver(critic), actor, seed=3)


def play(agent: Pair, seen: list[str]) -> History:
    """Steps of the agent, with what comes back."""

    async def episode() -> History:
        history = History((), Observation("Pay Otto."))
        for text in seen:
            decision = await agent.act(history)
            step = Step(decision, Observation(text), StepCategory.OTHER_CALL)
            history = dataclasses.replace(history, steps=(*history.steps, step))
        return history

    return asyncio.run(episode())


def texts(llm: ScriptedLlm, request: int) -> list[str]:
    return [message["content"] for message in llm.requests[request].prompt.messages]


def test_the_critic_speaks_before_every_action_and_the_actor_acts() -> None:
    llm = ScriptedLlm(["Nothing is known yet.", ACTS, "Otto is found.", "done"])
    history = play(pair(llm), ["Otto Lund", ""])
    assert [said.role for step in history.steps for said in step.decision.generations] == ["perception", "agent"] * 2
    assert isinstance(history.steps[0].decision.action, CallTools)
    assert history.steps[1].decision.action == Final("done")


def test_the_actor_reads_every_note_and_the_critic_none() -> None:
    llm = ScriptedLlm(["Nothing is known yet.", ACTS, "Otto is found.", "done"])
    play(pair(llm), ["Otto Lund", ""])
    assert texts(llm, 1) == ["Act.", "Pay Otto.\n\nNote: Nothing is known yet."]
    assert texts(llm, 2) == ["Watch.", "Pay Otto.", "", "Otto Lund"]
    assert texts(llm, 3) == [*texts(llm, 1), "", "Otto Lund\n\nNote: Otto is found."]


def test_a_recorded_episode_shows_what_the_actor_saw() -> None:
    llm = ScriptedLlm(["Nothing is known yet.", ACTS, "Otto is found.", "done"])
    history = play(pair(llm), ["Otto Lund", ""])
    seen = noted(dataclasses.replace(history, steps=history.steps[:1]))
    assert seen.opening.text == "Pay Otto.\n\nNote: Nothing is known yet."
    assert noted(history).steps[0].observation.text == "Otto Lund\n\nNote: Otto is found."


def test_an_episode_without_notes_is_the_same(call: Call) -> None:
    step = Step(Decision(call("look")), Observation("x"), StepCategory.OTHER_CALL)
    history = History((), Observation("Pay."), (step,))
    assert noted(history) is history


def test_a_note_is_words_without_thoughts_or_the_text_of_an_object() -> None:
    said = {"Otto owes you.": "Otto owes you.", "<think>hm</think> Ask.": "Ask.", '{"note": "Ask."}': "Ask."}
    assert [note_text((Generation("perception", text),)) for text in said] == list(said.values())
    assert note_text((Generation("agent", "not a note"),)) == ""


def test_an_empty_note_leaves_the_conversation_alone() -> None:
    llm = ScriptedLlm(["", ACTS])
    play(pair(llm), ["x"])
    assert texts(llm, 1) == ["Act.", "Pay Otto."]
