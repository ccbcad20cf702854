"""TRL's trainers, stock and packed, on the same batches: every loss, its gradients and TRL's own metrics agree."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.reward_trainer import RewardTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from agentbench.training.treepack.forward import TreeOptions
from agentbench.training.treepack.plan import Backend
from agentbench.training.treepack.trainers import TreeDPOTrainer, TreeKTOTrainer, TreeSFTTrainer, supported

LOSSES = (
    *("sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "aot_unpaired"),
    *("apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm"),
)
"""All of TRL 1.16's DPOTrainer."""
EXACT = 1e-5
PAD = 0
OPTIONS = TreeOptions(least_sharing=1.0)
CONFIGS: dict[Any, Any] = {DPOTrainer: DPOConfig, KTOTrainer: KTOConfig, SFTTrainer: SFTConfig}

Example = dict[str, Any]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    words = {"<pad>": PAD, "</s>": 1, **{f"w{number}": number for number in range(2, 60)}}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w2")), eos_token="</s>", pad_token="<pad>"
    )


def model(moved: float = 0.0) -> Qwen3ForCausalLM:
    """Always the same weights, or those a training may have moved a little away from."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=60,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        initializer_range=0.3,
        pad_token_id=PAD,
        eos_token_id=1,
    )
    made = Qwen3ForCausalLM(config)
    with torch.no_grad():
        for weight in made.parameters():
            weight += moved * torch.randn_like(weight)
    return made


def pairs(seed: int, steps: int = 4) -> list[Example]:
    """The branching points of one trajectory: prompts that grow, two ways on, one token of each not scored."""
    rng = random.Random(seed)
    words: Callable[[int], list[int]] = lambda count: [rng.randrange(2, 60) for _ in range(count)]  # noqa: E731
    history, found = words(12), []
    for _ in range(steps):
        chosen, rejected = words(rng.randint(2, 6)), words(rng.randint(2, 6))
        found.append({"prompt_ids": history, "chosen_ids": chosen, "rejected_ids": rejected})
        history = history + chosen + words(5)
    return found


def singles(seed: int) -> list[Example]:
    """The same as single completions, with the neighbour's completion for the KL term."""
    found = [
        {"prompt_ids": pair["prompt_ids"], "completion_ids": pair[side], "label": side == "chosen_ids"}
        for pair in pairs(seed)
        for side in ("chosen_ids", "rejected_ids")
    ]
    return [
        {**one, "KL_completion_ids": other["completion_ids"]}
        for one, other in zip(found, [found[-1], *found], strict=False)
    ]


def rows(seed: int) -> list[Example]:
    """One row per step, the step alone scored."""
    return [
        {
            "input_ids": pair["prompt_ids"] + pair["chosen_ids"],
            "labels": [-100] * len(pair["prompt_ids"]) + pair["chosen_ids"],
        }
        for pair in pairs(seed)
    ]


EXAMPLES: dict[Any, Any] = {DPOTrainer: pairs, KTOTrainer: singles, SFTTrainer: rows}


class Two(NamedTuple):
    """TRL's trainer and ours, on the same weights."""

    stock: Any
    tree: Any
    lines: list[str]


@pytest.fixture(scope="module")
def make(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """A trainer whose rows are tokens already; its adapter, if any, has random weights."""

    def trainer(kind: Any, *, lora: bool = True, more: dict[str, Any] | None = None, **settings: Any) -> Any:
        stock = next(base for base in kind.__mro__ if base in CONFIGS)
        exact = type(kind.__name__, (kind,), {"_prepare_dataset": lambda self, dataset, *_, **__: dataset})
        defaults = {"max_length": None, "report_to": "none", "use_cpu": True, "bf16": False, "disable_tqdm": True}
        defaults |= {"save_strategy": "no", "gradient_checkpointing": False, "per_device_train_batch_size": 4}
        folder = tmp_path_factory.mktemp("trainer")
        adapter = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)  # zeros would hide the adapter
        given: dict[str, Any] = {"peft_config": adapter} if lora else {}
        if not lora and stock is not SFTTrainer:
            given = {"ref_model": model(moved=0.02)}
        return exact(
            model=model(),
            args=CONFIGS[stock](output_dir=str(folder), **(defaults | settings)),
            train_dataset=Dataset.from_list([example for seed in range(3) for example in EXAMPLES[stock](seed)]),
            processing_class=tokenizer,
            **given,
            **(more or {}),
        )

    return trainer


@pytest.fixture(scope="module", params=[True, False], ids=["adapter", "all weights"])
def dpo(request: pytest.FixtureRequest, make: Any) -> Two:
    lines: list[str] = []
    ours = {"tree": OPTIONS, "say": lines.append}
    return Two(make(DPOTrainer, lora=request.param), make(TreeDPOTrainer, lora=request.param, more=ours), lines)


