"""Small models whose log-probabilities differ by whole nats, and batches of rows that share prefixes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)
from trl.trainer.utils import add_fused_lm_head

from tests.training.treepack.twins import make_trainer

VOCABULARY = 60
FIELDS = ("log_probs", "entropy", "mean_logits", "is_top1", "log_sum_sq_probs")
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,  # with the usual 0.02 every token is as likely as any other, and no test could fail
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
WINDOW = 7
KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {}),
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": WINDOW}),
    "gemma3": (
        Gemma3TextConfig,
        Gemma3ForCausalLM,
        {
            "sliding_window": WINDOW,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    "qwen3_moe": (
        Qwen3MoeConfig,
        Qwen3MoeForCausalLM,
        {"moe_intermediate_size": 24, "num_experts": 4, "num_experts_per_tok": 2, "router_aux_loss_coef": 0.1},
    ),
    "granite": (
        GraniteConfig,
        GraniteForCausalLM,
        {"logits_scaling": 2.0, "residual_multiplier": 0.5, "attention_multiplier": 0.2, "embedding_multiplier": 2.0},
    ),
}


class Batch(NamedTuple):
    """A padded batch as TRL's collators make them."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor

    def call(self, **more: Any) -> dict[str, Any]:
        """The arguments of TRL's call for log-probabilities."""
        return {**self._asdict(), "fused_lm_head": True, "use_cache": False, **more}


MakeModel = Callable[..., PreTrainedModel]
MakeBatch = Callable[..., Batch]


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """A model of random weights with TRL's fused head; the same for the same kind and seed."""

    def make(kind: str = "qwen3", seed: int = 0, **settings: Any) -> PreTrainedModel:
        config_class, model_class, own = KINDS[kind]
        torch.manual_seed(seed)
        model = model_class(config_class(**{**SHAPE, **own, **settings})).train()
        add_fused_lm_head(model, outputs=FIELDS)
        return model

    return make


@pytest.fixture(scope="session")
def make_batch() -> MakeBatch:
    """Rows that follow a trunk for a while, padded; about half of their tokens are scored, in prompts too."""

    def make(seed: int = 0, rows: int = 6, trunk: int = 30, *, left: bool = False, scored: float = 0.5) -> Batch:
        rng = random.Random(seed)
        common = _words(rng, trunk)
        tokens = [common[: rng.randint(1, trunk)] + _words(rng, rng.randint(1, 8)) for _ in range(rows)]
        return padded(tokens, rng, left=left, scored=scored)

    return make


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """`make(TreeDPOTrainer, key=value)`: see `twins.make_trainer`."""
    return lambda kind, **settings: make_trainer(kind, tmp_path_factory.mktemp("trainer"), **settings)


def padded(rows: Sequence[list[int]], rng: random.Random, *, left: bool, scored: float) -> Batch:
    """Rows with padding on the right, or anywhere around them; the last token of each is always scored."""
    length = max(map(len, rows)) + 1
    ids_BL = torch.zeros(len(rows), length, dtype=torch.long)
    mask_BL, labels_BL = torch.zeros_like(ids_BL), torch.full_like(ids_BL, -100)
    for number, row in enumerate(rows):
        start = rng.randint(0, length - len(row)) if left else 0
        ids_BL[number, start : start + len(row)] = torch.tensor(row)
        mask_BL[number, start : start + len(row)] = 1
        for place in range(1, len(row)):
            if place == len(row) - 1 or rng.random() < scored:
                labels_BL[number, start + place] = row[place]
    return Batch(ids_BL, mask_BL, labels_BL)


def _words(rng: random.Random, count: int) -> list[int]:
    return [rng.randrange(1, VOCABULARY) for _ in range(count)]
