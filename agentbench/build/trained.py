"""What a training is worth: the model that it made plays held-out tasks alone, by the code of `agentbench.eval`."""

from __future__ import annotations

import dataclasses
import gc
import sys
from pathlib import Path

from agentbench.build import Report
from agentbench.build.runs import Rollout, rollout
from agentbench.build.training import weights
from agentbench.config.agent import AgentConfig
from agentbench.config.branching import BranchesConfig, Branching
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.config.expert_mode import NoExpert
from agentbench.config.lora import NoLora
from agentbench.config.model import Dtype, HfModel, TinyModel
from agentbench.config.tasks import TasksConfig


def held_out_run(config: TrainConfig, model: HfModel | TinyModel, report: Report) -> Rollout:
    """The episodes of `config.evaluate`, played by a model.

    Raises:
        PreflightError, DataError: worlds or the model are missing or broken.
    """
    _free_memory()
    return rollout(held_out_config(config, model), report)


def held_out_config(config: TrainConfig, model: HfModel | TinyModel) -> RolloutConfig:
    """The episodes of `config.evaluate`, as `agentbench.eval` would be told; nothing branches in them."""
    env = dataclasses.replace(config.env, branching=Branching.NONE, branches=BranchesConfig())
    return RolloutConfig(
        seed=config.seed,
        model=model,
        template=config.template,
        agent=agent_of(config),
        env=env,
        expert_mode=NoExpert(),
        scorer=config.scorer,
        retriever=config.retriever,
        tasks=TasksConfig(split=config.evaluate.split, limit=config.evaluate.tasks),
        rewards=config.rewards,
        concurrency=config.evaluate.concurrency,
        max_failures=config.evaluate.max_failures,
        cache_dir=config.cache_dir,
    )


def trained_model(config: TrainConfig, folder: Path, report: Report) -> HfModel:
    """What `training.train_given` has made in a run's folder: its model, or its adapter on the model it began with."""
    from agentbench.training.job import ADAPTER, MODEL

    given = weights(config, report)
    if isinstance(config.model, TinyModel):
        given = dataclasses.replace(given, dtype=Dtype.FLOAT64, max_batch=config.model.max_batch)
    if isinstance(config.lora, NoLora):
        return dataclasses.replace(given, path=str(folder / MODEL), adapter=None)
    return dataclasses.replace(given, adapter=folder / ADAPTER)


def agent_of(config: TrainConfig) -> AgentConfig:
    """Tiny students write no more than their own limit, also where they are loaded as weights."""
    if not isinstance(config.model, TinyModel):
        return config.agent
    longest = min(config.agent.max_tokens, config.model.max_tokens)
    return dataclasses.replace(config.agent, max_tokens=longest)


def _free_memory() -> None:
    """Lets the trainer's model go: on a GPU there may be no room for both."""
    gc.collect()
    if "torch" in sys.modules:
        import torch

        torch.cuda.empty_cache()
