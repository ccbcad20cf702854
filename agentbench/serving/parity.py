"""Are the weights that a server computes those that it was asked for?

A server can answer well and be wrong: an adapter that was not applied, an older one under the same name, another base.
So it completes fixed prompts greedily, and transformers, in this process and in float32 as in training, says how likely
it finds each of those tokens, with the adapter and without. The figure is the mean absolute difference of
log-probabilities, in nats. It has to be small, and must not be clearly smaller to the base model than to the adapter:
that finds light adapters that were not applied on a server that computes in 16 bits.

What this does not cover: an adapter whose effect on these prompts is lost in the server's rounding is not told from
none; the report says so. What transformers has computed is kept in a folder, by content, so that a model that has not
changed is loaded here only once. Scoring prompts would be simpler; vLLM's engine dies of it where adapters are allowed.

Dimensions: T tokens, V vocabulary.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from agentbench.config.model import Dtype
from agentbench.serving.client import Sampled, ServerClient
from agentbench.serving.weights import Weights
from agentbench.types import record

if TYPE_CHECKING:
    from peft.tuners.tuners_utils import BaseTunerLayer
    from transformers import PreTrainedModel

TOKENS = 16
"""Tokens of each completion."""
CLEARLY = 2.0
"""How many times nearer to one than to the other, adapter and base, a server is that can be told to compute it."""


class Probe(NamedTuple):
    """A prompt and what the server made of it."""

    prompt: tuple[int, ...]
    sampled: Sampled


@record
class Expected:
    """Log-probabilities that transformers gives the probes' tokens, one list per probe."""

    adapted: tuple[tuple[float, ...], ...]
    """With the adapter; the base's, where there is none."""
    base: tuple[tuple[float, ...], ...]


class Parity(NamedTuple):
    """How far a server is from what was wanted, in nats per token."""

    tokens: int
    difference: float
    """Mean absolute difference to the wanted weights."""
    to_base: float
    """The same to the base without the adapter."""
    effect: float
    """Mean absolute difference that the adapter makes in transformers; 0 without one."""
    tolerance: float

    def problem(self) -> str:
        """What is wrong, in words; empty where nothing is."""
        if not self.difference <= self.tolerance:
            base = " (it answers as the base model without the adapter)" if self.to_base <= self.tolerance else ""
            found = f"log-probabilities differ by {self.difference:.3g} nats on average"
            return f"{found}, {self.tolerance:g} is allowed{base}"
        if self.to_base * CLEARLY < self.difference:
            return f"it is {self.to_base:.2g} nats from the base model and {self.difference:.2g} from the adapter"
        return ""

    def line(self, adapted: bool) -> str:
        """The figures for people."""
        told = f"log-probabilities of {self.tokens} tokens differ from transformers' by {self.difference:.2g} nats"
        if not adapted:
            return told
        if self.to_base < CLEARLY * self.difference or not self.effect:
            return f"{told}; the adapter changes them by {self.effect:.2g} only, too little to tell it from none"
        return f"{told}; the adapter changes them by {self.effect:.2g}"


def probe(client: ServerClient, name: str, prompts: Sequence[tuple[int, ...]]) -> tuple[Probe, ...]:
    """What a server makes of the prompts.

    Raises:
        PreflightError: it fails.
    """
    return tuple(Probe(prompt, client.greedy(name, prompt, TOKENS)) for prompt in prompts)


def expected(wanted: Weights, probes: Sequence[Probe], device: str, cache: Path) -> Expected:
    """What transformers makes of the same tokens.

    Raises:
        PreflightError: model or adapter cannot be loaded here, or the adapter does not fit the model.
    """
    asked = [wanted.identity, [(each.prompt, each.sampled.ids) for each in probes]]
    file = cache / f"{hashlib.sha256(orjson.dumps(asked)).hexdigest()[:24]}.json"
    if file.is_file():
        told = orjson.loads(file.read_bytes())
        return Expected(_rows(told["adapted"]), _rows(told["base"]))
    computed = _computed(wanted, probes, device)
    cache.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    draft.write_bytes(orjson.dumps(computed))
    draft.replace(file)
    return computed


def compare(probes: Sequence[Probe], told: Expected, tolerance: float) -> Parity:
    """How far the server is from what transformers makes of its tokens."""
    served = [each.sampled.logprobs for each in probes]
    return Parity(
        tokens=sum(map(len, served)),
        difference=_difference(served, told.adapted),
        to_base=_difference(served, told.base),
        effect=_difference(told.adapted, told.base),
        tolerance=tolerance,
    )


def _difference(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> float:
    pairs = [pair for row, other in zip(ours, theirs, strict=True) for pair in zip(row, other, strict=True)]
    return math.fsum(abs(one - other) for one, other in pairs) / len(pairs)


def _rows(values: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values)


def _computed(wanted: Weights, probes: Sequence[Probe], device: str) -> Expected:
    from agentbench.llm.hf_load import load_hf

    model = load_hf(wanted.path, wanted.adapter, Dtype.FLOAT32, device)
    adapted = _rows([_logprobs(model, each) for each in probes])
    if wanted.adapter is None:
        return Expected(adapted, adapted)
    _switch_off(model)
    return Expected(adapted, _rows([_logprobs(model, each) for each in probes]))


def _logprobs(model: PreTrainedModel, each: Probe) -> list[float]:
    """Of each sampled token after the prompt and the tokens before it."""
    import torch

    ids = torch.tensor([[*each.prompt, *each.sampled.ids]], device=model.device)
    with torch.inference_mode():
        logits_TV = model(input_ids=ids, logits_to_keep=len(each.sampled.ids) + 1).logits[0, :-1]
    logprobs_TV = logits_TV.double().log_softmax(-1)
    sampled_T = torch.tensor(each.sampled.ids, device=model.device)
    return logprobs_TV.gather(-1, sampled_T[:, None])[:, 0].tolist()


def _switch_off(model: PreTrainedModel) -> None:
    """Leaves the base model."""
    for layer in _adapted_layers(model):
        layer.enable_adapters(False)


def _adapted_layers(model: PreTrainedModel) -> Iterator[BaseTunerLayer]:
    from peft.tuners.tuners_utils import BaseTunerLayer as Adapted

    return (layer for layer in model.modules() if isinstance(layer, Adapted))
