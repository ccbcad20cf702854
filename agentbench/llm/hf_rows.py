"""Completions under way, each with its own random generator and its own rules.

`generate` of transformers draws all rows of a batch from one random generator and rescores them through a chain of
processors, so that a row's tokens depend on its neighbours. Here they do by rounding only: in float64 not in any
recorded digit.

Dimensions: B rows, V vocabulary.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from agentbench.llm import Sampling
from agentbench.llm.grammar import Guide

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
    guide: Guide | None = None
    """Says which tokens may come next; `None`: any."""


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
        if self.job.guide is not None:
            self.job.guide.take(token)
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


def guided(logit_BV: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """The logits without those of tokens that may not come next; changed in place."""
    for index, row in enumerate(rows):
        if row.job.guide is not None:
            barred_V = torch.from_numpy(~row.job.guide.allowed()).to(logit_BV.device)
            logit_BV[index].masked_fill_(barred_V, -math.inf)
    return logit_BV


def draw(logprob_BV: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
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
