"""Our episodes in TRL's trainers: its losses, on the sampled tokens alone, packed or not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from trl.trainer.grpo_trainer import GRPOTrainer

from agentbench.config.lora import Lora
from agentbench.config.model import HfModel
from agentbench.config.stage_rl import AdvantageScale, Correction, GrpoLoss, GrpoStage, Ratio, RlooStage
from agentbench.config.trainer import TrainerConfig
from agentbench.errors import RunFailed
from agentbench.training.rl.batch import Rules, episodes_of
from agentbench.types import Branch, EndReason, StepCategory
from tests.training.rl.conftest import MICRO, Make, answer_odds, groups
from tests.training_data.episodes_for_rl import episode, sampled, two_steps, verdict

STAGE = GrpoStage(steps=1, tasks_per_step=2, group_size=4, learning_rate=1e-3)
LORA = Lora(rank=2, alpha=4)


def inputs_of(trainer: Any) -> list[dict[str, Any]]:
    given = trainer.online.rollouts.trajectories
    stage = trainer.stage
    return list(trainer.inputs_of(episodes_of(given, Rules(trainer.online.weights, 100, stage.drop_equal_groups))))


def gradient(trainer: Any, inputs: dict[str, Any], loss: Any = None) -> torch.Tensor:
    """Of all weights, by the trainer's own loss or by another one."""
    trainer.model.zero_grad()
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    (loss or trainer.compute_loss)(trainer.model, inputs).backward()
    found = [weight.grad for weight in trainer.model.parameters() if weight.grad is not None]
    return torch.cat([part.flatten() for part in found])


