"""Running sums over episodes, counted by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from agentbench.config.model import Price
from agentbench.episodes.rates import rate
from agentbench.episodes.summary import ExpertSettings, ScoreSums, Seconds, agreement, cost
from agentbench.episodes.table import notes
from agentbench.episodes.tally import Tally, differ, step_preferences
from agentbench.types import (
    Action,
    Actor,
    Alternative,
    Branch,
    CallTools,
    Decision,
    EndReason,
    Final,
    Generation,
    History,
    Malformed,
    Observation,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolSpec,
    Trajectory,
    Usage,
)

TOOL = ToolSpec("f", "Does f.", {"type": "object", "properties": {"limit": {"type": "integer", "default": 5}}})


def calls(name: str, **arguments: object) -> CallTools:
    return CallTools((ToolCall(name, arguments),))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (calls("f", x=1), dataclasses.replace(calls("f", x=1), thought="hm"), False),
        (calls("f", x=1), calls("f", x=1, limit=5), False),
        (calls("f", x=1), calls("f", x=2), True),
        (calls("f", x=1), calls("g", x=1), True),
        (calls("f"), CallTools((ToolCall("f", {}), ToolCall("f", {}))), True),
        (Final("The Hague."), Final("hague"), False),
        (Final("Hague"), Final("Paris"), True),
        (Final("f"), calls("f"), True),
        (Malformed("f(", "cut off"), calls("f"), True),
        (Malformed("f(", "cut off"), Malformed("g(", "cut off"), False),
    ],
)
def test_actions_differ_where_their_effects_do(first: Action, second: Action, expected: bool) -> None:
    assert differ(first, second, (TOOL,)) is expected and differ(second, first, (TOOL,)) is expected


def step(actor: Actor, reason: str, other: Action, branches: tuple[Branch, ...] = ()) -> Step:
    generation = Generation("agent", "f", usage=Usage(10, 3, 4))
    alternatives = (Alternative(Actor.AGENT, other),)
    decision = Decision(calls("f"), actor, alternatives, (generation,), reason)
    return Step(decision, Observation("1"), StepCategory.GOLD_CALL, branches=branches)


@pytest.fixture
def solved(make_task: Callable[..., Task]) -> Trajectory:
    """Three steps, two of them the expert's; one branch with two more generations."""
    judged = Decision(Final("x"), generations=(Generation("judge", "5", usage=Usage(1, 1, 1)),))
    later = Step(judged, Observation(""), StepCategory.WRONG_FINAL)
    branch = Branch(judged, (later,), EndReason.FINAL)
    steps = (
        step(Actor.EXPERT, "failing", calls("g")),
        step(Actor.EXPERT, "random", calls("f", limit=5), (branch,)),
        step(Actor.AGENT, "", calls("h")),
    )
    task = make_task("a", scenario="api", tool_availability="both_api_rag")
    return Trajectory(task, History((TOOL,), Observation("q"), steps), EndReason.FINAL, (Score("answer", 1.0),))


@pytest.fixture
def tally(solved: Trajectory, make_task: Callable[..., Task]) -> Tally:
    """Solved; wrong at the horizon; an error after all steps; unscored, in another domain."""
    tally = Tally(ExpertSettings("informed", 1, 2, 0.0))
    tally.add(solved)
    tally.add(dataclasses.replace(solved, end=EndReason.HORIZON, scores=(Score("answer", 0.5),)))
    tally.add(dataclasses.replace(solved, end=EndReason.ERROR, scores=(), error="LlmError: 500: oops"))
    elsewhere = dataclasses.replace(make_task("d"), domain="letters")
    tally.add(Trajectory(elsewhere, History((), Observation("q")), EndReason.FINAL, (Score("answer", None),)))
    return tally


def test_success_is_counted_over_all_and_over_those_judged(tally: Tally) -> None:
    summary = tally.summary()
    assert (summary.n, summary.success.count, summary.success.rate) == (4, 1, 1 / 4)
    assert (summary.success_of_judged.n, summary.success_of_judged.rate) == (2, 1 / 2)
    assert (summary.terminated, summary.truncated, summary.errors) == (2, 1, {"LlmError": 1})


