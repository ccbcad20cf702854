"""Rows that join and leave a batch while it is drawn from, one token for each row at a time.

A new row does not wait for others to finish, a finished one leaves at once, and what was computed for it stays for the
next prompt that begins alike (`hf_prefixes`): an episode's next step computes its new tokens only. Models whose layers
do not bear gaps between tokens (see `hf_slots.bears_gaps`) are drawn from in closed batches, without prefixes.

transformers has continuous batching of its own (`generate_batch`). In 5.19 it has one random seed for all requests and
computes log-probabilities in float32, so that neither samples nor recorded digits would be independent of company.

Dimensions: B rows under way, S slots, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from agentbench.llm.hf_prefixes import Prefix, Prefixes
from agentbench.llm.hf_rows import Row, draw, guided
from agentbench.llm.hf_slots import Slots, bears_gaps, slots_of


class Batch:
    """The rows under way; for one thread at a time."""

    def __init__(self, model: PreTrainedModel, prefix_bytes: int) -> None:
        """`prefix_bytes` limits the memory for what is kept of finished rows; 0 keeps nothing."""
        self._model = model
        self._open = bears_gaps(model)
        self._prefixes = Prefixes(prefix_bytes if self._open else 0)
        self._live = _Live.nobody(model)

    @property
    def takes_rows(self) -> bool:
        """Whether `admit` may be called now."""
        return self._open or not self._live.rows

    @torch.inference_mode()
    def admit(self, rows: Sequence[Row]) -> None:
        """Takes rows in and draws the first token of each."""
        newcomers = [_Newcomer(row, self._prefixes.longest(row.job.prompt)) for row in rows]
        groups = _alike(newcomers) if self._open else iter([newcomers])
        for group in groups:
            input_BS, mask_BS = _padded([it.rest for it in group], self._model.device)
            slots = slots_of(self._model, [it.prefix for it in group]).followed_by(mask_BS)
            joined = self._drawn([it.row for it in group], slots, input_BS)
            self._live = self._live.above(joined) if self._live.rows else joined

    @torch.inference_mode()
    def step(self) -> None:
        """Draws the next token of every row; finished ones leave."""
        rows, slots, token_B = self._live
        self._live = self._drawn(rows, slots.followed_by(torch.ones_like(token_B)[:, None]), token_B[:, None])

    def clear(self) -> None:
        """Forgets the rows under way."""
        self._live = _Live.nobody(self._model)

    def _drawn(self, rows: Sequence[Row], slots: Slots, input_BS: torch.Tensor) -> _Live:
        """The rows that need further tokens after the one that follows the input."""
        logits_BV = self._model(
            input_ids=input_BS,
            attention_mask=slots.mask_BS,
            position_ids=slots.position_BS[:, -input_BS.shape[1] :],
            past_key_values=slots.cache,
            logits_to_keep=1,
        ).logits[:, -1]
        token_B = draw(guided(logits_BV.double(), rows).log_softmax(-1), rows)
        kept = [index for index, row in enumerate(rows) if row.drawn is None]
        if len(kept) == len(rows):
            return _Live(rows, slots, token_B)
        self._remember(rows, slots)
        if not kept:
            return _Live.nobody(self._model)
        slots = slots.only(kept)
        return _Live([rows[index] for index in kept], slots.without_margin() if self._open else slots, token_B[kept])

    def _remember(self, rows: Sequence[Row], slots: Slots) -> None:
        """Keeps what was computed for finished rows; the token that was drawn last has not been computed."""
        if not self._prefixes.limit:
            return
        computed = slots.mask_BS.sum(-1).tolist()
        for index, row in enumerate(rows):
            if row.drawn is not None:
                ids = (row.job.prompt + row.drawn.ids)[: computed[index]]
                self._prefixes.keep(ids, slots.sequence(index, len(ids)))


class _Live(NamedTuple):
    rows: Sequence[Row]
    slots: Slots
    token_B: torch.Tensor
    """The token that was drawn last for each row."""

    @classmethod
    def nobody(cls, model: PreTrainedModel) -> _Live:
        return cls((), slots_of(model, ()), torch.empty(0, dtype=torch.long, device=model.device))

    def above(self, other: _Live) -> _Live:
        if not other.rows:
            return self
        token_B = torch.cat((self.token_B, other.token_B))
        return _Live([*self.rows, *other.rows], self.slots.above(other.slots), token_B)


class _Newcomer(NamedTuple):
    row: Row
    prefix: Prefix

    @property
    def rest(self) -> tuple[int, ...]:
        """The tokens of the prompt that have to be computed."""
        return self.row.job.prompt[self.prefix.length :]


def _alike(newcomers: Sequence[_Newcomer]) -> Iterator[list[_Newcomer]]:
    """Groups in which no row is more than twice as long as another: less than half of what is computed is padding."""
    group: list[_Newcomer] = []
    for newcomer in sorted(newcomers, key=lambda it: len(it.rest)):
        if group and len(newcomer.rest) > 2 * len(group[0].rest):
            yield group
            group = []
        group.append(newcomer)
    yield group


def _padded(prompts: Sequence[tuple[int, ...]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts moved to a common right edge, and a mask that is 1 where there is a token."""
    length = max(map(len, prompts))
    pads = [length - len(prompt) for prompt in prompts]
    input_BS = torch.tensor([(0,) * pad + prompt for pad, prompt in zip(pads, prompts, strict=True)], device=device)
    mask_BS = torch.tensor([[0] * pad + [1] * (length - pad) for pad in pads], device=device)
    return input_BS, mask_BS
