"""How the episodes of a run branch, where they do."""

from __future__ import annotations

from collections.abc import Callable

from agentbench.build.fields import Field
from agentbench.config.branching import Branching
from agentbench.config.env import EnvConfig
from agentbench.envs import Restoring
from agentbench.episodes.run_episode import TreeParts
from agentbench.errors import PreflightError
from agentbench.policies import Policy
from agentbench.types import Task


def tree_parts(env: EnvConfig, field: Field, task: Task, agent: Callable[[int, bool], Policy]) -> TreeParts | None:
    """What the branches of a task's episode are made of; `None` where nothing branches."""
    if env.branching is Branching.NONE:
        return None
    return TreeParts(env.branching, env.branches, agent, lambda: field.environment(task))


def refuse_unrestorable(env: EnvConfig, field: Field) -> None:
    """Lets environments pass that can be brought back to an earlier state, or that are not to be.

    Raises:
        PreflightError: the tools of a task's domain call a server whose state is not ours.
    """
    if env.branching is Branching.NONE:
        return
    for domain in sorted({task.domain for task in field.tasks}):
        if field.restoring(domain) is Restoring.NEVER:
            problem = f"env.branching={env.branching}: tools of {domain!r} call a server that cannot be set back"
            raise PreflightError(problem, "leave env.branching away, or choose other env.worlds")