def test_steps_are_counted_by_actor_reason_and_category(tally: Tally) -> None:
    summary = tally.summary()
    tracker = summary.expert_assistance.tracker
    assert (summary.total_time_steps, tracker.expert_steps, tracker.agent_steps) == (9, 6, 3)
    assert tracker.expert_share == 6 / 9 and tracker.interventions == {"failing": 3, "random": 3}
    assert summary.step_categories == {"gold_call": 9}


def test_the_experts_settings_stand_in_the_summary(tally: Tally) -> None:
    assistance = tally.summary().expert_assistance
    assert (assistance.mode, assistance.init_limit, assistance.recent_limit) == ("informed", 1, 2)
    assert assistance.random_epsilon == 0.0


def test_step_preferences_are_steps_whose_alternative_does_something_else(solved: Trajectory, tally: Tally) -> None:
    assert step_preferences(solved) == 2  # g and h; f with the default written out is f
    assert tally.summary().step_preferences == 3 * 2


def test_tokens_are_added_up_by_role_branches_included(tally: Tally) -> None:
    # three times three steps of (10, 3, 4); the branch's one decision stands on it and on its first step: once each
    assert tally.summary().tokens == {"agent": Usage(90, 27, 36), "judge": Usage(3, 3, 3)}


def test_a_branch_without_steps_is_paid_too(solved: Trajectory) -> None:
    judged = Decision(Final("x"), generations=(Generation("judge", "5", usage=Usage(1, 1, 1)),))
    bare = dataclasses.replace(solved.history.steps[0], branches=(Branch(judged, (), EndReason.ERROR),))
    tally = Tally(ExpertSettings())
    tally.add(dataclasses.replace(solved, history=dataclasses.replace(solved.history, steps=(bare,))))
    assert tally.summary().tokens["judge"] == Usage(1, 1, 1)


def spent(role: str, prompt: int, completion: int, cached: int = 0) -> Generation:
    return Generation(role, "", usage=Usage(prompt, completion, cached))


def test_what_scorers_said_is_counted_and_paid_by_role(solved: Trajectory) -> None:
    prices = {
        "agent": Price(prompt=2.0, cached=0.5, completion=10.0),
        "judge": Price(prompt=1.0, completion=4.0),
        "expert": Price(),
    }
    said = (spent("judge", 1000, 100), spent("judge", 500, 50, 400))
    history = dataclasses.replace(solved.history, steps=())
    tally = Tally(ExpertSettings(), prices)
    tally.add(dataclasses.replace(solved, history=history, scores=(Score("judge", 1.0, generations=said),)))
    assert tally.summary().tokens == {"judge": Usage(1500, 150, 400)}
    # fresh 1100 at 1, cached 400 at 0, completions 150 at 4, per million; the agent said nothing; zeros are no price
    assert tally.summary().cost_usd == {"agent": 0.0, "judge": pytest.approx((1100 + 600) / 1e6)}


def test_cached_prompt_tokens_have_their_own_price() -> None:
    # 600 fresh at 2, 400 cached at 0.5, 100 at 10: 1200 + 200 + 1000 = 2400 dollars per million
    assert cost(Usage(1000, 100, 400), Price(prompt=2.0, cached=0.5, completion=10.0)) == pytest.approx(0.0024)


def scored(solved: Trajectory, **values: float | None) -> Trajectory:
    return dataclasses.replace(solved, scores=tuple(Score(name, value) for name, value in values.items()))


def test_other_scores_have_their_means_and_counts(solved: Trajectory) -> None:
    tally = Tally(ExpertSettings())
    for given in ({"policy": 1.0, "judge": None}, {"policy": 0.5, "judge": None}, {"policy": None, "answer": 1.0}):
        tally.add(scored(solved, **given))
    expected = {"judge": ScoreSums(0, 2, None), "policy": ScoreSums(2, 1, 0.75)}
    assert tally.summary().scores == expected and tally.summary().judge_agreement is None


def test_the_first_cause_of_a_missing_score_is_kept(solved: Trajectory) -> None:
    tally = Tally(ExpertSettings())
    for cause in ("HTTP 401", "HTTP 500"):
        tally.add(dataclasses.replace(solved, scores=(Score("judge", None, cause), Score("policy", 1.0, "kept"))))
    assert tally.summary().scores == {"judge": ScoreSums(0, 2, None, "HTTP 401"), "policy": ScoreSums(2, 0, 1.0)}


