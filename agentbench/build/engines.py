"""What computes the episodes that a training plays: its own weights in this process, or a server that follows them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from agentbench.build import Report
from agentbench.build.agent import Served, behind, serve_weights, tolerance, weights_of
from agentbench.build.models import family, model, system_prompt
from agentbench.config.entry import RolloutConfig
from agentbench.config.model import HfModel
from agentbench.config.serve import VllmServe
from agentbench.llm import Llm
from agentbench.llm.served import FittingLlm
from agentbench.serving.folder import ADAPTERS
from agentbench.serving.weights import Weights, kept_copy, read_adapter
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from agentbench.training.weights import TrainedModel

ADAPTER_NOW = "adapter_now"
"""Where the adapter that a server is to load next is written, in a run's folder."""


class Computing(NamedTuple):
    """Weights that answer at the moment."""

    llm: Llm
    weights: str
    """Which ones they are, as trajectories name them; empty for those in this process, which have no name yet."""


class Engine(Protocol):
    """Makes the weights of the moment answer."""

    @property
    def most_gap(self) -> float | None:
        """Largest mean difference of log-probabilities to the trainer's, in nats; `None` where they are its own."""
        ...

    def over(self, policy: TrainedModel) -> AbstractAsyncContextManager[Computing]:
        """The weights as they are, for as long as the context lasts."""
        ...


class InProcess:
    """The trainer's own weights, and nothing of what earlier ones computed."""

    most_gap = None

    def __init__(self, config: RolloutConfig, hf: HfModel) -> None:
        self._tokenizer = load_tokenizer(config.template.tokenizer or hf.path)
        self._stops = _stops(token_template(config, self._tokenizer), self._tokenizer)
        self._max_batch, self._prefix_bytes = hf.max_batch, int(hf.prefix_cache_gib * 2**30)

    @asynccontextmanager
    async def over(self, policy: TrainedModel) -> AsyncIterator[Computing]:
        """An engine of transformers on the model itself."""
        from peft import PeftModel

        from agentbench.llm.hf import HfLlm

        bare = policy.get_base_model() if isinstance(policy, PeftModel) else policy
        limits = {"max_batch": self._max_batch, "prefix_bytes": self._prefix_bytes}
        llm = HfLlm(bare, self._tokenizer.decode, self._stops, **limits)  # type: ignore[arg-type]
        try:
            yield Computing(llm, "")
        finally:
            await llm.close()


class OnServer:
    """A vLLM server of this run, or one it shares, that loads the adapter of the moment before every rollout."""

    def __init__(self, serve: VllmServe, config: RolloutConfig, folder: Path, report: Report) -> None:
        """Starts the server over the base model, and checks it.

        Raises:
            PreflightError: it cannot be started, or computes other weights.
        """
        self._serve, self._config, self._draft, self._report = serve, config, folder / ADAPTER_NOW, report
        self._base = weights_of(config, (), report)._replace(adapter=None)
        self._served = serve_weights(serve, self._base, config, report)
        self.most_gap = tolerance(serve, self._served.lease)

    @asynccontextmanager
    async def over(self, policy: TrainedModel) -> AsyncIterator[Computing]:
        """The server with the adapter, which it forgets afterwards.

        Raises:
            PreflightError: it refuses the adapter, or dies.
        """
        lease = self._served.lease
        adapter = read_adapter(self._written(policy), self._serve.max_adapter_rank)
        copy = kept_copy(adapter, lease.folder / ADAPTERS)
        lease.client.load_adapter(adapter.name, str(copy))
        served = self._served._replace(name=adapter.name, report=_quiet)
        llm = self._llm(served)
        try:
            async with served.in_use():
                yield Computing(llm, Weights(self._base.path, copy).identity)
        finally:
            await llm.close()
            self._forget(adapter.name, copy)

    def _llm(self, served: Served) -> Llm:
        asked = model(behind(served, self._base, self._config), (), self._report).llm
        return FittingLlm(asked, context=served.lease.client.context(served.lease.state.name))

    def _written(self, policy: TrainedModel) -> Path:
        """The adapter that is trained, and no other that the model may hold."""
        policy.save_pretrained(str(self._draft), selected_adapters=["default"])  # type: ignore[call-arg]
        return self._draft

    def _forget(self, name: str, copy: Path) -> None:
        """Weights of a moment are asked for once; another run with the very same ones would load them again."""
        lease = self._served.lease
        lease.raise_if_dead("died during the training")
        lease.client.unload_adapter(name)
        shutil.rmtree(copy, ignore_errors=True)


def engine(config: RolloutConfig, hf: HfModel, folder: Path, report: Report) -> Engine:
    """What plays a training's episodes.

    Raises:
        PreflightError: a server cannot be started, or computes other weights.
    """
    if isinstance(config.serve, VllmServe):
        return OnServer(config.serve, dataclasses.replace(config, model=hf), folder, report)
    return InProcess(config, hf)


def token_template(config: RolloutConfig, tokenizer: Tokenizer) -> TokenTemplate:
    """The layout of the prompts of weights that are at hand."""
    return TokenTemplate(family(config.template.kind, config.template.thinking), tokenizer, system_prompt(config.agent))


def _stops(template: TokenTemplate, tokenizer: Tokenizer) -> tuple[int, ...]:
    return tuple(index for text in template.stop if (index := tokenizer.id_of(text)) is not None)


def _quiet(_line: str) -> None:
    pass
