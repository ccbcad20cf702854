"""Our side for others: worlds' tools for other people's agents, or a model server for several runs."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol

from agentbench.build import Report
from agentbench.build.agent import Agent, agent
from agentbench.build.fields import Field
from agentbench.build.fields.opening import open_field
from agentbench.build.worlds import worlds
from agentbench.config.agent import ChatAgent
from agentbench.config.entry import RolloutConfig, ServeConfig
from agentbench.config.env import McpTransport
from agentbench.config.expert_mode import NoExpert
from agentbench.config.model import TinyModel
from agentbench.config.rewards import RewardsConfig
from agentbench.config.serve import McpServe, VllmServe
from agentbench.envs.tool_env import argument_problem
from agentbench.errors import ConfigError
from agentbench.llm.keys import read_key
from agentbench.serving.vllm import KEY_VARIABLE
from agentbench.tools.mcp import serving
from agentbench.tools.mcp.client import require_sdk
from agentbench.tools.mcp.server import Served, mcp_server


class Serving(Protocol):
    """Something that is ready to be served."""

    async def run(self) -> None:
        """Serves until cancelled, or until what is served is gone."""
        ...


class McpServing:
    """Opened worlds and how they are served; nothing is served yet."""

    def __init__(self, config: McpServe, field: Field, report: Report) -> None:
        self._config = config
        self._field = field
        self._report = report

    async def run(self) -> None:
        """Serves until cancelled, over standard streams until the client closes them; the worlds are closed then.

        Raises:
            PreflightError: a search engine does not answer, or the address is taken.
        """
        try:
            await self._field.preflight()
            if self._config.transport is McpTransport.STDIO:
                (world,) = self._field.tools
                await serving.serve_stdio(mcp_server(self._served(world), argument_problem, sessions=False))
            else:
                await self._over_http()
        finally:
            await self._field.close()

    async def _over_http(self) -> None:
        host = self._config.host
        servers = {
            world: mcp_server(self._served(world), argument_problem, sessions=True) for world in self._field.tools
        }
        with serving.listen(host, self._config.port) as listening:
            for world in servers:
                self._report(f"{world}: {serving.url(listening, host, world)}")
            if host not in serving.LOOPBACK:
                self._report("everybody who reaches this address is served; there are no keys")
            await serving.serve_http(servers, listening, host)

    def _served(self, world: str) -> Served:
        tasks = tuple(task for task in self._field.tasks if task.domain == world)
        return Served(world, partial(self._field.tools[world], None), tasks)


class ModelServing:
    """A model server that is up; other runs may be using it too."""

    def __init__(self, agent: Agent, config: ServeConfig, report: Report) -> None:
        self._agent = agent
        self._config = config
        self._report = report

    async def run(self) -> None:
        """Says how the server is reached, and keeps it up until cancelled.

        Raises:
            PreflightError: it died.
        """
        served = self._agent.served
        if served is None:
            return
        url, name = served.base_url, served.name
        self._report(f"model: {name}, {self._agent.weights}")
        self._report(
            "runs with the same serve, model.path and cache_dir use it by themselves, with any adapter; others:"
        )
        self._report(f"  model=openai model.mode=completions model.base_url={url} model.name={name} {self._template()}")
        self._report(f"adapters: POST {url}/load_lora_adapter with lora_name and lora_path as JSON")
        if self._config.serve.host not in serving.LOOPBACK and not read_key(KEY_VARIABLE).value:
            self._report(f"everybody who reaches this address is served; {KEY_VARIABLE} sets a key")
        self._report("Ctrl-C stops it, once no other run uses it")
        async with served.in_use():
            await asyncio.Event().wait()

    def _template(self) -> str:
        template, weights = self._config.template, self._agent.path
        return f"template={template.kind} template.tokenizer={template.tokenizer or weights}"


def serving_of(config: ServeConfig, report: Report) -> Serving:
    """What is to be served, opened or started.

    Raises:
        ConfigError: more than one world for one client, or a model that is no weights of ours.
        PreflightError: something that is needed is missing, no task is left, or the model server does not start.
        DataError: a file of a world is broken.
    """
    match config.serve:
        case McpServe() as serve:
            return _mcp_serving(config, serve, report)
        case VllmServe() as serve:
            asked = _as_rollout(config, serve)
            unnamed = isinstance(config.model, TinyModel) and config.model.path is None
            found = worlds(config.env, config.cache_dir, report) if unnamed else ()
            return ModelServing(agent(asked, found, report), config, report)


def _as_rollout(config: ServeConfig, serve: VllmServe) -> RolloutConfig:
    """What a rollout would say of the same model."""
    return RolloutConfig(
        seed=config.seed,
        model=config.model,
        serve=serve,
        template=config.template,
        agent=ChatAgent(),
        env=config.env,
        expert_mode=NoExpert(),
        retriever=config.retriever,
        tasks=config.tasks,
        rewards=RewardsConfig(),
        cache_dir=config.cache_dir,
    )


def _mcp_serving(config: ServeConfig, serve: McpServe, report: Report) -> McpServing:
    names = config.env.worlds
    if serve.transport is McpTransport.STDIO and len(names) != 1:
        raise ConfigError([f"env.worlds: serve.transport=stdio serves one world, not {len(names)}: {', '.join(names)}"])
    require_sdk()
    field = open_field(
        config.env, config.retriever, config.tasks, cache_dir=config.cache_dir, seed=config.seed, report=report
    )
    return McpServing(serve, field, report)
