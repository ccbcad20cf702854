"""The agent's model, wherever it is computed: in this process, behind somebody's server, on a server of our own."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from agentbench.build import Report
from agentbench.build.models import Model, family, model, system_prompt
from agentbench.build.students import trained_student
from agentbench.config.entry import RolloutConfig
from agentbench.config.model import ApiMode, HfModel, OpenAIModel, TinyModel
from agentbench.config.serve import NoServe, ServeDtype, VllmServe
from agentbench.errors import AgentbenchError, ConfigError, PreflightError
from agentbench.llm.keys import read_key
from agentbench.llm.served import FittingLlm
from agentbench.serving import parity, vllm
from agentbench.serving.client import PrefixCache
from agentbench.serving.folder import ADAPTERS, is_kept
from agentbench.serving.lease import Lease, ServerPlan, lease_of_process
from agentbench.serving.weights import Weights, kept_copy, read_adapter
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.types import History, Observation, ToolSpec
from agentbench.worlds.manifest import World

_WATCH_S = 0.5
"""Seconds between two looks whether the server is there."""
_PROBES = (
    "Who directed the film Heat, and where was that person born?",
    "How many people live in the largest city of Portugal?",
    "Which element has the atomic number 26?",
    "The harbour master of Søby asks: which ferries leave before 9 o'clock?",
)
_PROBE_TOOL = ToolSpec(
    "look_up",
    "Looks something up by its name.",
    {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
)


class Served(NamedTuple):
    """A model on a server of our own."""

    lease: Lease
    name: str
    """What it is called there: the base, or an adapter."""
    before: PrefixCache
    """The server's counts when this run came."""
    report: Report

    @property
    def base_url(self) -> str:
        """Address of its OpenAI-compatible interface."""
        return f"{self.lease.state.url}/v1"

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """Ends the block when the server dies, and says at the block's end how much of the prompts was cached.

        Raises:
            PreflightError: the server died, with the reason from its log.
        """
        died = asyncio.timeout(None)
        watcher = asyncio.create_task(self._watch(died))
        try:
            async with died:
                yield
        except (AgentbenchError, TimeoutError):
            self.lease.raise_if_dead("died during the run")
            raise
        finally:
            watcher.cancel()
        self.report(self._cache_line())

    async def _watch(self, died: asyncio.Timeout) -> None:
        """Lets the time-out expire once the server is gone."""
        while is_kept(self.lease.folder):
            await asyncio.sleep(_WATCH_S)
        died.reschedule(asyncio.get_running_loop().time())

    def _cache_line(self) -> str:
        """How much of the prompts was computed before, since this run came; of all runs that share the server."""
        seen = self.lease.client.prefix_cache().since(self.before)
        rate = "–" if seen.rate is None else f"{100 * seen.rate:.1f} %"
        return f"prefix cache: {rate} of {seen.asked:,} prompt tokens were there already"


class Agent(NamedTuple):
    """The agent's model, and what is known of its weights."""

    model: Model
    weights: str
    """Which weights they are (see `Weights.identity`); empty where they are somebody else's."""
    served: Served | None = None
    path: str = ""
    """Where the base model is; empty where it is somebody else's."""


def agent(config: RolloutConfig, found: tuple[World, ...], report: Report) -> Agent:
    """Loads, serves or connects to the agent's model; a tiny student that is not there is trained first.

    Raises:
        PreflightError: it cannot be loaded, served or reached, or the server computes other weights.
    """
    if isinstance(config.model, OpenAIModel):
        return Agent(model(config, found, report), "")
    weights = weights_of(config, found, report)
    match config.serve:
        case NoServe():
            return Agent(model(config, found, report), weights.identity, None, weights.path)
        case VllmServe() as serve:
            served = serve_weights(serve, weights, config, report)
            remote = model(behind(served, weights, config), found, report)
            context = served.lease.client.context(served.lease.state.name)
            asked = remote._replace(llm=FittingLlm(remote.llm, context=context))
            return Agent(asked, weights.identity, served, weights.path)


