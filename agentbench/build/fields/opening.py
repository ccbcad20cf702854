"""From an environment's configuration to the field of a run."""

from __future__ import annotations

from pathlib import Path

from agentbench.build import Report
from agentbench.build.fields import Field
from agentbench.build.fields.m3 import m3_field
from agentbench.build.fields.mcp import mcp_field
from agentbench.config.env import EnvConfig, M3Env, McpEnv
from agentbench.config.retriever import RetrieverConfig
from agentbench.config.tasks import TasksConfig


def open_field(
    env: EnvConfig, retriever: RetrieverConfig, tasks: TasksConfig, *, cache_dir: Path, seed: int, report: Report
) -> Field:
    """Opens worlds or prepares servers, and selects the tasks.

    Raises:
        PreflightError: a world, package or file is missing, or no task is left.
        DataError: a file is broken.
    """
    match env:
        case M3Env():
            return m3_field(env, retriever, tasks, cache_dir=cache_dir, seed=seed, report=report)
        case McpEnv():
            return mcp_field(env, tasks, seed)
