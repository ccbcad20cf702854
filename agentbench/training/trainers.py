"""TRL's trainers, told to take rows as they are.

Their losses are untouched. What changes is how rows reach them (already as tokens, so nothing is rendered, cut or
ended with a token again) and what a checkpoint of an adapter holds. ORPO, which is experimental, is in `odds_ratio`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from datasets import Dataset
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer

from agentbench.training.treepack.trainers import TreePackedPreference

_REFERENCE = "ref"
"""Name that TRL gives its frozen copy of an adapter that is gone on with."""


class ExactDpoTrainer(DPOTrainer):
    """Preference pairs that are tokens already."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:  # type: ignore[override]
        return dataset

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        _without_reference(output_dir or self.args.output_dir or "")


class ExactKtoTrainer(KTOTrainer):
    """Single completions that are tokens already; the completions for the KL term are columns of the table."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:  # type: ignore[override]
        return dataset

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        _without_reference(output_dir or self.args.output_dir or "")


class TreeExactDpoTrainer(TreePackedPreference, ExactDpoTrainer):
    """The same, with tokens that pairs share computed once."""


class TreeExactKtoTrainer(TreePackedPreference, ExactKtoTrainer):  # type: ignore[misc]
    """The same, with tokens that completions share computed once."""


def _without_reference(checkpoint: str | Path) -> None:
    """Resuming takes adapters from sub-folders where there are any, and would then not find the one that is trained."""
    shutil.rmtree(Path(checkpoint) / _REFERENCE, ignore_errors=True)
