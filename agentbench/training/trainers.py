"""TRL's trainers, told to take rows as they are.

Their losses are untouched. What changes is how rows reach them (already as tokens, so nothing is rendered, cut or
ended with a token again) and what a checkpoint of an adapter holds. ORPO, which is experimental, is in `odds_ratio`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from safetensors.torch import load_model, save_model
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_trainer import KTOTrainer

from agentbench.training.treepack.trainers import TreePackedPreference
from agentbench.training.validation import by_row

if TYPE_CHECKING:
    from transformers import Trainer as _Host
else:
    _Host = object

_REFERENCE = "ref"
"""Name that TRL gives its frozen copy of an adapter that is gone on with."""
_MOVED = "moved_reference.safetensors"
"""In a checkpoint: a reference that moves, as it is at that step."""


class _Exact(_Host):
    """Put before a TRL trainer among the bases: its rows are tokens already, and its checkpoints can be resumed."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        without_reference(output_dir or self.args.output_dir or "")

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        args: Any = self.args
        if args.sync_ref_model and args.should_save:
            folder = Path(args.output_dir) / f"checkpoint-{self.state.global_step}"
            save_model(_reference(self), str(folder / _MOVED))


class ExactDpoTrainer(_Exact, DPOTrainer):  # type: ignore[misc]
    """Preference pairs that are tokens already, validated as a mean over pairs."""

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """TRL's lines; what was measured on validation pairs, each pair counts alike."""
        if "eval_loss" in logs:
            by_row(self._metrics["eval"], self)
        super().log(logs, start_time)


class ExactKtoTrainer(_Exact, KTOTrainer):  # type: ignore[misc]
    """Single completions that are tokens already; the completions for the KL term are columns of the table."""


class TreeExactDpoTrainer(TreePackedPreference, ExactDpoTrainer):
    """The same, with tokens that pairs share computed once."""


class TreeExactKtoTrainer(TreePackedPreference, ExactKtoTrainer):  # type: ignore[misc]
    """The same, with tokens that completions share computed once."""


def take_up_reference(trainer: Any, checkpoint: Path) -> None:
    """Gives a trainer whose reference moves the one that a checkpoint holds; does nothing where none moves."""
    if (checkpoint / _MOVED).is_file():
        load_model(_reference(trainer), str(checkpoint / _MOVED))


def _reference(trainer: Any) -> Any:
    return trainer.accelerator.unwrap_model(trainer.ref_model)


def without_reference(checkpoint: str | Path) -> None:
    """Resuming takes adapters from sub-folders where there are any, and would then not find the one that is trained."""
    shutil.rmtree(Path(checkpoint) / _REFERENCE, ignore_errors=True)
