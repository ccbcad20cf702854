"""How likely a transformers model finds given tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel


class HfLikelihood:
    """One forward pass for each question."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model

    @torch.no_grad()
    def logprobs(self, prompt: Sequence[int], continuation: Sequence[int]) -> list[float]:
        """The natural-log probability of each token of a continuation; the prompt is not empty."""
        ids_1T = torch.tensor([[*prompt, *continuation]], device=self._model.device)
        logits_CV = self._model(ids_1T).logits[0, len(prompt) - 1 : -1].float()
        targets_C1 = ids_1T[0, len(prompt) :, None]
        return logits_CV.log_softmax(-1).gather(-1, targets_C1)[:, 0].tolist()
