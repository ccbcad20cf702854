"""Our worlds' tools for other people's agents: what is served, and over what."""

from __future__ import annotations

from functools import partial

from agentbench.build import Report
from agentbench.build.playground import Playground, playground
from agentbench.config.entry import ServeConfig
from agentbench.config.env import McpTransport
from agentbench.config.serve import McpServe
from agentbench.envs.tool_env import argument_problem
from agentbench.errors import ConfigError
from agentbench.tools.mcp import serving
from agentbench.tools.mcp.client import require_sdk
from agentbench.tools.mcp.server import Served, mcp_server


class Serving:
    """Opened worlds and how they are served; nothing is served yet."""

    def __init__(self, config: McpServe, field: Playground, report: Report) -> None:
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


def serving_of(config: ServeConfig, report: Report) -> Serving:
    """Opens the worlds.

    Raises:
        ConfigError: more than one world for one client.
        PreflightError: the SDK or a file of a world is missing, or no task is left.
        DataError: a file of a world is broken.
    """
    worlds = config.env.worlds
    if config.serve.transport is McpTransport.STDIO and len(worlds) != 1:
        raise ConfigError(
            [f"env.worlds: serve.transport=stdio serves one world, not {len(worlds)}: {', '.join(worlds)}"]
        )
    require_sdk()
    field = playground(
        config.env, config.retriever, config.tasks, cache_dir=config.cache_dir, seed=config.seed, report=report
    )
    return Serving(config.serve, field, report)
