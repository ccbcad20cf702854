"""What packing says before and while it trains, and that it leaves the training to TRL where it must."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.reward_trainer import RewardTrainer
from trl.trainer.sft_trainer import SFTTrainer

from agentbench.training.treepack.forward import TreeOptions
from agentbench.training.treepack.plan import Backend
from agentbench.training.treepack.trainers import TreeDPOTrainer, TreeSFTTrainer, supported
from tests.training.treepack.twins import OPTIONS, Neighbourly, both, continued, hybrid, pairs, step


def test_the_check_fails_over_an_adapter_that_is_gone_on_with_where_the_paths_differ(make: Any) -> None:
    two = both(make, DPOTrainer, TreeDPOTrainer, given=continued)
    for trainer in two[:2]:
        bare = trainer.model.get_base_model()
        bare.set_input_embeddings(Neighbourly(bare.get_input_embeddings()))
    inputs = two.stock.data_collator(pairs(95))
    (loss, gradients, _), (ours, our_gradients, _) = (step(trainer, inputs) for trainer in two[:2])
    assert "differ from the stock path" in two.lines[-1] and not two.tree.packing.packed_batches
    assert ours == loss and torch.equal(our_gradients, gradients), "it is trained the stock way"


def test_a_hybrid_with_recurrent_layers_is_trained_as_trl_does_visibly(make: Any) -> None:
    two = both(make, DPOTrainer, TreeDPOTrainer, given=hybrid)
    assert two.lines == ["tree packing off: layers of type linear_attention are not known to keep to a tree"]
    inputs = two.stock.data_collator(pairs(96))
    (loss, gradients, _), (ours, our_gradients, _) = (step(trainer, inputs) for trainer in two[:2])
    assert ours == loss and torch.equal(our_gradients, gradients)


def test_what_packing_saves_is_said_before_training_and_what_was_checked_once(make: Any) -> None:
    lines: list[str] = []
    make(TreeDPOTrainer, max_steps=2, more={"say": lines.append}).train()
    told, checked = lines
    assert told.startswith("tree packing: ") and "times fewer; predicted work" in told
    assert told.endswith("; an optimizer step mixes 3 or more of 3 trees")
    assert checked.startswith("tree packing on: 4 rows (") and " agree with the stock path, " in checked


def test_rows_that_share_nothing_are_trained_on_as_trl_does(make: Any) -> None:
    lines: list[str] = []
    trainer = make(TreeDPOTrainer, max_steps=1, more={"say": lines.append, "tree": TreeOptions(least_sharing=9.0)})
    trainer.train()
    assert lines[1].startswith("tree packing off: tokens are shared ") and lines[1].endswith("less than 9")
    assert trainer.packing.packed_batches == 0


@pytest.mark.parametrize(
    ("settings", "options", "reason"),
    [
        ({"torch_compile": True}, OPTIONS, "torch_compile would compile every tree anew"),
        ({}, TreeOptions(Backend.FLEX), "FlexAttention has no backward pass on a CPU"),
    ],
)
def test_settings_that_rule_it_out_are_named(
    make: Any, settings: dict[str, Any], options: TreeOptions, reason: str
) -> None:
    lines: list[str] = []
    make(TreeDPOTrainer, **settings, more={"say": lines.append, "tree": options})
    assert lines == [f"tree packing off: {reason}"]


@pytest.mark.filterwarnings("ignore:`label_smoothing_factor` is deprecated")
def test_losses_of_whole_logits_are_left_to_trl(make: Any) -> None:
    lines: list[str] = []
    make(TreeSFTTrainer, label_smoothing_factor=0.1, more={"say": lines.append})
    assert lines == ["tree packing off: label smoothing and compute_loss_func need all logits"]


def test_dropout_rules_it_out_where_trl_leaves_it_on(make: Any) -> None:
    lines: list[str] = []
    trainer = make(TreeSFTTrainer, lora=False, more={"say": lines.append})
    assert lines == [] and not trainer.packing.reason
    trainer.model.layers_dropout = torch.nn.Dropout(0.1)
    trainer._installed.clear()
    trainer.install_packing()
    assert lines == ["tree packing off: dropout of 0.1 would fall on shared tokens once for all rows; set it to 0"]


def test_trainers_with_trls_fused_head_are_supported_and_others_are_not() -> None:
    assert [supported(kind) for kind in (DPOTrainer, SFTTrainer, KTOTrainer, GRPOTrainer, TreeDPOTrainer)] == [""] * 5
    assert supported(RewardTrainer) == "RewardTrainer does not get its log-probabilities by TRL's fused head"


@pytest.mark.slow
@pytest.mark.parametrize("odd", ["0", "1", "none"])
def test_processes_pack_together_or_not_at_all(odd: str, tmp_path: Path) -> None:
    child = str(Path(__file__).with_name("agree_child.py"))
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = [
        subprocess.Popen(
            [sys.executable, child, str(tmp_path / rank), odd],
            env={**common, "RANK": rank, "LOCAL_RANK": rank, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    said = [rank.communicate(timeout=300)[0].partition("SAID ")[2].strip() for rank in ranks]
    if odd == "none":
        assert all(line.startswith("tree packing on: 4 rows") and line.endswith(" 2") for line in said), (
            "with reference"
        )
        return
    assert said[1 - int(odd)] == "tree packing off: rows of another process differ from the stock path 0"
    assert said[int(odd)].startswith("tree packing off: 4 rows (") and said[int(odd)].endswith(" 0")


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
