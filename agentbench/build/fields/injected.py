"""A field under attack, and defended where its environments do that."""

from __future__ import annotations

from agentbench.build import Report
from agentbench.build.fields import Field
from agentbench.config.injection import CALLING, Defence, InjectionConfig
from agentbench.envs import Environment
from agentbench.envs.guarded import GuardedEnv
from agentbench.envs.injected import InjectedEnv
from agentbench.errors import PreflightError
from agentbench.tasks.injection import INJECTION
from agentbench.types import Task
from agentbench.worlds.injections import attacked_tasks


def injected(field: Field, config: InjectionConfig, report: Report) -> Field:
    """The field with attacks on its tasks; the field itself where nothing is configured.

    Raises:
        PreflightError: none of the tasks can be attacked.
    """
    if config == InjectionConfig():
        return field
    tasks = attacked_tasks(field.tasks, config)
    _tell(tasks, config, report)

    def environment(task: Task) -> Environment:
        inner = field.environment(task)
        if config.defence is Defence.ENFORCEMENT:
            inner = GuardedEnv(inner, config.allowed_tools)
        return InjectedEnv(inner, config.defence)

    return field._replace(tasks=tasks, environment=environment)


def _tell(tasks: tuple[Task, ...], config: InjectionConfig, report: Report) -> None:
    attacked = sum(INJECTION in task.data for task in tasks)
    if config.kinds and config.rate == 1.0 and attacked < len(tasks):
        report(f"{len(tasks) - attacked} of {len(tasks)} tasks are not attacked: no other task needs a call to ask for")
    if config.kinds and config.rate > 0 and not attacked:
        kinds = ",".join(kind.value for kind in config.kinds)
        problem = f"no task can be attacked: env.injection.kinds=[{kinds}], env.injection.rate={config.rate:g}"
        advice = f"a larger rate, more tasks, or kinds beside {' and '.join(CALLING)}, which need other tasks' gold"
        raise PreflightError(problem, advice)