def step(trainer: Any, inputs: dict[str, Any]) -> tuple[float, torch.Tensor, dict[str, float]]:
    """Loss, gradients and TRL's metrics of one batch."""
    trainer.model.train().zero_grad()
    loss = trainer.compute_loss(trainer.model, dict(inputs))
    loss.backward()
    gradients = [weight.grad.flatten() for weight in trainer.model.parameters() if weight.grad is not None]
    metrics = {name: values[-1] for name, values in trainer._metrics["train"].items()}
    trainer._metrics["train"].clear()
    return loss.item(), torch.cat(gradients), {**metrics, "num_tokens": 0}


def assert_same(two: Two, inputs: dict[str, Any], exact: float = EXACT) -> None:
    before = two.tree.packing.packed_batches
    (loss, gradients, metrics), (our_loss, our_gradients, ours) = (step(trainer, inputs) for trainer in two[:2])
    assert two.tree.packing.packed_batches > before, two.lines
    assert abs(loss - our_loss) <= EXACT * max(1, abs(loss))
    assert ((gradients - our_gradients).norm() / gradients.norm()).item() <= exact
    assert ours == pytest.approx(metrics, rel=EXACT, abs=EXACT)


def masked(trainer: Any, examples: list[Example]) -> dict[str, Any]:
    """TRL's batch, one completion token in three taken out of the mask as if a tool had written it."""
    batch = trainer.data_collator(examples)
    for name in [name for name in batch if name.endswith("completion_mask")]:
        batch[name][:, ::3] = 0
    return batch


@pytest.mark.parametrize("loss", LOSSES)
def test_every_preference_loss_is_trls(dpo: Two, loss: str) -> None:
    for trainer in dpo[:2]:
        trainer.loss_types, trainer.loss_weights = [loss], [1.0]
        trainer.label_smoothing = 0.1 if loss in ("exo_pair", "robust") else 0.0
    assert_same(dpo, masked(dpo.stock, pairs(LOSSES.index(loss))))
    assert_same(dpo, dpo.stock.data_collator(pairs(50 + LOSSES.index(loss), steps=2)))


def test_weighting_by_wpo_and_length_desensitised_sums_are_trls(dpo: Two) -> None:
    for trainer in dpo[:2]:
        trainer.loss_types, trainer.loss_weights, trainer.ld_alpha = ["sigmoid", "sft"], [1.0, 0.5], 0.5
    assert_same(dpo, dpo.stock.data_collator(pairs(90)))
    for trainer in dpo[:2]:
        trainer.ld_alpha = None


@pytest.mark.parametrize("lora", [True, False])
def test_kto_with_its_kl_term_is_trls(make: Any, lora: bool) -> None:
    lines: list[str] = []
    two = Two(make(KTOTrainer, lora=lora), make(TreeKTOTrainer, lora=lora, more={"say": lines.append}), lines)
    assert_same(two, masked(two.stock, singles(7)))


@pytest.mark.parametrize("lora", [True, False])
@pytest.mark.parametrize("loss_type", ["nll", "dft"])
def test_supervised_losses_are_trls(make: Any, lora: bool, loss_type: str) -> None:
    lines: list[str] = []
    more = {"say": lines.append, "tree": OPTIONS}
    two = Two(
        make(SFTTrainer, lora=lora, loss_type=loss_type),
        make(TreeSFTTrainer, lora=lora, loss_type=loss_type, more=more),
        lines,
    )
    assert_same(two, two.stock.data_collator(rows(7)))


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


def test_what_packing_saves_is_said_before_training_and_what_was_checked_once(make: Any) -> None:
    lines: list[str] = []
    make(TreeDPOTrainer, max_steps=2, more={"say": lines.append}).train()
    told, checked = lines
    assert told.startswith("tree packing: ") and "times fewer; predicted work" in told
    assert checked.startswith("tree packing on: 4 rows agree with the stock path")


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
def test_many_random_trees_give_every_loss(dpo: Two) -> None:
    """Of 600 gradients the worst, discopop's, is 2.6e-5 apart: its temperature of 0.05 multiplies a sum's rounding."""
    for seed in range(20):
        for loss in LOSSES:
            for trainer in dpo[:2]:
                trainer.loss_types, trainer.loss_weights = [loss], [1.0]
                trainer.label_smoothing = 0.1 if loss in ("exo_pair", "robust") else 0.0
            assert_same(dpo, masked(dpo.stock, pairs(100 + seed, steps=1 + seed % 6)), exact=5 * EXACT)
