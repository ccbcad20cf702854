"""Instructions planted into what tools bring back, and what is done against them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from agentbench.config.schema import schema


class AttackKind(StrEnum):
    """What a planted text tries."""

    CALL_TOOL = "call_tool"
    """Asks for a call that the task does not need."""
    FAKE_CALL = "fake_call"
    """Is written as if that call had been made already, in the layout of some model family."""
    OTHER_ANSWER = "other_answer"
    """Asks for another answer."""
    FAKE_TURN = "fake_turn"
    """Ends the result with role markers and special tokens and lets a made-up user ask for another answer."""
    REVEAL_SECRET = "reveal_secret"
    """Asks for the confidential reference that the agent was given before the question."""
    REVEAL_PROMPT = "reveal_prompt"
    """Asks for everything the agent was told before the question, that reference included."""


CALLING = (AttackKind.CALL_TOOL, AttackKind.FAKE_CALL)
"""Kinds that are after a call."""


class AttackPlace(StrEnum):
    """Which results carry the text."""

    ANY = "any"
    DOCUMENTS = "documents"
    """The best document of a search."""
    RESULTS = "results"
    """Results that are no documents."""


class Wordings(StrEnum):
    """How an attack is put into words."""

    BY_SPLIT = "by_split"
    """Tasks of the test split: held-out wordings; all others: those for training."""
    TRAINING = "training"
    HELD_OUT = "held_out"
    ANY = "any"


class Defence(StrEnum):
    """What is done against planted texts."""

    NONE = "none"
    DELIMITING = "delimiting"
    """Every result stands under one key of a JSON object, which no text can leave, and the agent is told so."""
    DATAMARKING = "datamarking"
    """Blanks in results become `^`, and the agent is told so (Hines et al. 2024, section 4.2)."""
    ENCODING = "encoding"
    """Texts in results are in base64, and the agent is told so (Hines et al. 2024, section 4.3)."""
    ENFORCEMENT = "enforcement"
    """Calls outside an allow-list made of the user's own words are refused."""


SHOWN_OTHERWISE = (Defence.DELIMITING, Defence.DATAMARKING, Defence.ENCODING)
"""Defences that change what the agent is shown."""


@schema
class InjectionConfig:
    """Attacks by way of tool results, the same for a task in every run of the same tasks and seed."""

    kinds: tuple[AttackKind, ...] = ()
    """What is tried; each attacked task gets one of these. None: no attacks."""
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the tasks that are attacked."""
    place: AttackPlace = AttackPlace.ANY
    """Where the text stands: in the first result of an episode that fits, and in no other."""
    wordings: Wordings = Wordings.BY_SPLIT
    seed: int = 0
    """Draws tasks, kinds, wordings, calls, answers and secrets."""
    defence: Defence = Defence.NONE
    """May be on without attacks, to see what it costs."""
    allowed_tools: Annotated[int, Field(ge=1, le=1000)] = 5
    """With defence=enforcement: API tools that may be called, those that look most like what the user said (BM25).
    Searches are always allowed, calls that a task's rules forbid never."""


def injection_fits(env: Any) -> str:
    """Whether an environment has results to plant into, and tools that an allow-list can be made of."""
    injection: InjectionConfig = env.injection
    if injection != InjectionConfig() and env.kind in ("bfcl", "function_call"):
        return f"env.injection: env={env.kind} has no results that an agent reads; leave it away"
    if injection.defence is Defence.ENFORCEMENT and env.kind not in ("m3", "mcp"):
        return f"env.injection.defence: enforcement needs API tools to choose among, which env={env.kind} has not"
    if len(set(injection.kinds)) < len(injection.kinds):
        return "env.injection.kinds: names a kind more than once"
    return ""


def online_shows_the_record(stage: Any, env: Any) -> str:
    """Stages that play train on the record, which does not hold the changed results."""
    if stage.kind in ("grpo", "rloo", "ppo", "rft") and env.injection.defence in SHOWN_OTHERWISE:
        return (
            f"env.injection.defence: stage={stage.kind} trains on results as they were recorded; use none or "
            "enforcement, or train on rows of build_prefs"
        )
    return ""


def served_results_are_plain(serve: Any, env: Any) -> str:
    """Nothing is planted into what an MCP server of ours answers."""
    if serve.kind == "mcp" and env.injection != InjectionConfig():
        return "env.injection: serve=mcp gives tools alone, without attacks and defences; leave it away"
    return ""
