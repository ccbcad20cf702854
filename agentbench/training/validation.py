"""Means over validation rows. TRL takes them over batches, so that rows of a last, smaller batch would count more."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any


def by_row(batches: MutableMapping[str, list[float]], trainer: Any) -> None:
    """Puts in place of each figure's values, one for every validation batch, their mean with each row counting alike.

    With several processes the last batch is filled up with rows that were measured before; they count in its value.
    """
    rows = len(trainer.eval_dataset)
    at_once = trainer.args.eval_batch_size * trainer.accelerator.num_processes
    sizes = [min(at_once, rows - start) for start in range(0, rows, at_once)]
    for name, values in batches.items():
        if len(values) == len(sizes):
            batches[name] = [sum(size * value for size, value in zip(sizes, values, strict=True)) / rows]
