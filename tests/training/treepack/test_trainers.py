"""TRL's trainers, stock and packed, on the same batches: every loss, its gradients and TRL's own metrics agree."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from agentbench.training.treepack.forward import TreeOptions
from agentbench.training.treepack.trainers import TreeDPOTrainer, TreeKTOTrainer, TreeSFTTrainer
from tests.training.treepack.twins import (
    EXACT,
    LOSSES,
    OPTIONS,
    Two,
    assert_same,
    both,
    continued,
    masked,
    pairs,
    rows,
    scale_adapter,
    singles,
    step,
)


@pytest.fixture(scope="module", params=[True, False], ids=["adapter", "all weights"])
def dpo(request: pytest.FixtureRequest, make: Any) -> Two:
    return both(make, DPOTrainer, TreeDPOTrainer, lora=request.param)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_preference_loss_is_trls(dpo: Two, loss: str) -> None:
    for trainer in dpo[:2]:
        trainer.loss_types, trainer.loss_weights = [loss], [1.0]
        trainer.label_smoothing = 0.1 if loss in ("exo_pair", "robust") else 0.0
    assert_same(dpo, masked(dpo.stock, pairs(LOSSES.index(loss))))
    assert_same(dpo, dpo.stock.data_collator(pairs(50 + LOSSES.index(loss), steps=2)))


def test_added_losses_and_length_desensitised_sums_are_trls(make: Any) -> None:
    settings = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5], "ld_alpha": 0.5}
    two = both(make, DPOTrainer, TreeDPOTrainer, **settings)
    assert_same(two, masked(two.stock, pairs(90)))


@pytest.mark.parametrize("loss", ["sigmoid", "ipo", "apo_zero"])
def test_weighting_by_how_likely_the_model_writes_a_pair_is_trls(make: Any, loss: str) -> None:
    two = both(make, DPOTrainer, TreeDPOTrainer, loss_type=[loss], use_weighting=True)
    assert_same(two, masked(two.stock, pairs(91)))


@pytest.mark.parametrize("divergence", ["forward_kl", "js_divergence", "alpha_divergence"])
@pytest.mark.parametrize("loss", ["sigmoid", "hinge"])
def test_every_divergence_is_trls(make: Any, divergence: str, loss: str) -> None:
    # A small scale of the adapter: exponentials of rewards of hundreds of nats would be infinite on both paths.
    settings = {"loss_type": [loss], "f_divergence_type": divergence, "f_alpha_divergence_coef": 0.5}
    two = both(make, DPOTrainer, TreeDPOTrainer, **settings)
    for trainer in two[:2]:
        scale_adapter(trainer.model, 0.02)
    assert_same(two, masked(two.stock, pairs(92)))


def test_an_adapter_that_is_gone_on_with_and_its_frozen_copy_are_trls(make: Any) -> None:
    two = both(make, DPOTrainer, TreeDPOTrainer, given=continued)
    assert "ref" in two.tree.model.peft_config
    loss, _, _ = step(two.tree, two.stock.data_collator(pairs(93)))
    assert loss == pytest.approx(math.log(2), abs=1e-6), "model and copy agree before the first step"
    for trainer in two[:2]:
        scale_adapter(trainer.model, 1.1, "lora_B.default")
    assert_same(two, masked(two.stock, pairs(94)))


@pytest.mark.parametrize("lora", [True, False])
@pytest.mark.parametrize("loss", ["kto", "apo_zero_unpaired"])
def test_both_losses_of_kto_and_the_kl_term_are_trls(make: Any, lora: bool, loss: str) -> None:
    two = both(make, KTOTrainer, TreeKTOTrainer, lora=lora, loss_type=loss)
    assert two.stock.calculate_KL == (loss == "kto")
    assert_same(two, masked(two.stock, singles(7)))


@pytest.mark.parametrize("lora", [True, False])
@pytest.mark.parametrize("loss_type", ["nll", "dft"])
def test_supervised_losses_are_trls(make: Any, lora: bool, loss_type: str) -> None:
    two = both(make, SFTTrainer, TreeSFTTrainer, lora=lora, loss_type=loss_type)
    assert_same(two, two.stock.data_collator(rows(7)))


def test_supervised_losses_with_prompts_in_them_are_trls(make: Any) -> None:
    two = both(make, SFTTrainer, TreeSFTTrainer)
    whole = [{"input_ids": row["input_ids"], "labels": row["input_ids"]} for row in rows(7)]
    assert_same(two, two.stock.data_collator(whole))


def trained(trainer: Any) -> list[tuple[float, float]]:
    trainer.train()
    return [(float(log["loss"]), float(log["grad_norm"])) for log in trainer.state.log_history if "loss" in log]


def test_a_whole_training_with_checkpointed_layers_and_a_budget_goes_the_same_way(make: Any) -> None:
    settings = {"max_steps": 3, "logging_steps": 1, "learning_rate": 1e-2, "train_sampling_strategy": "sequential"}
    options = TreeOptions(least_sharing=1.0, max_packed_tokens=30)
    stock = trained(make(DPOTrainer, **settings))
    tree = make(TreeDPOTrainer, **settings, gradient_checkpointing=True, more={"tree": options, "say": lambda _: None})
    for figures, ours in zip(stock, trained(tree), strict=True):
        assert ours == pytest.approx(figures, rel=1e-4)
    assert tree.packing.packed_batches == 6, "policy and reference, three times"


def test_reference_log_probabilities_are_packed_when_they_are_computed_in_advance(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"precompute_ref_log_probs": True}
    tree = make(TreeDPOTrainer, **settings, more={"tree": OPTIONS, "say": lambda _: None})
    assert tree.packing.packed_batches == 3, "twelve pairs, four at a time"
    stock = make(DPOTrainer, **settings)
    assert tree.train_dataset["ref_chosen_logps"] == pytest.approx(stock.train_dataset["ref_chosen_logps"], abs=EXACT)


@pytest.mark.slow
def test_many_random_trees_give_every_loss(dpo: Two) -> None:
    """Of 600 gradients the worst, discopop's, is 2.6e-5 apart: its temperature of 0.05 multiplies a sum's rounding."""
    for seed in range(20):
        for loss in LOSSES:
            for trainer in dpo[:2]:
                trainer.loss_types, trainer.loss_weights = [loss], [1.0]
                trainer.label_smoothing = 0.1 if loss in ("exo_pair", "robust") else 0.0
            assert_same(dpo, masked(dpo.stock, pairs(100 + seed, steps=1 + seed % 6)), exact=5 * EXACT)
