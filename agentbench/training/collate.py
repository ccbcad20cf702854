"""Batches in TRL's shape whose completion mask is the row's own.

TRL's collators put a mask of 1 on everything after the prompt, tool output included. These keep what they build and
replace the mask; the losses see nothing else.
"""

from __future__ import annotations

from typing import Any

import torch
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference
from trl.trainer.utils import pad

from agentbench.training.data import IGNORED

Example = dict[str, Any]


class MaskedPreferences(DataCollatorForPreference):
    """Pairs: chosen sides first, then the rejected ones."""

    def torch_call(self, examples: list[Example]) -> dict[str, Any]:
        """TRL's batch with our masks."""
        batch = super().torch_call(examples)
        sides = [_mask(example, side) for side in ("chosen_mask", "rejected_mask") for example in examples]
        batch["completion_mask"] = _padded(sides, 0)
        return batch


class MaskedUnpaired(DataCollatorForUnpairedPreference):
    """Single completions; another row's completion, with which KTO estimates its KL term, brings its own mask."""

    def torch_call(self, examples: list[Example]) -> dict[str, Any]:
        """TRL's batch with our masks."""
        batch = super().torch_call(examples)
        for prefix in ("", "KL_"):
            if f"{prefix}completion_mask" in examples[0]:
                masks = [_mask(example, f"{prefix}completion_mask") for example in examples]
                batch[f"{prefix}completion_mask"] = _padded(masks, 0)
        return batch


class MaskedOddsRatio:
    """Pairs for TRL's experimental ORPO: each side with its prompt, the mask in the labels."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, examples: list[Example]) -> dict[str, torch.Tensor]:
        """Ids, attention masks and labels of both sides."""
        batch: dict[str, torch.Tensor] = {}
        for side in ("chosen", "rejected"):
            ids = [example["prompt_ids"] + example[f"{side}_ids"] for example in examples]
            masks = [_mask(example, f"{side}_mask") for example in examples]
            labels = [
                [token if kept else IGNORED for token, kept in zip(*pair, strict=True)]
                for pair in zip(ids, masks, strict=True)
            ]
            batch[f"{side}_input_ids"] = _padded(ids, self._pad)
            batch[f"{side}_attention_mask"] = _padded([[1] * len(row) for row in ids], 0)
            batch[f"{side}_labels"] = _padded(labels, IGNORED)
        return batch


def _mask(example: Example, name: str) -> list[int]:
    return [0] * len(example["prompt_ids"]) + example[name]


def _padded(rows: list[list[int]], value: int) -> torch.Tensor:
    return pad([torch.tensor(row, dtype=torch.long) for row in rows], padding_value=value, padding_side="right")