def stock(trainer: Any, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """TRL's own loss with its own log-probabilities, nothing of ours in between."""
    trainer._get_per_token_logps_and_entropies = lambda *args, **kwargs: GRPOTrainer._get_per_token_logps_and_entropies(
        trainer, *args, **kwargs
    )
    return GRPOTrainer._compute_loss(trainer, model, inputs)


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Relative distance of two gradients."""
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("loss", GrpoLoss)
def test_the_gradient_with_tree_packing_is_that_of_trls_stock_trainer(loss: GrpoLoss, make_trainer: Make) -> None:
    stage = dataclasses.replace(STAGE, loss=loss, clip_high=5.0 if loss is GrpoLoss.CISPO else 0.2, beta=0.1, epochs=2)
    packed, plain = make_trainer(stage, groups(), tree=True), make_trainer(stage, groups())
    assert not packed.packing.reason
    (ours,), (theirs,) = inputs_of(packed), inputs_of(plain)
    for inputs in (ours, theirs):  # some ratios of e^±0.3, beyond the clip
        inputs["old_per_token_logps"] += 0.3 * torch.tensor([1, -1, 0, 0]).repeat(2)[:, None] * inputs["tool_mask"]
    found = gradient(packed, ours)
    assert packed.packing.packed_batches > 0, "rows of a task share their prompt"
    assert apart(found, gradient(plain, theirs, lambda model, inputs: stock(plain, model, inputs))) < 1e-5


def test_only_sampled_tokens_have_a_gradient(make_trainer: Make) -> None:
    """What was seen (8 9) is read, and another thing seen changes the loss; as a label it is never scored."""
    trainer = make_trainer(STAGE, groups())
    (inputs,) = inputs_of(trainer)
    trainer._view = inputs["view"]
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
    logps, *_ = trainer._get_per_token_logps_and_entropies(trainer.model, ids, None, inputs["completion_ids"].shape[1])
    assert torch.equal(logps != 0, inputs["tool_mask"].bool())
    assert inputs["tool_mask"][0, :6].tolist() == [1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("loss", [GrpoLoss.GRPO, GrpoLoss.DAPO, GrpoLoss.CISPO])
def test_forward_passes_of_uneven_size_add_up_to_one(loss: GrpoLoss, make_trainer: Make) -> None:
    """Eight rows less the one that is too long, in passes of two, two and three."""
    stage = dataclasses.replace(STAGE, loss=loss)
    rows = groups()[:-1]
    whole, parts = make_trainer(stage, rows), make_trainer(stage, rows, trainer=MICRO)
    (inputs,) = inputs_of(whole)
    expected = gradient(whole, inputs)
    made = inputs_of(parts)
    assert sorted(each["tool_mask"].shape[0] for each in made) == [1, 2, 2, 2]
    found = torch.zeros_like(expected)
    for each in made:
        parts.model.zero_grad()
        parts.model.train()
        parts.current_gradient_accumulation_steps = len(made)
        parts.compute_loss(parts.model, each).backward()
        found += torch.cat([weight.grad.flatten() for weight in parts.model.parameters() if weight.grad is not None])
    assert apart(found, expected) < 1e-5


def test_steps_of_a_tree_are_credited_by_the_values_of_their_states(make_trainer: Make) -> None:
    """After 5 the agent said 7 and succeeded, or 6 and failed: V = 1/2, so 7 is worth +1/2 and 6 −1/2; 5 nothing."""
    other = (sampled((1, 5, 8), (6,), StepCategory.WRONG_FINAL),)
    branch = Branch(other[0].decision, other, EndReason.FINAL, verdict(False))
    steps = [sampled((1,), (5,)), sampled((1, 5, 8), (7,), StepCategory.CORRECT_FINAL, (branch,))]
    trainer = make_trainer(STAGE, [episode(steps)])
    (inputs,) = inputs_of(trainer)
    assert inputs["advantages"].tolist() == [[0.0, 0.0, 0.5], [0.0, 0.0, -0.5]]
    assert inputs["tool_mask"].tolist() == [[1, 0, 1], [0, 0, 1]], "5 is trained once"
    loss = trainer.compute_loss(trainer.model, inputs)
    # Ratios are 1: row means (0·5 + 0.5·7) / 2 = 0.25 and −0.5 / 1, their mean −0.125, turned into a loss.
    assert loss.item() == pytest.approx(0.125)


def test_advantages_are_trls_own(make_trainer: Make) -> None:
    """Task t0 of `groups`: episodes fail, succeed, succeed, fail; 0.2 − 0.5 = −0.3 and 0.2 + 1 + 1 = 2.2.

    Mean 0.95, differences ±1.25, deviation √(4 · 1.25² / 3) = 1.4434.
    """
    (inputs,) = inputs_of(make_trainer(STAGE, groups()))
    first = 1.25 / (1.4433757 + 1e-4)
    assert inputs["advantages"][:4].tolist() == pytest.approx([-first, first, first, -first], rel=1e-5)
    plain = dataclasses.replace(STAGE, scale=AdvantageScale.NONE)
    (inputs,) = inputs_of(make_trainer(plain, groups()))
    assert inputs["advantages"][:4].tolist() == pytest.approx([-1.25, 1.25, 1.25, -1.25])


def test_groups_that_teach_nothing_are_left_out_or_kept(make_trainer: Make) -> None:
    alike = [one for one in groups() if one.task.id == "t0" or one.success]
    assert inputs_of(make_trainer(STAGE, alike))[0]["tool_mask"].shape[0] == 4
    kept = dataclasses.replace(STAGE, drop_equal_groups=False)
    assert inputs_of(make_trainer(kept, alike))[0]["tool_mask"].shape[0] == 4 + 3


def test_a_rollout_without_anything_to_learn_changes_nothing(make_trainer: Make) -> None:
    trainer = make_trainer(STAGE, [one for one in groups() if one.success])
    before = [weight.detach().clone() for weight in trainer.model.parameters()]
    trainer.train()
    assert all(torch.equal(one, other) for one, other in zip(before, trainer.model.parameters(), strict=True))


@pytest.mark.parametrize("correction", [each for each in Correction if each is not Correction.NONE])
def test_an_engine_that_differs_is_corrected_for(correction: Correction, make_trainer: Make) -> None:
    """The made-up episodes say −0.1 × id; the model says something else."""
    trainer = make_trainer(dataclasses.replace(STAGE, correction=correction, correction_cap=2.0), groups())
    (inputs,) = inputs_of(trainer)
    apart_BC = (inputs["old_per_token_logps"] - inputs["sampling_per_token_logps"]) * inputs["tool_mask"]
    ratio = (apart_BC.sum(1, keepdim=True) if "sequence" in correction else apart_BC).exp()
    over = 2.0 if "truncate" in correction else 0.0
    assert torch.allclose(inputs["importance_sampling_ratio"], torch.where(ratio > 2.0, over, ratio))
    assert gradient(trainer, inputs).abs().sum() > 0


def test_episodes_that_other_weights_have_played_are_refused(make_trainer: Make) -> None:
    """The same made-up probabilities, said to be a server's; were 20 nats allowed, they would pass."""
    trainer = make_trainer(STAGE, groups())
    trainer.online.rollouts.most_gap = 0.1
    with pytest.raises(RunFailed, match=r"^rollout 1: the server's log-probabilities differ from the trainer's by \d"):
        inputs_of(trainer)
    trainer.online.rollouts.most_gap = 20.0
    assert inputs_of(trainer)


@pytest.mark.parametrize(
    "stage",
    [
        dataclasses.replace(STAGE, ratio=Ratio.SEQUENCE, beta=0.1, clip_delta=4.0),
        dataclasses.replace(STAGE, entropy_bonus=0.01, top_entropy_share=0.5),
        RlooStage(steps=1, tasks_per_step=2, group_size=4, beta=0.1, normalize=True),
    ],
    ids=["gspo", "entropy", "rloo"],
)
@pytest.mark.parametrize("lora", [None, LORA], ids=["whole", "adapter"])
def test_a_training_plays_then_follows(stage: Any, lora: Lora | None, make_trainer: Make) -> None:
    stage = dataclasses.replace(stage, steps=2, epochs=2, minibatches=2, evaluate_every=2)
    trainer = make_trainer(stage, groups(), trainer=MICRO, tree=True, **({"lora": lora} if lora else {}))
    trainer.train()
    rollouts = trainer.online.rollouts
    assert (rollouts.steps, rollouts.judged, trainer.state.global_step) == ([0, 1], [0], 8)
    assert rollouts.training == [False, False], "played in the state for evaluation"
    logged = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert [entry["success"] for entry in logged] == [0.625, 0.625] and logged[0]["held_out_success"] == 0.25


def test_the_ratio_of_rloo_is_that_of_the_sampled_tokens_of_a_row(make_trainer: Make) -> None:
    """Before any update every ratio is 1, and the loss minus the mean advantage."""
    trainer = make_trainer(RlooStage(steps=1, tasks_per_step=2, group_size=4), groups(), tree=True)
    (inputs,) = inputs_of(trainer)
    assert torch.allclose(inputs["old_logps"], inputs["old_per_token_logps"].sum(1))
    loss = trainer.compute_loss(trainer.model, inputs)
    assert loss.item() == pytest.approx(-float(inputs["advantages"].mean()), abs=1e-6)
    # t0 earned −0.3 2.2 2.2 −0.3: the first, less the mean 1.3667 of the others.
    assert float(inputs["advantages"][0]) == pytest.approx(-0.3 - 4.1 / 3, rel=1e-5)


def test_the_kl_penalty_of_rloo_stays_with_its_row_where_passes_are_empty(make_trainer: Make) -> None:
    """Two rows in four forward passes, two of them empty; at the start nothing is apart or paid."""
    stage = RlooStage(steps=1, tasks_per_step=2, group_size=4, beta=0.5)
    trainer = make_trainer(stage, groups()[:2], trainer=MICRO)
    made = inputs_of(trainer)
    for weight in trainer.ref_model.parameters():
        torch.nn.init.zeros_(weight)
    moved = inputs_of(trainer)
    assert [one["advantages"].tolist() for one in made] == [[0.0], [pytest.approx(-2.5)], [0.0], [pytest.approx(2.5)]]
    apart = [
        ((one["old_per_token_logps"] - one["ref_per_token_logps"]) * one["tool_mask"]).sum().item() for one in moved
    ]
    gap = -2.5 - 0.5 * (apart[1] - apart[3])
    assert [one["advantages"].item() for one in moved] == pytest.approx([0.0, gap, 0.0, -gap], abs=1e-4)


@pytest.mark.parametrize("stage", [STAGE, RlooStage(steps=1, tasks_per_step=2, group_size=4)], ids=["grpo", "rloo"])
def test_what_earned_more_becomes_likelier(stage: Any, make_trainer: Make) -> None:
    """Between 7 2 and 9 2 as answers, the first succeeds."""
    answers = enumerate((True, True, False, False))
    played = [two_steps(good, (5, 6), (7 if good else 9, 2), sample=number) for number, good in answers]
    trainer = make_trainer(dataclasses.replace(stage, steps=5, learning_rate=3e-3), played, tree=True)
    before = answer_odds(trainer)
    trainer.train()
    assert answer_odds(trainer) > before + 1.0


def test_the_reference_of_an_adapter_that_is_gone_on_with_is_that_adapter(
    make_trainer: Make, sharp: Path, tmp_path: Path
) -> None:
    first = make_trainer(dataclasses.replace(STAGE, learning_rate=0.1), groups(), lora=LORA)
    first.train()
    first.save_model(str(tmp_path / "sft"))
    given = {"lora": LORA, "model": HfModel(path=str(sharp), adapter=tmp_path / "sft"), "tree": True}
    stage = dataclasses.replace(STAGE, beta=0.1, epochs=2, learning_rate=0.1)
    second = make_trainer(stage, groups(), **given, trainer=TrainerConfig(checkpoint_every=1))
    (inputs,) = inputs_of(second)
    assert torch.allclose(inputs["ref_per_token_logps"], inputs["old_per_token_logps"], atol=1e-5)
    second.train()
    (moved,) = inputs_of(second)
    assert torch.allclose(moved["ref_per_token_logps"], inputs["ref_per_token_logps"], atol=1e-5), "it stays"
    assert not torch.allclose(moved["old_per_token_logps"], inputs["old_per_token_logps"], atol=1e-2)
    assert not list(Path(second.args.output_dir).glob("checkpoint-*/ref")), "or going on would take it up"
