"""Running sums over trajectories and a few facts of each: what a summary needs, without keeping any trajectory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from agentbench.config.model import Price
from agentbench.episodes.attacks import AttackCounts
from agentbench.episodes.branch_sums import BranchSums, add_branches
from agentbench.episodes.failures import kind
from agentbench.episodes.rates import Rate, TaskCounts, families_solved
from agentbench.episodes.summary import (
    Agreement,
    ExpertSettings,
    ScoreSums,
    Seconds,
    Summary,
    agreement,
    assistance,
    cost,
    episode_metadata,
    interventions,
    tracker,
)
from agentbench.llm.spoken import spoken
from agentbench.scoring.answers import normalise
from agentbench.tasks.gold import same_calls
from agentbench.types import (
    Action,
    CallTools,
    EndReason,
    Final,
    Generation,
    Malformed,
    Score,
    Step,
    ToolSpec,
    Trajectory,
    Usage,
)

NO_PRICES: Mapping[str, Price] = MappingProxyType({})


class Tally:
    """Counts finished episodes; `summary` can be asked for at any time."""

    def __init__(self, expert: ExpertSettings, prices: Mapping[str, Price] = NO_PRICES) -> None:
        """`prices` by role, as in `Generation.role`; a role whose price is nothing but zeros counts as without one."""
        self._expert = expert
        self._prices = prices
        self.n = 0
        self.successes = 0
        self._all = TaskCounts()
        self._judged = TaskCounts()
        self.steps = 0
        self.expert_steps = 0
        self.errors: Counter[str] = Counter()
        self.first_error = ""
        self._ends: Counter[str] = Counter()
        self._interventions: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()
        self._step_preferences = 0
        self._branching = BranchSums()
        self._attacks = AttackCounts()
        self._tokens: dict[str, Usage] = {}
        self._model_s = self._queue_s = self._tools_s = 0.0
        self.faults: Counter[str] = Counter()
        self._scores: dict[str, list[float]] = {}
        self._unscored: Counter[str] = Counter()
        self._causes: dict[str, str] = {}
        self._agreement: Counter[tuple[bool, bool]] = Counter()
        self._episodes: list[str] = []
        self._families: list[tuple[str, int, bool]] = []
        self._groups: dict[str, dict[str, TaskCounts]] = {"domain": {}, "scenario": {}, "tool_availability": {}}

    def add(self, trajectory: Trajectory) -> None:
        """Takes one episode into the sums."""
        self.n += 1
        self.successes += trajectory.success
        self.steps += len(trajectory.history.steps)
        self.expert_steps += trajectory.expert_steps
        self._all.add(trajectory.task.id, trajectory.success)
        if any(score.name == "answer" and score.value is not None for score in trajectory.scores):
            self._judged.add(trajectory.task.id, trajectory.success)
        self._ends["terminated"] += trajectory.terminated
        self._ends["truncated"] += trajectory.truncated
        if trajectory.end is EndReason.ERROR:
            self.errors[kind(trajectory.error)] += 1
            self.first_error = self.first_error or trajectory.error
        self._interventions.update(interventions(trajectory))
        self._categories.update(step.category.value for step in trajectory.history.steps)
        self._step_preferences += step_preferences(trajectory)
        self._branching = add_branches(self._branching, trajectory)
        self._attacks.add(trajectory)
        self._episodes.append(orjson.dumps(episode_metadata(trajectory, self._expert)).decode())
        self._add_generations(trajectory)
        self._tools_s += math.fsum(step.seconds for step in trajectory.history.steps)
        self._add_scores(trajectory.scores)
        self._add_groups(trajectory)
        if family := trajectory.task.data.get("family"):
            self._families.append((str(family), trajectory.sample, trajectory.success))

    def summary(self, lost_workers: int = 0) -> Summary:
        """The sums as they stand."""
        tracked = tracker(self.expert_steps, self.steps - self.expert_steps, dict(self._interventions))
        return Summary(
            n=self.n,
            success=self._all.rate(),
            success_of_judged=self._judged.rate(),
            terminated=self._ends["terminated"],
            truncated=self._ends["truncated"],
            errors=dict(self.errors),
            total_time_steps=self.steps,
            expert_assistance=assistance(self._expert, tracked),
            step_categories=dict(self._categories),
            step_preferences=self._step_preferences,
            tokens=dict(self._tokens),
            cached_share=self._cached_share(),
            seconds=Seconds(self._model_s, self._queue_s, self._tools_s),
            faults=dict(self.faults),
            cost_usd=self._cost(),
            scores=self._score_sums(),
            judge_agreement=self._judge_agreement(),
            by_domain=self._rates("domain"),
            by_scenario=self._rates("scenario"),
            by_tool_availability=self._rates("tool_availability"),
            episodes=self._metadata(),
            lost_workers=lost_workers,
            branching=self._branching,
            families=families_solved(self._families) if self._families else None,
            attacks=self._attacks.rates(),
        )

    def _add_generations(self, trajectory: Trajectory) -> None:
        own = [each for step in trajectory.history.steps for each in step.decision.generations]
        for generation in (*own, *(each for score in trajectory.scores for each in score.generations)):
            self._queue_s += generation.queue_seconds
            self._model_s += generation.seconds - generation.queue_seconds
        for generation in said_in(trajectory):
            self.faults.update(generation.faults)
            sums, more = self._tokens.get(generation.role, Usage()), generation.usage
            self._tokens[generation.role] = Usage(
                sums.prompt_tokens + more.prompt_tokens,
                sums.completion_tokens + more.completion_tokens,
                sums.cached_tokens + more.cached_tokens,
            )

    def _add_scores(self, scores: tuple[Score, ...]) -> None:
        values = {score.name: score.value for score in scores}
        for score in scores:
            if score.value is None:
                self._unscored[score.name] += 1
                self._causes.setdefault(score.name, score.explanation)
            else:
                self._scores.setdefault(score.name, []).append(score.value)
        answer, judge = values.get("answer"), values.get("judge")
        if answer is not None and judge is not None:
            self._agreement[answer == 1.0, judge == 1.0] += 1

    def _cost(self) -> dict[str, float]:
        priced = {role: price for role, price in self._prices.items() if price != Price()}
        return {role: cost(self._tokens.get(role, Usage()), price) for role, price in priced.items()}

    def _metadata(self) -> tuple[dict[str, Any], ...]:
        episodes = map(orjson.loads, self._episodes)  # as text they take a fifth of the memory
        return tuple(sorted(episodes, key=lambda episode: (episode["sample_id"], episode["sample"])))

    def _cached_share(self) -> dict[str, float]:
        used = {role: usage for role, usage in self._tokens.items() if usage.prompt_tokens}
        return {role: usage.cached_tokens / usage.prompt_tokens for role, usage in used.items()}

    def _score_sums(self) -> dict[str, ScoreSums]:
        names = sorted({*self._scores, *self._unscored} - {"answer"})
        return {name: self._sums(name) for name in names}

    def _sums(self, name: str) -> ScoreSums:
        values = self._scores.get(name, [])
        mean = math.fsum(values) / len(values) if values else None
        return ScoreSums(len(values), self._unscored[name], mean, self._causes.get(name, ""))

    def _judge_agreement(self) -> Agreement | None:
        seen = self._agreement
        if not seen:
            return None
        return agreement(seen[True, True], seen[True, False], seen[False, True], seen[False, False])

    def _add_groups(self, trajectory: Trajectory) -> None:
        facts = {"domain": trajectory.task.domain, **trajectory.task.data}
        for key, groups in self._groups.items():
            if key in facts:
                groups.setdefault(str(facts[key]), TaskCounts()).add(trajectory.task.id, trajectory.success)

    def _rates(self, key: str) -> dict[str, Rate]:
        return {name: counts.rate() for name, counts in sorted(self._groups[key].items())}


def step_preferences(trajectory: Trajectory) -> int:
    """Steps whose executed action and at least one alternative differ in effect."""
    history = trajectory.history
    return sum(
        any(differ(step.decision.action, other.action, history.tools) for other in step.decision.alternatives)
        for step in history.steps
    )


def differ(first: Action, second: Action, tools: tuple[ToolSpec, ...]) -> bool:
    """Whether two actions in the same state do different things; thoughts, order and ways of writing do not count.

    Answers are compared after normalisation, so a difference in case or punctuation alone is none. Two malformed
    actions do the same: nothing.
    """
    match first, second:
        case CallTools(calls=ours), CallTools(calls=theirs):
            return not same_calls(ours, theirs, {spec.name: spec for spec in tools})
        case Final(answer=ours), Final(answer=theirs):
            return normalise(ours) != normalise(theirs)
        case Malformed(), Malformed():
            return False
        case _:
            return True


def said_in(trajectory: Trajectory) -> Iterator[Generation]:
    """All that models said, once: in steps, branches and scorers, and inside the environment."""
    yield from generations(trajectory.history.steps, trajectory.scores)
    yield from spoken(trajectory.evidence)


def generations(steps: tuple[Step, ...], scores: tuple[Score, ...]) -> Iterator[Generation]:
    """All that was said in steps, branches and scorers, once: a branch's first step repeats its decision."""
    for step in steps:
        yield from step.decision.generations
        yield from step.duplicates
        for branch in step.branches:
            if not branch.steps:
                yield from branch.decision.generations
            yield from generations(branch.steps, branch.scores)
    for score in scores:
        yield from score.generations
