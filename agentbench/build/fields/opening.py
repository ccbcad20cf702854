"""From an environment's configuration to the field of a run; what other environments need is not imported."""

from __future__ import annotations

from pathlib import Path

from agentbench.build import Report
from agentbench.build.fields import Field
from agentbench.build.fields.injected import injected
from agentbench.config.env import EnvConfig, M3Env, McpEnv
from agentbench.config.env_appworld import AppWorldEnv
from agentbench.config.env_assistant import AssistantEnv
from agentbench.config.env_bfcl import BfclEnv
from agentbench.config.env_function_call import FunctionCallEnv
from agentbench.config.env_playground import PlaygroundEnv
from agentbench.config.env_tau2 import Tau2Env
from agentbench.config.retriever import RetrieverConfig
from agentbench.config.tasks import TasksConfig


def open_field(
    env: EnvConfig, retriever: RetrieverConfig, tasks: TasksConfig, *, cache_dir: Path, seed: int, report: Report
) -> Field:
    """Opens worlds or prepares servers, selects the tasks, and plants attacks where `env.injection` asks for them.

    Raises:
        PreflightError: a world, package or file is missing, or no task is left.
        DataError: a file is broken.
    """
    field = _opened(env, retriever, tasks, cache_dir=cache_dir, seed=seed, report=report)
    return injected(field, env.injection, report)


def _opened(
    env: EnvConfig, retriever: RetrieverConfig, tasks: TasksConfig, *, cache_dir: Path, seed: int, report: Report
) -> Field:
    match env:
        case M3Env():
            from agentbench.build.fields.m3 import m3_field

            return m3_field(env, retriever, tasks, cache_dir=cache_dir, seed=seed, report=report)
        case McpEnv():
            from agentbench.build.fields.mcp import mcp_field

            return mcp_field(env, tasks, seed)
        case BfclEnv():
            from agentbench.build.fields.bfcl import bfcl_field

            return bfcl_field(env, tasks, seed, report)
        case PlaygroundEnv():
            from agentbench.build.fields.playground import playground_field

            return playground_field(env, tasks, seed)
        case AppWorldEnv():
            from agentbench.build.fields.appworld import appworld_field

            return appworld_field(env, tasks, seed)
        case FunctionCallEnv():
            from agentbench.build.fields.function_call import function_call_field

            return function_call_field(env, tasks, cache_dir=cache_dir, seed=seed, report=report)
        case AssistantEnv():
            from agentbench.build.fields.assistant import assistant_field

            return assistant_field(env, tasks, cache_dir=cache_dir, seed=seed, report=report)
        case Tau2Env():
            from agentbench.build.fields.tau2 import tau2_field

            return tau2_field(env, tasks, cache_dir=cache_dir, seed=seed)
