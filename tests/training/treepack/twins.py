"""TRL's trainer and ours on the same weights and rows, models to put into them, and how they are compared."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, Qwen3_5ForCausalLM, Qwen3_5TextConfig, Qwen3Config, Qwen3ForCausalLM
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from agentbench.training.treepack.forward import TreeOptions
from agentbench.training.treepack.order import TREE

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


def tokenizer() -> PreTrainedTokenizerFast:
    """One token per word."""
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


def make_trainer(
    kind: Any,
    folder: Path,
    *,
    lora: bool = True,
    given: Any = model,
    more: dict[str, Any] | None = None,
    **settings: Any,
) -> Any:
    """A trainer whose rows are tokens already; its adapter, if any, has random weights."""
    stock = next(base for base in kind.__mro__ if base in CONFIGS)
    exact = type(kind.__name__, (kind,), {"_prepare_dataset": lambda self, dataset, *_, **__: dataset})
    defaults = {"max_length": None, "report_to": "none", "use_cpu": True, "bf16": False, "disable_tqdm": True}
    defaults |= {
        "save_strategy": "no",
        "gradient_checkpointing": False,
        "remove_unused_columns": False,
        "per_device_train_batch_size": 4,
    }
    adapter = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)  # zeros would hide the adapter
    against: dict[str, Any] = {"peft_config": adapter} if lora and given is model else {}
    if not lora and stock is not SFTTrainer:
        against = {"ref_model": model(moved=0.02)}
    return exact(
        model=given(),
        args=CONFIGS[stock](output_dir=str(folder), **(defaults | settings)),
        train_dataset=Dataset.from_list(
            [{**example, TREE: seed} for seed in range(3) for example in EXAMPLES[stock](seed)]
        ),
        processing_class=tokenizer(),
        **against,
        **(more or {}),
    )


def both(make: Any, stock: Any, tree: Any, **settings: Any) -> Two:
    """TRL's trainer and ours with the same settings."""
    lines: list[str] = []
    return Two(make(stock, **settings), make(tree, **settings, more={"tree": OPTIONS, "say": lines.append}), lines)


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
    """Loss, gradients and metrics of a batch agree, and it was packed."""
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


def scale_adapter(adapted: torch.nn.Module, factor: float, part: str = "lora_B") -> None:
    """Multiplies what an adapter adds."""
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if part in name:
                weight.mul_(factor)


def continued() -> PeftModel:
    """With an adapter that training goes on with."""
    torch.manual_seed(1)
    adapter = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    return cast(PeftModel, get_peft_model(model(), adapter))


class Neighbourly(torch.nn.Module):
    """Adds to every embedding a little of the one before it: a model with state along the sequence."""

    def __init__(self, embedding: torch.nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, ids_BL: torch.Tensor) -> torch.Tensor:
        """As (B, L, D)."""
        hidden_BLD = self.embedding(ids_BL)
        return hidden_BLD + 0.1 * torch.nn.functional.pad(hidden_BLD, (0, 0, 1, 0))[:, :-1]


def hybrid() -> PeftModel:
    """Three of four layers are recurrent."""
    torch.manual_seed(0)
    config = Qwen3_5TextConfig(
        vocab_size=60,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        linear_num_key_heads=2,
        linear_num_value_heads=2,
        pad_token_id=PAD,
        eos_token_id=1,
    )
    adapter = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    return cast(PeftModel, get_peft_model(Qwen3_5ForCausalLM(config), adapter))
