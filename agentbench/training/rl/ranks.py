"""The processes of a training that plays: who plays what, and how each comes to know what all have.

Every process learns from the same rollout: each plays its share of the episodes, all are told all of them, and each
computes its share of every optimizer step's rows. What is gathered are Python objects of processes that one run has
started; nothing else can speak to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


class Ranks(NamedTuple):
    """How many processes there are, and which of them this is."""

    number: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """The one that writes files."""
        return self.number == 0

    def share(self, parts: Sequence[T]) -> list[T]:
        """Every `size`-th part, in order; all parts are some process's."""
        return list(parts[self.number :: self.size])

    def gathered(self, own: T) -> list[T]:
        """What every process gives here, in the order of their numbers; each has to come here as often."""
        if self.size == 1:
            return [own]
        found: list[T | None] = [None] * self.size
        dist.all_gather_object(found, own)
        return found  # type: ignore[return-value]  # all places are filled

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Gives each parameter that is trained the mean of all processes' gradients."""
        for parameter in parameters if self.size > 1 else ():
            if parameter.requires_grad:
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                dist.all_reduce(gradient)
                parameter.grad = gradient / self.size


ALONE = Ranks()
"""One process, which is all there is."""