def weights_of(config: RolloutConfig, found: tuple[World, ...], report: Report) -> Weights:
    """The weights that a configuration names; a tiny student that is not there is trained first.

    Raises:
        ConfigError: it names none, but a server.
        PreflightError: the student could not be trained.
    """
    match config.model:
        case TinyModel(path=path) as tiny:
            return Weights(str(path or trained_student(tiny, config, found, report)), tiny=True)
        case HfModel(path=path, adapter=adapter, quantization=quantization):
            return Weights(path, adapter, quantization=quantization or "")
        case OpenAIModel():
            raise ConfigError(["model: serve=vllm computes weights of ours; model=openai has a server of its own"])


def serve_weights(serve: VllmServe, weights: Weights, config: RolloutConfig, report: Report) -> Served:
    """The weights on a server that is started, or shared with other runs; checked against transformers.

    Raises:
        PreflightError: the server cannot be started, refuses the adapter, or computes other weights.
    """
    build = vllm.find_build(serve.python)
    vllm.check_weights(weights, build)
    adapter = (
        read_adapter(weights.adapter, serve.max_adapter_rank if serve.max_adapters else 0) if weights.adapter else None
    )
    lease = lease_of_process(_plan(serve, weights, build, config.cache_dir), report)
    name = lease.state.name
    if adapter is not None:
        copy = kept_copy(adapter, lease.folder / ADAPTERS)
        weights, name = weights._replace(adapter=copy), adapter.name
        lease.client.load_adapter(name, str(copy))
    if serve.parity:
        _check_parity(lease, name, weights, config, report=report)
    return Served(lease, name, lease.client.prefix_cache(), report)


def _plan(serve: VllmServe, weights: Weights, build: vllm.Build, cache_dir: Path) -> ServerPlan:
    key = read_key(vllm.KEY_VARIABLE).value
    return ServerPlan(
        folder=cache_dir / "servers" / vllm.fingerprint(serve, weights, build),
        name=weights.name,
        host=serve.host,
        port=serve.port,
        command=lambda port: vllm.command(serve, weights, build, port),
        environment=vllm.environment(serve, weights, build, key),
        start_timeout_s=serve.start_timeout_s,
        api_key=key,
    )


def _check_parity(lease: Lease, name: str, weights: Weights, config: RolloutConfig, *, report: Report) -> None:
    """Asks the server and transformers for the same log-probabilities.

    Raises:
        PreflightError: they differ; an adapter is taken from the server again.
    """
    serve = config.serve
    if not isinstance(serve, VllmServe):
        return
    report(f"parity: comparing with transformers in float32 on {serve.parity_device}")
    probes = parity.probe(lease.client, name, _prompts(weights, config))
    told = parity.expected(weights, probes, serve.parity_device, config.cache_dir / "parity")
    found = parity.compare(probes, told, tolerance(serve, lease))
    if problem := found.problem():
        if weights.adapter is not None:
            lease.client.unload_adapter(name)
        advice = (
            f"see {lease.log}; where the format is the cause, raise serve.parity_tolerance or set serve.parity=false"
        )
        raise PreflightError(f"the server does not compute {weights.identity}: {problem}", advice)
    report(f"parity: {found.line(weights.adapter is not None)}")


def _prompts(weights: Weights, config: RolloutConfig) -> tuple[tuple[int, ...], ...]:
    """Fixed questions in the agent's own layout: an adapter changes most what it was trained on."""
    tokenizer = load_tokenizer(config.template.tokenizer or weights.path)
    layout = family(config.template.kind, config.template.thinking)
    template = TokenTemplate(layout, tokenizer, system_prompt(config.agent))
    return tuple(template.render(History((_PROBE_TOOL,), Observation(question))).ids for question in _PROBES)


def tolerance(serve: VllmServe, lease: Lease) -> float:
    """Largest mean difference of log-probabilities to transformers' that a server may have, in nats."""
    if serve.parity_tolerance is not None:
        return serve.parity_tolerance
    if serve.quantization:
        return 0.5
    return 0.01 if ServeDtype.FLOAT32.value in lease.state.command else 0.1


def behind(served: Served, weights: Weights, config: RolloutConfig) -> RolloutConfig:
    """The same run, asking the server."""
    remote = OpenAIModel(
        base_url=served.base_url,
        name=served.name,
        mode=ApiMode.COMPLETIONS,
        api_key_env=vllm.KEY_VARIABLE,
        timeout_s=config.episode_timeout_s,
        max_connections=config.concurrency,
    )
    template = dataclasses.replace(config.template, tokenizer=config.template.tokenizer or weights.path)
    return dataclasses.replace(config, model=remote, template=template)
