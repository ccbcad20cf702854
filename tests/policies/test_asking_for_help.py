"""Triggers beyond rules and chance: a budget, an agent that disagrees with itself, a person at the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from agentbench.episodes.tally import differ
from agentbench.policies.disagreement import Disagreement
from agentbench.policies.human import Person, read_step
from agentbench.policies.intervention import Intervention
from agentbench.policies.probes import Idle
from agentbench.policies.triggers import Always, Budgeted, Verdict
from agentbench.types import Action, Actor, Decision, Final, Generation, History, Observation, Step, StepCategory

PARIS = Decision(Final("Paris"))


def history(film_tools, *steps: Step) -> History:
    return History(tuple(tool.spec for tool in film_tools), Observation("?"), steps)


def taken(actor: Actor) -> Step:
    return Step(Decision(Final("x"), actor), Observation(""), StepCategory.WRONG_FINAL)


class Says:
    """An agent that always does the same, and says so in one generation."""

    def __init__(self, action: Action) -> None:
        self._action = action

    async def act(self, history: History) -> Decision:
        return Decision(self._action, generations=(Generation("agent", "said"),))


class Scripted:
    """A terminal whose person answers from a list; what it showed is kept."""

    def __init__(self, *answers: str) -> None:
        self._answers: Iterator[str] = iter(answers)
        self.shown: list[tuple[str, str]] = []

    def show(self, title: str, text: str) -> None:
        self.shown.append((title, text))

    async def ask(self, question: str) -> str:
        return next(self._answers)


def verdict(trigger, past: History, proposed: Decision = PARIS) -> Verdict:
    return asyncio.run(trigger(past, proposed))


@pytest.mark.parametrize(("by_expert", "reason"), [(0, "ground_truth"), (1, "ground_truth"), (2, "")])
def test_a_budget_of_two_steps_is_spent_after_two_expert_steps(film_tools, by_expert, reason) -> None:
    past = history(film_tools, taken(Actor.AGENT), *[taken(Actor.EXPERT)] * by_expert)
    assert verdict(Budgeted(Always(), 2), past).reason == reason


def test_a_spent_budget_is_noted_on_the_agents_step(film_tools) -> None:
    alone = Intervention(Idle(), Idle(), Budgeted(Always(), 0), keep_alternative=False)
    assert asyncio.run(alone.act(history(film_tools))).note == "the budget of 0 expert steps is spent"


@pytest.mark.parametrize(("threshold", "reason"), [(0.5, "disagreement"), (0.51, "")])
def test_two_of_four_votes_that_differ_are_half(film_tools, call, threshold, reason) -> None:
    votes = [Says(Final(" paris. ")), Says(Final("Paris")), Says(Final("Rome")), Says(call("get_film_director"))]
    found = verdict(Disagreement(votes, differ, threshold), history(film_tools))
    assert (found.reason, found.note) == (reason, "2 of 4 further samples do something else")


def test_votes_are_accounted_to_a_role_of_their_own(film_tools) -> None:
    found = verdict(Disagreement([Says(Final("Rome"))] * 3, differ, 1.0), history(film_tools))
    assert [generation.role for generation in found.generations] == ["vote"] * 3


def test_a_person_who_presses_enter_lets_the_agent_act(film_task, film_tools) -> None:
    terminal = Scripted("")
    assert verdict(Person(film_task, terminal), history(film_tools)).reason == ""
    assert [title for title, _ in terminal.shown] == ["task films-1", "the agent is about to"]


def test_a_person_takes_a_step_once_it_is_one(film_task, film_tools, call) -> None:
    terminal = Scripted(
        "what", "g", "t", "get_film_director title=Heat", "?", 'get_film_director {"title": "Heat"}', ""
    )
    person = Person(film_task, terminal)
    decision = asyncio.run(Intervention(Idle(), person, person, keep_alternative=False).act(history(film_tools)))
    assert (decision.action, decision.actor, decision.reason) == (
        call("get_film_director", title="Heat"),
        Actor.EXPERT,
        "human",
    )
    assert [title for title, _ in terminal.shown][2:] == ["not understood", "gold", "not a step", "tools"]
    assert decision.alternatives[0].action == Final("I don't know.")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("get_film_directr {}", "there is no tool 'get_film_directr'"),
        ("get_film_director {}", "the arguments of 'get_film_director': 'title' is a required property"),
        ("get_film_director [1]", 'the arguments have to be a JSON object like {"title": "Heat"}, not \'[1]\''),
        ("final ", "the answer is empty"),
    ],
)
def test_what_is_no_step_is_said_in_one_line(film_tools, line, problem) -> None:
    specs = {tool.spec.name: tool.spec for tool in film_tools}
    assert read_step(line, specs)[1] == problem


def test_an_answer_is_typed_after_final(film_tools) -> None:
    assert read_step("final Stroud, England", {}) == ({"kind": "final", "answer": "Stroud, England"}, "")
