"""The small random model that tests of models in this process share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from transformers import PreTrainedModel

from tests.llm.small_model import qwen


@pytest.fixture(scope="module")
def model() -> Iterator[PreTrainedModel]:
    """One for all tests, computed by one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield qwen()
    torch.set_num_threads(threads)
