"""TRL's experimental ORPO on rows that are tokens already, its likelihood term on the agent's own tokens."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from agentbench.training.data import IGNORED
from agentbench.training.validation import by_row

with warnings.catch_warnings(action="ignore"):  # of being experimental, which is known
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

__all__ = ["ExactOrpoTrainer", "ORPOConfig"]


class ExactOrpoTrainer(ORPOTrainer):
    """Preference pairs that are tokens already, and the likelihood term on the chosen side's own tokens.

    TRL takes that term over the prompt and everything after it, so an agent would be trained to write its tools'
    output. The paper's (Hong et al. 2024, eq. 6) covers the response, which for an agent is what its mask says. TRL
    itself also fails on rows of several messages after the prompt; tokens have no messages.
    """

    def tokenize_row(self, feature: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:  # type: ignore[override]
        """Nothing: the row has its tokens."""
        return {}

    def concatenated_forward(self, model: nn.Module, batch: dict[str, Any]) -> Any:
        """TRL's outputs, with the fifth, the likelihood term, over labelled tokens."""
        outputs = super().concatenated_forward(model, batch)
        labels_BT = batch["chosen_labels"].to(outputs[2].device)
        logits_BTV = outputs[2][:, : labels_BT.shape[1] - 1]
        own = nn.functional.cross_entropy(logits_BTV.flatten(0, 1), labels_BT[:, 1:].flatten(), ignore_index=IGNORED)
        return (*outputs[:4], own, *outputs[5:])

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """TRL's lines; what was measured on validation pairs, each pair counts alike."""
        if "eval_loss" in logs:
            by_row(self._stored_metrics["eval"], self)
        super().log(logs, start_time)
