"""Fields of MCP servers' tools on a task file; `env=mcp`."""

from __future__ import annotations

from functools import cache

from agentbench.build import WORLD_SEED, ToolMaker
from agentbench.build.fields import Field, asked, refuse_unknown, tool_field
from agentbench.build.interface import Interface
from agentbench.build.worlds import task_file
from agentbench.config.env import McpEnv
from agentbench.config.tasks import TasksConfig
from agentbench.tools import Tool
from agentbench.types import Task


def mcp_field(env: McpEnv, tasks: TasksConfig, seed: int) -> Field:
    """Tool servers, and the tasks of a file.

    Raises:
        PreflightError: the SDK or the file is missing, or no task is in it.
        DataError: the file is broken.
    """
    from agentbench.tools.mcp.client import McpServers

    servers = McpServers(env.servers)
    chosen = asked(task_file(tasks, seed), env.earlier_turns)

    def offered(_task: Task | None) -> tuple[Tool, ...]:
        return servers.tools

    @cache
    def interface() -> Interface:  # the tools are known once the servers run
        return Interface(env.interface, offered, (), fixed=True, seed=WORLD_SEED)

    def tools(task: Task | None) -> tuple[Tool, ...]:
        return interface().tools(task)

    async def preflight() -> None:
        await servers.open()
        refuse_unknown(env.tool_concurrency, servers.tools)

    makers: dict[str, ToolMaker] = {task.domain: tools for task in chosen}
    return tool_field(env, chosen, makers)._replace(preflight=preflight, close=servers.close)
