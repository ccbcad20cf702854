"""Trees of trajectories over the counting game, with an agent whose choices come from its seed."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentbench.config.branching import BranchesConfig, Branching, Confidence, Counted, Restore
from agentbench.envs import Environment, EnvStep, Restoring
from agentbench.episodes.branch_points import branch_seed, confidence
from agentbench.episodes.branching import run_tree
from agentbench.episodes.encoding import decode, encode, expanded
from agentbench.episodes.pool import run_async
from agentbench.episodes.run_episode import EpisodeParts, Limits, TreeParts, run_episode
from agentbench.episodes.run_tasks import PoolSettings, run_tasks
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import ExpertSettings
from agentbench.episodes.tally import Tally
from agentbench.errors import LlmError, ServerDownError
from agentbench.policies import Policy
from agentbench.policies.intervention import Intervention
from agentbench.policies.triggers import Never
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.types import (
    Action,
    Actor,
    Branch,
    CallTools,
    Decision,
    EndReason,
    Final,
    Generation,
    History,
    Malformed,
    Step,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
    Usage,
)

from .conftest import ADD, CountingEnv, counting_task

SEED = 7
EVERYWHERE = {"kind": Branching.RANDOM, "probability": 1.0}
GRADE = StepGrader({category: 0.0 for category in StepCategory})


class Guesser:
    """Adds 1 to 9, or answers with a number up to 99; what it does follows from its seed and the number of steps."""

    def __init__(self, seed: int, final: float = 0.3) -> None:
        self.seed = seed
        self._final = final

    async def act(self, history: History) -> Decision:
        rng = random.Random(f"{self.seed}:{len(history.steps)}")
        answers = rng.random() < self._final
        action = Final(str(rng.randrange(100))) if answers else CallTools((ToolCall("add", {"by": rng.randrange(10)}),))
        ids = tuple(range(10 + 5 * len(history.steps)))
        said = Generation("agent", str(action), ids, (1, 2), (-0.5, -1.5), usage=Usage(len(ids), 2))
        return Decision(action, generations=(said,))


class Says:
    """Does one thing for ever."""

    def __init__(self, action: Action, actor: Actor = Actor.AGENT, failure: Exception | None = None) -> None:
        self._decision = Decision(action, actor, generations=(Generation(actor.value, "x", usage=Usage(10, 2)),))
        self._failure = failure

    async def act(self, history: History) -> Decision:
        if self._failure is not None:
            raise self._failure
        return self._decision


Agent = Callable[[int, bool], Policy]


def guesser(seed: int, advised: bool) -> Guesser:
    return Guesser(seed)


def parts(
    kind: Branching, agent: Agent = guesser, trunk: Policy | None = None, env: Environment | None = None, **limits: Any
) -> EpisodeParts:
    tree = TreeParts(kind, BranchesConfig(**limits), agent, lambda: CountingEnv(restoring=Restoring.REPLAY))
    return EpisodeParts(env or CountingEnv(), trunk or agent(SEED, False), GRADE, (AnswerScorer(),), "", tree)


def tree(made: EpisodeParts, task: Task | None = None, horizon: int = 6, timeout_s: float = 10.0) -> Trajectory:
    return asyncio.run(run_tree(task or counting_task("a"), made, Limits(horizon, timeout_s), SEED))


def branches(steps: tuple[Step, ...], before: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], Branch]]:
    """Every branch, with the steps that led to the state it begins in."""
    for step in steps:
        for branch in step.branches:
            yield before, branch
            yield from branches(branch.steps, before)
        before = (*before, step)


def timeless(trajectory: Trajectory) -> str:
    """All but times, as text."""

    def calm(step: Step) -> Step:
        ways = tuple(dataclasses.replace(one, steps=tuple(map(calm, one.steps))) for one in step.branches)
        return dataclasses.replace(step, seconds=0.0, branches=ways)

    history = dataclasses.replace(trajectory.history, steps=tuple(map(calm, trajectory.history.steps)))
    return str(dataclasses.replace(trajectory, seconds=0.0, history=history))


def test_the_executed_path_is_that_of_an_episode_without_branches() -> None:
    made = parts(**EVERYWHERE, width=3)
    alone = asyncio.run(run_episode(counting_task("a"), made._replace(env=CountingEnv()), Limits(6, 10.0), SEED))
    whole = tree(made)
    bare = tuple(dataclasses.replace(step, branches=(), duplicates=()) for step in whole.history.steps)
    history = dataclasses.replace(whole.history, steps=bare)
    assert timeless(dataclasses.replace(whole, history=history)) == timeless(alone)
    assert any(step.branches for step in whole.history.steps)


def test_every_branch_says_what_its_seed_says_in_its_state_and_ends_as_the_environment_does() -> None:
    whole = expanded(tree(parts(**EVERYWHERE, width=2, depth=3)))
    found = list(branches(whole.history.steps))
    for before, branch in found:
        for index, step in enumerate(branch.steps):
            history = dataclasses.replace(whole.history, steps=(*before, *branch.steps[:index]))
            assert step.decision == asyncio.run(Guesser(branch.seed).act(history))
        counted = [step for step in (*before, *branch.steps) if not isinstance(step.decision.action, Final)]
        assert [step.observation.text for step in counted] == [str(n) for n in range(1, len(counted) + 1)]
        assert branch.reason == "random" and branch.decision == branch.steps[0].decision
    assert len({branch.seed for _, branch in found}) == len(found) > 10


def test_branches_leave_branches_down_to_the_depth_and_paths_gives_all_of_them() -> None:
    sizes = []
    for depth in (1, 2, 3):
        whole = tree(parts(**EVERYWHERE, depth=depth))
        paths = list(whole.paths())
        assert paths[0] == whole.history.steps
        assert len(paths) == 1 + len(list(branches(whole.history.steps)))
        sizes.append(len(paths))
    assert sizes[0] < sizes[1] < sizes[2]


def test_a_seed_follows_from_the_place_in_the_tree() -> None:
    whole = tree(parts(**EVERYWHERE, width=2, depth=2))
    for before, branch in branches(whole.history.steps):
        outer = [one.seed for place, one in branches(whole.history.steps) if len(place) < len(before)]
        seeds = {branch_seed(seed, len(before), number) for seed in (SEED, *outer) for number in range(2)}
        assert branch.seed in seeds


@pytest.mark.parametrize("env", [CountingEnv(), CountingEnv(restoring=Restoring.REPLAY)])
def test_a_copied_environment_and_one_played_again_give_the_same_tree(env: CountingEnv) -> None:
    forked = tree(parts(**EVERYWHERE, width=2, depth=2))
    restore = Restore.REPLAY if env.restoring is Restoring.FORK else Restore.AUTO
    assert timeless(tree(parts(**EVERYWHERE, env=env, width=2, depth=2, restore=restore))) == timeless(forked)


def test_a_tree_survives_the_way_to_disk_with_all_prompts() -> None:
    whole = tree(parts(**EVERYWHERE, width=3, depth=3))
    back = decode(encode(whole))
    assert back == expanded(whole) and decode(encode(back)) == back
    for path in back.paths():
        for index, step in enumerate(path):
            assert [item.prompt_ids for item in step.decision.generations] == [tuple(range(10 + 5 * index))]


def test_neither_company_nor_a_resumed_run_changes_a_tree(tmp_path: Path) -> None:
    tasks = [counting_task(f"task-{number}") for number in range(12)]

    def make(task: Task, seed: int) -> EpisodeParts:
        return parts(**EVERYWHERE, trunk=Guesser(seed), width=2, depth=2)

    def run(folder: Path, concurrency: int) -> dict[str, str]:
        run_async(run_tasks(tasks, make, PoolSettings(concurrency, 6, 0, 60.0, 0.0, quiet=True), folder))
        return {one.task.id: timeless(one) for one in read_trajectories(folder / TRAJECTORIES)}

    alone = run(tmp_path / "one", 1)
    kept = (tmp_path / "one" / TRAJECTORIES).read_bytes().splitlines(keepends=True)[:5]
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / TRAJECTORIES).write_bytes(b"".join(kept))
    assert run(tmp_path / "many", 8) == alone == run(tmp_path / "half", 3)


def test_the_budget_counts_the_whole_tree_and_begins_no_branch_past_it() -> None:
    task, adding = counting_task("a", goal=3), parts(Branching.RANDOM, trunk=Says(ADD), probability=1.0)
    assert adding.tree is not None

    def size(**limits: Any) -> int:
        changed = dataclasses.replace(adding.tree.limits, **limits)  # type: ignore[union-attr]
        answers = adding.tree._replace(limits=changed, agent=lambda seed, advised: Says(Final("3")))  # type: ignore[union-attr]
        return len(list(tree(adding._replace(env=CountingEnv(), tree=answers), task, horizon=4).paths()))

    # The executed path takes 4 steps of 2 sampled tokens, 8; each branch is one answer, 2 more.
    assert [size(budget_tokens=budget) for budget in (8, 9, 10, 11, 13, 100)] == [1, 2, 2, 3, 4, 5]
    # With prompts each step takes 12: 48 for the path, and 60 after the first branch.
    assert [size(budget_tokens=budget, counted=Counted.ALL) for budget in (48, 49, 61)] == [1, 2, 3]


def test_the_horizon_counts_from_the_root() -> None:
    whole = tree(parts(**EVERYWHERE, agent=lambda seed, advised: Guesser(seed, final=0.0), width=2), horizon=4)
    assert {len(path) for path in whole.paths()} == {4} and len(list(whole.paths())) > 4
    assert {branch.end for _, branch in branches(whole.history.steps)} == {EndReason.HORIZON}


def test_samples_that_do_the_same_are_dropped_and_counted_with_their_tokens() -> None:
    whole = tree(parts(**EVERYWHERE, agent=lambda seed, advised: Says(ADD), width=3), horizon=2)
    assert [len(step.duplicates) for step in whole.history.steps] == [3, 3] and len(list(whole.paths())) == 1
    tally = Tally(ExpertSettings())
    tally.add(decode(encode(whole)))
    summary = tally.summary()
    # 2 steps and 6 samples of 2 tokens each.
    assert (summary.tokens["agent"].completion_tokens, summary.branching.duplicates) == (16, 6)
    assert summary.branching.tokens == Usage(60, 12)


def test_a_failure_on_a_branch_is_its_own() -> None:
    trunk, dead = Says(ADD), LlmError("no answer")
    whole = tree(parts(**EVERYWHERE, trunk=trunk, agent=lambda seed, advised: Says(ADD, failure=dead)), horizon=2)
    (first,), (second,) = (step.branches for step in whole.history.steps)
    assert (whole.end, whole.error, len(whole.scores)) == (EndReason.HORIZON, "", 1)
    assert (first.end, first.error, first.steps, first.scores) == (EndReason.ERROR, "LlmError: no answer", (), ())
    assert isinstance(first.decision.action, Malformed) and first.seed != second.seed
    assert decode(encode(whole)) == expanded(whole)


def test_an_environment_that_breaks_on_a_branch_keeps_the_branchs_steps() -> None:
    ends = Intervention(Says(Final("9")), Says(ADD, Actor.EXPERT), Never(), keep_alternative=True)
    made = parts(Branching.DIVERGENCE, trunk=ends, agent=lambda seed, advised: Says(ADD))
    (step,) = tree(made, counting_task("broken-1")).history.steps
    (branch,) = step.branches
    assert (branch.error, len(branch.steps)) == ("RuntimeError: the counter jammed", 2)


def test_a_branch_has_the_time_limit_for_itself() -> None:
    ends = Intervention(Says(Final("9")), Says(ADD, Actor.EXPERT), Never(), keep_alternative=True)
    made = parts(Branching.DIVERGENCE, trunk=ends, agent=lambda seed, advised: Says(ADD))
    whole = tree(made, counting_task("hanging-1"), timeout_s=0.1)
    (branch,) = whole.history.steps[0].branches
    assert whole.end is EndReason.FINAL and branch.error == "EpisodeTimeout: not finished after 0.1 s"


def test_a_server_that_is_gone_makes_the_episode_one_to_be_played_again() -> None:
    down = ServerDownError("no server", "start it")
    made = parts(**EVERYWHERE, trunk=Says(ADD), agent=lambda seed, advised: Says(ADD, failure=down), width=3)
    whole = tree(made, horizon=3)
    assert (whole.end, whole.error, whole.scores) == (EndReason.ERROR, "ServerDownError: no server", ())
    assert [len(step.branches) for step in whole.history.steps] == [1, 0, 0]


class Forgetful(CountingEnv):
    """Counts from somewhere else when it is played again."""

    async def reset(self, task: Task):
        self.count = 5
        return await super().reset(task)


def test_an_environment_that_answers_otherwise_when_it_is_played_again_is_refused_on_the_branch() -> None:
    made = parts(**EVERYWHERE, env=CountingEnv(restoring=Restoring.REPLAY), trunk=Guesser(SEED, final=0.0))
    assert made.tree is not None
    whole = tree(made._replace(tree=made.tree._replace(env=Forgetful)), horizon=2)
    errors = [branch.error for step in whole.history.steps for branch in step.branches]
    assert errors == ["", "ReplayError: step 1 was answered ok '6', at first ok '1'"]


def test_where_agent_and_expert_differ_the_other_action_is_followed_by_the_agent() -> None:
    trunk = Intervention(Says(ADD), Says(Final("1"), Actor.EXPERT), Never(), keep_alternative=True)
    whole = tree(parts(Branching.DIVERGENCE, trunk=trunk), horizon=2)
    (first,), (second,) = (step.branches for step in whole.history.steps)
    assert [len(branch.steps) for branch in (first, second)] == [1, 1]
    assert first.decision.actor is Actor.EXPERT and first.decision.action == Final("1") and first.reason == "divergence"
    tally = Tally(ExpertSettings())
    tally.add(whole)
    # Each actor was asked twice for 2 tokens; that the expert's words stand on a branch as well counts for nothing.
    assert {role: used.completion_tokens for role, used in tally.summary().tokens.items()} == {"agent": 4, "expert": 4}


def test_an_advised_branch_diverges_again_and_the_last_level_asks_no_expert() -> None:
    asked: list[bool] = []

    def agent(seed: int, advised: bool) -> Policy:
        asked.append(advised)
        said = Says(Final("2"), Actor.EXPERT)
        return Intervention(Says(ADD), said, Never(), keep_alternative=True) if advised else Says(ADD)

    trunk = Intervention(Says(Final("1")), Says(ADD, Actor.EXPERT), Never(), keep_alternative=True)
    whole = tree(parts(Branching.DIVERGENCE, trunk=trunk, agent=agent, depth=2), horizon=3)
    assert [len(path) for path in whole.paths()] == [1, 3, 2, 3] and asked == [True, False, False]


def test_confidence_is_the_mean_or_the_least_log_probability_of_the_agents_own_tokens() -> None:
    said = Generation("agent", "x", (), (1, 2), (-0.5, -1.5))
    decision = Decision(ADD, generations=(said, Generation("expert", "y", (), (1,), (-9.0,))))
    assert [confidence(decision, of) for of in Confidence] == [-1.0, -1.5]
    assert confidence(Decision(ADD), Confidence.MEAN) is None


def test_only_states_below_the_threshold_are_branched_from() -> None:
    def size(threshold: float) -> int:
        made = parts(Branching.LOW_CONFIDENCE, threshold=threshold, confidence=Confidence.MIN)
        return len(list(tree(made).paths()))

    assert size(-1.5) == 1 < size(-1.4)  # the guesser's least is -1.5 everywhere


class Closing(CountingEnv):
    """Writes down how many there are and how many were closed."""

    made: list[Closing]

    async def fork(self) -> CountingEnv:
        twin = Closing()
        twin.count, twin.made = self.count, self.made
        self.made.append(twin)
        return twin

    async def step(self, action: Action) -> EnvStep:
        assert not self.closed
        return await super().step(action)


def test_every_copy_is_closed() -> None:
    env = Closing()
    env.made = [env]
    tree(parts(**EVERYWHERE, env=env, width=2, depth=2))
    assert len(env.made) > 5 and all(each.closed for each in env.made)