def test_rules_and_judge_are_compared_where_both_scored(solved: Trajectory) -> None:
    tally = Tally(ExpertSettings())
    seen = 20 * [(1.0, 1.0)] + 5 * [(1.0, 0.5)] + 10 * [(0.0, 1.0)] + 15 * [(0.5, 0.0)] + [(1.0, None), (None, 1.0)]
    for answer, judge in seen:
        tally.add(scored(solved, answer=answer, judge=judge))
    found = tally.summary().judge_agreement
    assert found is not None and found.n == 50
    assert (found.both_solved, found.only_answer, found.only_judge, found.both_unsolved) == (20, 5, 10, 15)
    assert found.agreement == rate(35, 50)
    # p_o = 35/50 = 0.7; p_c = 25/50 · 30/50 + 25/50 · 20/50 = 0.3 + 0.2 = 0.5; kappa = 0.2 / 0.5
    assert found.kappa == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [((5, 0, 0, 5), 1.0), ((0, 5, 5, 0), -1.0), ((1, 1, 1, 1), 0.0), ((5, 0, 0, 0), None), ((0, 0, 0, 5), None)],
)
def test_kappa_at_its_ends(counts: tuple[int, int, int, int], kappa: float | None) -> None:
    assert agreement(*counts).kappa == kappa


def test_success_is_broken_down_by_domain_and_by_what_the_task_says(tally: Tally) -> None:
    summary = tally.summary()
    assert {name: (rate.count, rate.n) for name, rate in summary.by_domain.items()} == {
        "letters": (0, 1),
        "numbers": (1, 3),
    }
    assert {name: (rate.count, rate.n) for name, rate in summary.by_scenario.items()} == {"api": (1, 3)}
    assert {name: rate.n for name, rate in summary.by_tool_availability.items()} == {"both_api_rag": 3}


def test_every_episodes_metadata_stands_in_the_summary_by_sample_id(tally: Tally) -> None:
    listed = [(it["sample_id"], it["success"], it["total_time_steps"]) for it in tally.summary().episodes]
    assert listed == [("a", True, 3), ("a", False, 3), ("a", False, 3), ("d", False, 0)]


def test_an_empty_run_has_no_rates() -> None:
    summary = Tally(ExpertSettings()).summary()
    assert (summary.success.rate, summary.expert_assistance.tracker.expert_share) == (None, None)


def test_times_faults_and_cached_prompts_are_added_up(solved: Trajectory) -> None:
    waited = Generation("agent", "", usage=Usage(8, 1, 2), seconds=3.0, queue_seconds=1.0, faults=("cut", "timeout"))
    decision = Decision(calls("f"), generations=(waited, waited))
    step = Step(decision, Observation(""), StepCategory.GOLD_CALL, seconds=0.5)
    tally = Tally(ExpertSettings())
    tally.add(dataclasses.replace(solved, history=dataclasses.replace(solved.history, steps=(step, step))))
    summary = tally.summary()
    # four generations of 2 s and 1 s of waiting, two steps of 0.5 s; 2 of 8 prompt tokens were cached each time
    assert summary.seconds == Seconds(8.0, 4.0, 1.0) and summary.cached_share == {"agent": 0.25}
    assert summary.faults == {"cut": 4, "timeout": 4}


def test_the_table_says_what_was_cached_waited_for_and_repeated(solved: Trajectory) -> None:
    waited = Generation("agent", "", usage=Usage(1000, 10, 450), seconds=3.0, queue_seconds=1.0, faults=("cut",))
    step = Step(Decision(calls("f"), generations=(waited,)), Observation(""), StepCategory.GOLD_CALL, seconds=0.5)
    tally = Tally(ExpertSettings())
    tally.add(dataclasses.replace(solved, history=dataclasses.replace(solved.history, steps=(step,))))
    said = notes(tally.summary())
    assert "tokens of agent: 1,000 in prompts (45.0 % of them cached), 10 in completions" in said
    assert "seconds per step: model 2.000, waiting for it 1.000, tools 0.500" in said
    assert "requests repeated: cut 1" in said
