"""A student small enough to be trained from scratch on a CPU in minutes: its own tokenizer and a small Qwen3.

The vocabulary is learnt from the training trajectories alone, so held-out names split into several tokens and have to
be copied piece by piece: that is the skill such a model has to learn, and where it errs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

WORDS = r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s+"
"""Pre-tokens: words, single digits, single marks of punctuation, white space. Digits one by one make numbers copyable."""


class Architecture(NamedTuple):
    """Size of a tiny student."""

    hidden_size: int
    layers: int
    heads: int
    max_length: int
    """Longest context, in tokens."""


def train_tokenizer(texts: Iterable[str], vocab_size: int, control_tokens: Sequence[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer; `control_tokens` get the first ids and the last of them ends a turn."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[assignment]
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(control_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    end = control_tokens[-1]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=end)


def new_student(architecture: Architecture, tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen3ForCausalLM:
    """A freshly initialised model for the tokenizer's vocabulary."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=architecture.hidden_size,
        intermediate_size=4 * architecture.hidden_size,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        num_key_value_heads=max(1, architecture.heads // 2),
        head_dim=32,
        max_position_embeddings=architecture.max_length,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes the tokenizer so that transformers and the Rust library can both load it."""
    tokenizer.save_pretrained(str(folder))
