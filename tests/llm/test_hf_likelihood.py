"""How likely a model finds given tokens."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel

from agentbench.llm.hf_likelihood import HfLikelihood


def test_log_probabilities_are_those_of_one_token_after_the_other(model: PreTrainedModel) -> None:
    found = HfLikelihood(model).logprobs([5, 9, 11], [17, 23])
    with torch.no_grad():
        first = model(torch.tensor([[5, 9, 11]])).logits[0, -1].log_softmax(-1)[17].item()
        second = model(torch.tensor([[5, 9, 11, 17]])).logits[0, -1].log_softmax(-1)[23].item()
    assert found == pytest.approx([first, second], abs=1e-5)
