"""Rejection-sampling fine-tuning: TRL's supervised loss, on the agent's own tokens of what succeeded."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from agentbench.config.stage_rl import RftStage
from agentbench.training.treepack.plan import IGNORED
from agentbench.types import CallTools, ToolCall, Trajectory
from tests.training.rl.conftest import MICRO, Make, groups
from tests.training_data.episodes_for_rl import two_steps

STAGE = RftStage(steps=1, tasks_per_step=2, group_size=4, learning_rate=1e-3)


def inputs_of(trainer: Any) -> list[dict[str, Any]]:
    return list(trainer.inputs_of(trainer.episodes_of(trainer.online.rollouts.trajectories)))


def gradient(trainer: Any, inputs: list[dict[str, Any]]) -> torch.Tensor:
    """Of an optimizer step, as transformers adds up its forward passes."""
    trainer.model.zero_grad()
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = len(inputs)
    for each in inputs:
        (trainer.compute_loss(trainer.model, each) / len(inputs)).backward()
    return torch.cat([weight.grad.flatten() for weight in trainer.model.parameters() if weight.grad is not None])


def ways() -> list[Trajectory]:
    """Two tasks with four episodes each, of different lengths; two of three succeed, each by a call of its own."""
    found = []
    for number, trajectory in enumerate(groups()):
        call, final = trajectory.history.steps
        action = CallTools((ToolCall("look_up", {"limit": number}),))
        call = dataclasses.replace(call, decision=dataclasses.replace(call.decision, action=action))
        history = dataclasses.replace(trajectory.history, steps=(call, final))
        found.append(dataclasses.replace(trajectory, history=history))
    return found


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm())


def test_only_the_agent_s_tokens_of_successful_episodes_are_labels(make_trainer: Make) -> None:
    """1 3 is asked, 8 9 is seen; the episode that failed is not there."""
    trainer = make_trainer(STAGE, [two_steps(True), two_steps(False, (5, 6), sample=1)])
    (inputs,) = inputs_of(trainer)
    assert inputs["input_ids"].tolist() == [[1, 3, 5, 6, 8, 9, 7, 2]]
    assert inputs["labels"].tolist() == [[IGNORED, IGNORED, 5, 6, IGNORED, IGNORED, 7, 2]]


def test_the_loss_is_the_mean_over_all_sampled_tokens(make_trainer: Make) -> None:
    trainer = make_trainer(STAGE, ways())
    (inputs,) = inputs_of(trainer)
    logits = trainer.model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits[:, :-1]
    expected = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), inputs["labels"][:, 1:].flatten(), ignore_index=IGNORED
    )
    assert trainer.compute_loss(trainer.model, inputs).item() == pytest.approx(expected.item(), rel=1e-5)


def test_packing_and_uneven_forward_passes_change_no_gradient(make_trainer: Make) -> None:
    """Numbers 1, 2, 4, 5 and 7 succeed: five rows, in passes of one, one, one and two."""
    whole, packed = make_trainer(STAGE, ways()), make_trainer(STAGE, ways(), tree=True)
    parts = make_trainer(STAGE, ways(), trainer=MICRO)
    expected = gradient(whole, inputs_of(whole))
    assert apart(gradient(packed, inputs_of(packed)), expected) < 1e-5 and packed.packing.packed_batches > 0
    inputs = inputs_of(parts)
    assert [len(each["labels"]) for each in inputs] == [1, 1, 1, 2] and apart(gradient(parts, inputs), expected) < 1e-5


def test_a_rollout_without_any_success_teaches_nothing(make_trainer: Make) -> None:
    trainer = make_trainer(STAGE, [two_steps(False, sample=number) for number in range(4)])
    assert gradient(trainer, inputs_of(trainer)).abs().max() == 0


def test_a_training_logs_what_was_kept_and_makes_it_likelier(make_trainer: Make) -> None:
    stage = dataclasses.replace(STAGE, steps=6, learning_rate=1e-2)
    trainer = make_trainer(stage, [two_steps(True), two_steps(False, (10, 11), (12, 2), sample=1)])
    trainer.train()
    (first, *_, last) = [line for line in trainer.state.log_history if "kept_share" in line]
    assert (first["kept_share"], first["distinct_share"], first["success"]) == (0.5, 1.0, 0.5)
    assert last["loss"] < first["loss"] - 1
