"""The same seed gives the same trajectories, byte for byte but for times, however many episodes run at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agentbench.build.runs import rollout
from agentbench.config.agent import ChatAgent
from agentbench.config.entry import RolloutConfig
from agentbench.config.env import Granularity, M3Env
from agentbench.config.expert_mode import ExpertModeConfig, GroundTruthExpert, InformedExpert, RandomExpert
from agentbench.config.model import TinyModel
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.tasks import TasksConfig
from agentbench.config.template import TemplateConfig, TemplateKind
from agentbench.episodes.encoding import encode
from agentbench.episodes.pool import run_async
from agentbench.episodes.store import read_trajectories
from agentbench.types import Generation, Step, Trajectory


def config(world: Path, student: Path, mode: ExpertModeConfig, concurrency: int) -> RolloutConfig:
    return RolloutConfig(
        model=TinyModel(path=student, max_tokens=24),
        template=TemplateConfig(kind=TemplateKind.TINY),
        agent=ChatAgent(),
        env=M3Env(worlds=(str(world),), horizon=6),
        expert_mode=mode,
        retriever=Bm25Retriever(),
        tasks=TasksConfig(limit=40),
        rewards=RewardsConfig(),
        concurrency=concurrency,
        cache_dir=student,
    )


def played(settings: RolloutConfig, folder: Path) -> list[bytes]:
    run_async(rollout(settings, lambda line: None).play(folder))
    return sorted(encode(timeless(trajectory)) for trajectory in read_trajectories(folder / "trajectories.jsonl"))


def timeless(trajectory: Trajectory) -> Trajectory:
    history = trajectory.history
    steps = tuple(without_times(step) for step in history.steps)
    return dataclasses.replace(trajectory, seconds=0.0, history=dataclasses.replace(history, steps=steps))


def without_times(step: Step) -> Step:
    generations: tuple[Generation, ...] = step.decision.generations
    calm = tuple(dataclasses.replace(generation, seconds=0.0, queue_seconds=0.0) for generation in generations)
    return dataclasses.replace(step, seconds=0.0, decision=dataclasses.replace(step.decision, generations=calm))


@pytest.mark.parametrize(
    "mode",
    [InformedExpert(save_alternate_trace=True), RandomExpert(probability=0.5)],
    ids=lambda mode: mode.kind,
)
def test_a_greedy_student_plays_the_same_at_any_concurrency(
    world: Path, student: Path, mode: ExpertModeConfig, tmp_path: Path
) -> None:
    alone, together = (played(config(world, student, mode, n), tmp_path / str(n)) for n in (1, 64))
    assert len(alone) == 40
    assert alone == together


@pytest.mark.parametrize("tools", Granularity)
def test_the_gold_expert_plays_the_same_at_any_concurrency(
    world: Path, student: Path, tools: Granularity, tmp_path: Path
) -> None:
    settings = config(world, student, GroundTruthExpert(), 1)
    settings = dataclasses.replace(settings, env=dataclasses.replace(settings.env, tools=tools, horizon=20))
    alone = played(settings, tmp_path / "1")
    assert alone == played(dataclasses.replace(settings, concurrency=64), tmp_path / "64")
