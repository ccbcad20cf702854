"""Conversations as a run opens them, over a small town in the benchmark's format and over the real files."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.build.fields import Field
from agentbench.build.fields.opening import open_field
from agentbench.build.runs import step_grader
from agentbench.config.env_tau2 import Claims, Tau2Domain, Tau2Env, Tau2Tasks
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.tasks import Split, TasksConfig
from agentbench.envs import Environment, Restoring
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.errors import DataError, PreflightError
from agentbench.policies import Policy
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.probes import Idle, RandomLegal
from agentbench.scoring.environment import EnvironmentScorer
from agentbench.types import EndReason, History, StepCategory, Task, Trajectory

from ..tools.tau2.town import write_town

REAL = Path(__file__).parents[3] / "shared" / "data" / "tau2"
DOMAINS = tuple(Tau2Domain)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_town(tmp_path_factory.mktemp("town"))


def opened(env: Tau2Env, tasks: TasksConfig | None = None) -> Field:
    chosen = tasks or TasksConfig()
    return open_field(env, Bm25Retriever(), chosen, cache_dir=Path("unused"), seed=0, report=print)


def everything(root: Path, domain: Tau2Domain, claims: Claims = Claims.LEFT_OUT) -> Field:
    return opened(Tau2Env(root=root, domain=domain, tasks=Tau2Tasks.BASE, claims=claims))


def played(field: Field, task: Task, policy: Policy, horizon: int = 30) -> Trajectory:
    parts = EpisodeParts(field.environment(task), policy, step_grader(RewardsConfig()), (EnvironmentScorer(),))
    return asyncio.run(run_episode(task, parts, Limits(horizon, 30.0), 0))


def outcomes(field: Field, policy: Callable[[Task], Policy]) -> dict[str, float | None]:
    found = {task.id: played(field, task, policy(task)) for task in field.tasks}
    return {name: trajectory.scores[0].value for name, trajectory in found.items()}


@pytest.mark.parametrize("domain", DOMAINS)
def test_gold_solves_every_task_and_the_user_ends_it(town: Path, domain: Tau2Domain) -> None:
    field = everything(town, domain)
    for task in field.tasks:
        trajectory = played(field, task, GoldExpert(task))
        assert (trajectory.end, trajectory.success, trajectory.error) == (EndReason.FINAL, True, "")


def test_doing_nothing_solves_what_asks_for_nothing(town: Path) -> None:
    assert outcomes(everything(town, Tau2Domain.RETAIL), lambda task: Idle()) == {
        "retail-modify": 0.0,
        "retail-misspelt": 0.0,
        "retail-count": 1.0,  # but for the statement about the conversation, which is left out
    }
    judged = outcomes(everything(town, Tau2Domain.RETAIL, Claims.JUDGED), lambda task: Idle())
    assert judged["retail-count"] is None


def test_a_user_with_a_phone_uses_it_when_asked_and_the_record_says_so(town: Path) -> None:
    field = everything(town, Tau2Domain.TELECOM)
    (task,) = field.tasks
    trajectory = played(field, task, GoldExpert(task))
    assert [call["name"] for call in trajectory.evidence["user_calls"]] == ["toggle_roaming", "reboot_device"]
    assert trajectory.evidence["verdict"]["parts"] == {"db": 1.0, "env_assertions": 1.0, "actions": 1.0}
    categories = [step.category for step in trajectory.history.steps]
    assert categories[:3] == [StepCategory.UNJUDGED_FINAL, StepCategory.GOLD_CALL, StepCategory.UNJUDGED_FINAL]


def test_a_conversation_cut_off_by_the_horizon_is_not_solved(town: Path) -> None:
    field = everything(town, Tau2Domain.RETAIL)
    task = field.tasks[0]
    trajectory = played(field, task, GoldExpert(task), horizon=2)
    assert trajectory.truncated and trajectory.scores[0].value == 0.0


def test_splits_are_the_benchmark_s_own(town: Path) -> None:
    env = Tau2Env(root=town)
    assert [task.id for task in opened(env, TasksConfig(split=Split.TRAIN)).tasks] == ["retail-modify"]
    assert [task.id for task in opened(env).tasks] == ["retail-misspelt", "retail-count"]
    assert len(opened(Tau2Env(root=town, domain=Tau2Domain.MOCK)).tasks) == 2  # it has no splits: all are test
    with pytest.raises(
        PreflightError, match=r"retail has no tasks in 'validation'; it has \['base', 'test', 'train'\]"
    ):
        opened(env, TasksConfig(split=Split.VALIDATION))


def test_a_limit_draws_tasks_by_the_seed_in_their_order(town: Path) -> None:
    (task,) = opened(Tau2Env(root=town), TasksConfig(limit=1)).tasks
    assert task.id in ("retail-misspelt", "retail-count")


def test_a_folder_that_is_not_there_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"cannot read .*tasks\.json") as caught:
        opened(Tau2Env(root=tmp_path))
    assert "env.root" in caught.value.next_step


def test_a_check_that_nobody_knows_is_named_before_anything_is_played(tmp_path: Path) -> None:
    root = write_town(tmp_path)
    path = root / "telecom" / "tasks.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace("assert_mobile_data_status", "assert_joy"), encoding="utf-8"
    )
    with pytest.raises(DataError, match="task 'roaming' asks for 'assert_joy', which nobody knows"):
        everything(root, Tau2Domain.TELECOM)


async def _walk(env: Environment, policy: Policy, history: History, steps: int) -> list[str]:
    texts: list[str] = []
    for _ in range(steps):
        answer = await env.step((await policy.act(history)).action)
        texts.append(answer.observation.text)
    return texts


@settings(max_examples=40)
@given(domain=st.sampled_from(DOMAINS), seed=st.integers(0, 10**6), before=st.integers(0, 6), after=st.integers(1, 6))
def test_a_fork_answers_as_the_original_whatever_is_done(
    town: Path, domain: Tau2Domain, seed: int, before: int, after: int
) -> None:
    field = everything(town, domain)
    task = field.tasks[seed % len(field.tasks)]

    async def both() -> tuple[list[str], list[str]]:
        env = field.environment(task)
        assert env.restoring is Restoring.FORK
        opening = await env.reset(task)
        history = History(env.tools, opening)
        await _walk(env, RandomLegal(random.Random(seed)), history, before)
        fork = await env.fork()
        mine = await _walk(env, RandomLegal(random.Random(seed + 1)), history, after)
        assert fork.tools == env.tools
        return mine, await _walk(fork, RandomLegal(random.Random(seed + 1)), history, after)

    mine, forked = asyncio.run(both())
    assert mine == forked


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the published files in ../shared/data/tau2")
@pytest.mark.parametrize(
    ("domain", "refused"), [(Tau2Domain.RETAIL, 15), (Tau2Domain.AIRLINE, 0), (Tau2Domain.TELECOM, 0)]
)
def test_gold_solves_all_published_tasks_and_so_many_lists_are_refused_in_part(
    domain: Tau2Domain, refused: int
) -> None:
    field = everything(REAL, domain)
    assert sum(task.data["refused_actions"] > 0 for task in field.tasks) == refused
    assert set(outcomes(field, GoldExpert).values()) == {1.0}
