"""A student small enough to be trained from scratch on a CPU in minutes: its own tokenizer and a small Qwen3.

The vocabulary is learnt from the training trajectories alone, so held-out names split into several tokens and have to
be copied piece by piece: that is the skill such a model has to learn, and where it errs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

WORDS = r" ?[\p{L}_]+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}_]|\s+"
"""Pre-tokens: words and names with underscores, up to three digits, single marks, white space."""


class Architecture(NamedTuple):
    """Size of a tiny student."""

    hidden_size: int
    layers: int
    heads: int
    max_length: int
    """Longest context, in tokens."""


def train_tokenizer(
    texts: Iterable[str], vocab_size: int, control_tokens: Sequence[str], *, end: str, pad: str
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer whose `control_tokens` get the first ids; `end` ends a turn, `pad` fills batches."""
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
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=pad)


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
        eos_token_id=tokenizer.get_vocab()[str(tokenizer.eos_token)],
        pad_token_id=tokenizer.get_vocab()[str(tokenizer.pad_token)],
        bos_token_id=None,
    )
    return Qwen3ForCausalLM(config)


class CopyingTask(NamedTuple):
    """How the student is taught to copy before it sees any trajectory."""

    steps: int = 900
    batch_size: int = 32
    shortest: int = 8
    longest: int = 40
    """Length of the random sequences, in tokens; each stands twice in a row."""
    learning_rate: float = 2e-3
    enough: float = 0.94
    """Stop once this share of the second copies is predicted rightly, over the last ten steps."""


def teach_copying(model: Qwen3ForCausalLM, task: CopyingTask, seed: int, report: Callable[[int, float], None]) -> float:
    """Trains the model to continue random token sequences that it has seen once; gives the share predicted rightly.

    Copying a name it has never met is what a tool-calling student needs most and finds last: an induction head
    (Olsson et al. 2022, In-context Learning and Induction Heads) appears in hundreds of steps on such sequences and in
    thousands on trajectories. No task text is used. `report(step, share)` is called every ten steps.
    """
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=task.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    recent: list[float] = []
    share = 0.0
    for step in range(1, task.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = task.learning_rate * min(1.0, step / 20)
        length = int(torch.randint(task.shortest, task.longest, (1,), generator=rng))
        first_BT = torch.randint(model.config.vocab_size, (task.batch_size, length), generator=rng)
        logits_BTV = model(first_BT.repeat(1, 2), logits_to_keep=length + 1).logits[:, 1:-1]
        target_BT = first_BT[:, 1:]
        loss = torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), target_BT.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent = [*recent[-9:], (logits_BTV.argmax(-1) == target_BT).float().mean().item()]
        share = sum(recent) / len(recent)
        if step % 10 == 0:
            report(step, share)
            if share >= task.enough:
                break
    return share
