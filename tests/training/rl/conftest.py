"""Trainings that play given episodes, over a model whose log-probabilities differ by whole nats."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PrinterCallback

from agentbench.config.entry import TrainConfig
from agentbench.config.model import Dtype, HfModel
from agentbench.config.trainer import TrainerConfig
from agentbench.llm.hf_load import load_hf
from agentbench.training.job import TrainJob
from agentbench.training.rl.online import reward_weights
from agentbench.training.rl.playing import Online
from agentbench.training.rl.rollouts import HeldOut, Played
from agentbench.training.rl.stages import online_trainer
from agentbench.training.weights import TrainedModel
from agentbench.types import Trajectory
from tests.training.conftest import make_model
from tests.training_data.episodes_for_rl import two_steps


class Given:
    """Plays the same episodes at every step, and notes with which state the model was asked for them."""

    most_gap: float | None = None

    def __init__(self, trajectories: Sequence[Trajectory]) -> None:
        self.trajectories = tuple(trajectories)
        self.steps: list[int] = []
        self.judged: list[int] = []
        self.training: list[bool] = []

    def play(self, policy: TrainedModel, step: int) -> Played:
        self.steps.append(step)
        self.training.append(policy.training)
        return Played(self.trajectories, 0.0)

    def held_out(self, policy: TrainedModel, step: int) -> HeldOut | None:
        self.judged.append(step)
        return HeldOut(0.25, 4, 0.0)


def groups() -> list[Trajectory]:
    """Two tasks with four episodes each, of different lengths; two of three succeed."""
    said = [(5, 6), (5, 6, 10), (5,), (11, 12, 13), (5, 6), (9, 8), (5, 14), (20, 21, 22, 23)]
    return [
        two_steps(number % 3 != 0, words, (7, 2), of=f"t{number // 4}", sample=number % 4)
        for number, words in enumerate(said)
    ]


@pytest.fixture(scope="session")
def sharp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that prefers some tokens to others; with usual initial weights it does not, and no test could fail."""
    folder = make_model(tmp_path_factory.mktemp("models") / "sharp")
    model = load_hf(str(folder), None, Dtype.FLOAT32, "cpu")
    torch.manual_seed(0)
    for weight in model.parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(str(folder))
    return folder


Make = Callable[..., Any]


@pytest.fixture
def make_trainer(train_config: TrainConfig, sharp: Path, tmp_path: Path) -> Make:
    """`make_trainer(stage, trajectories, key=value)`: a trainer that plays the trajectories."""
    made: list[Path] = []

    def make(stage: Any, trajectories: Sequence[Trajectory], **changes: Any) -> Any:
        folder = tmp_path / f"job_{len(made)}"
        folder.mkdir()
        made.append(folder)
        base = {"stage": stage, "rows": (), "model": HfModel(path=str(sharp)), "tree": False}
        job = TrainJob(dataclasses.replace(train_config, **(base | changes)), folder)
        trainer = online_trainer(job, Online(Given(trajectories), reward_weights(job.config.rewards, stage)), [])
        trainer.remove_callback(PrinterCallback)
        return trainer

    return make


MICRO = TrainerConfig(checkpoint_every=None, micro_batch=2)
"""Forward passes of two rows."""


def answer_odds(trainer: Any) -> float:
    """How much likelier 7 is than 9 as the answer's first token, in nats."""
    with torch.no_grad():
        logits = trainer.bare(input_ids=torch.tensor([[1, 3, 5, 6, 8, 9]])).logits[0, -1]
    return float(logits[7] - logits[9])
