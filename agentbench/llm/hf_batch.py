"""Completions of many prompts at once: one prefill, then one token for every row that is not finished.

`generate` of transformers draws all rows from one random generator and rescores them through a chain of processors, so
that a row's tokens depend on its neighbours. Here each row has its own generator and its own rules, finished rows
leave the batch, and what a row gives differs with its company only by rounding: in float64 not in any recorded digit.

Dimensions: B rows under way, S tokens of the padded prompts, V vocabulary.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from transformers import DynamicCache, PreTrainedModel

from agentbench.llm import Sampling

Decode = Callable[[Sequence[int]], str]

LOGPROB_DIGITS = 6


class Job(NamedTuple):
    """One completion to draw."""

    prompt: tuple[int, ...]
    sampling: Sampling
    seed: int
    limit: int
    """Most tokens to draw, at least 1."""
    stop_texts: tuple[str, ...] = ()
    """Endings that are no single token of `stop_ids`."""


class Drawn(NamedTuple):
    """A completion; the token that ended it is the last of `ids`."""

    text: str
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str


class Row:
    """One completion under way."""

    def __init__(self, job: Job, stop_ids: frozenset[int], decode: Decode) -> None:
        self.job = job
        self.drawn: Drawn | None = None
        self.random = random.Random(job.seed)
        self._stop_ids = stop_ids
        self._decode = decode
        self._ids: list[int] = []
        self._logprobs: list[float] = []

    def take(self, token: int, logprob: float) -> None:
        """Adds a token, and finishes the row if it was the last."""
        self._ids.append(token)
        self._logprobs.append(round(logprob, LOGPROB_DIGITS) + 0.0)  # + 0.0 turns -0.0 into 0.0
        if token in self._stop_ids:
            self._finish(self._decode(self._ids[:-1]), "stop")
        elif self.job.stop_texts and (text := self._decode(self._ids)) and (end := self._end(text)) is not None:
            self._cut(end)
            self._finish(text[:end], "stop")
        elif len(self._ids) == self.job.limit:
            self._finish(self._decode(self._ids), "length")

    def _end(self, text: str) -> int | None:
        found = [place for stop in self.job.stop_texts if (place := text.find(stop)) >= 0]
        return min(found, default=None)

    def _cut(self, length: int) -> None:
        """Leaves the fewest tokens that hold so many characters."""
        kept = next(count for count in range(len(self._ids) + 1) if len(self._decode(self._ids[:count])) >= length)
        del self._ids[kept:], self._logprobs[kept:]

    def _finish(self, text: str, reason: str) -> None:
        self.drawn = Drawn(text, tuple(self._ids), tuple(self._logprobs), reason)


@torch.inference_mode()
def complete(model: PreTrainedModel, rows: Sequence[Row]) -> None:
    """Draws until every row has its completion. Log-probabilities are those at temperature 1."""
    if not rows:
        return
    live = list(rows)
    input_BS, mask_BS = _padded([row.job.prompt for row in live], model.device)
    position_BS = (mask_BS.cumsum(-1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    while live:
        logits_BV = model(
            input_ids=input_BS,
            attention_mask=mask_BS,
            position_ids=position_BS,
            past_key_values=cache,
            logits_to_keep=1,
        ).logits[:, -1]
        token_B = _draw(logits_BV.double().log_softmax(-1), live)
        kept = [index for index, row in enumerate(live) if row.drawn is None]
        if 0 < len(kept) < len(live):
            kept_B = torch.tensor(kept, device=model.device)
            cache.batch_select_indices(kept_B)
            token_B, mask_BS, position_BS = token_B[kept_B], mask_BS[kept_B], position_BS[kept_B]
        live = [live[index] for index in kept]
        input_BS = token_B[:, None]
        mask_BS = torch.cat((mask_BS, mask_BS.new_ones(len(mask_BS), 1)), -1)
        position_BS = position_BS[:, -1:] + 1


def _padded(prompts: Sequence[tuple[int, ...]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts moved to a common right edge, and a mask that is 1 where there is a token."""
    length = max(map(len, prompts))
    pads = [length - len(prompt) for prompt in prompts]
    input_BS = torch.tensor([(0,) * pad + prompt for pad, prompt in zip(pads, prompts, strict=True)], device=device)
    mask_BS = torch.tensor([[0] * pad + [1] * (length - pad) for pad in pads], device=device)
    return input_BS, mask_BS


def _draw(logprob_BV: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """The next token of each row, told to the rows."""
    token_B = logprob_BV.argmax(-1)
    sampled = [index for index, row in enumerate(rows) if row.job.sampling.temperature > 0]
    if sampled:
        token_B[sampled] = _sample(logprob_BV[sampled], [rows[index] for index in sampled])
    logprob_B = logprob_BV.gather(-1, token_B[:, None])[:, 0]
    for row, token, logprob in zip(rows, token_B.tolist(), logprob_B.tolist(), strict=True):
        row.take(token, logprob)
    return token_B


def _sample(logprob_BV: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """Inverse-CDF draws, in the order of the vocabulary, from the tempered and top-p cut probabilities."""
    device = logprob_BV.device
    temperature_B1 = torch.tensor([[row.job.sampling.temperature] for row in rows], device=device, dtype=torch.float64)
    top_p_B1 = torch.tensor([[row.job.sampling.top_p] for row in rows], device=device, dtype=torch.float64)
    prob_BV = (logprob_BV / temperature_B1).softmax(-1)
    if any(row.job.sampling.top_p < 1 for row in rows):
        ranked_BV, order_BV = prob_BV.sort(dim=-1, descending=True, stable=True)
        beyond_BV = ranked_BV.cumsum(-1) - ranked_BV >= top_p_B1
        prob_BV = prob_BV.masked_fill(beyond_BV.scatter(-1, order_BV, beyond_BV), 0)
    cumulative_BV = prob_BV.cumsum(-1)
    uniform_B1 = torch.tensor([[row.random.random()] for row in rows], device=device, dtype=torch.float64)
    token_B1 = torch.searchsorted(cumulative_BV, uniform_B1 * cumulative_BV[:, -1:], right=True)
    return token_B1[:, 0].clamp(max=prob_BV.shape[-1] - 1)
