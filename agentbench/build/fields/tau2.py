"""Fields of τ²-bench's conversations; `env=tau2`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agentbench.build.actors import Actor, llm_user
from agentbench.build.fields import Field, nothing
from agentbench.build.worlds import evenly
from agentbench.config.env_tau2 import Claims, LlmUser, ScriptedUser, Tau2Domain, Tau2Env, Tau2Tasks
from agentbench.config.tasks import Split, TasksConfig
from agentbench.envs import Environment, Restoring
from agentbench.envs.dialogue import DialogueEnv
from agentbench.envs.llm_user import LlmUser as PlayedUser
from agentbench.envs.tau2 import HAND_OVER, Case, script, tau2_scene, told_scenario
from agentbench.envs.users import Hands, MakeUser, User
from agentbench.envs.users import ScriptedUser as FromScript
from agentbench.errors import DataError, PreflightError
from agentbench.tasks.tau2 import Published, Suite, as_task, read_suite
from agentbench.tools.tau2.domains import DOMAINS, read_databases
from agentbench.tools.tau2.replay import replayed
from agentbench.types import Task


def tau2_field(env: Tau2Env, tasks: TasksConfig, *, cache_dir: Path, seed: int) -> Field:
    """A domain's records and tools, its tasks, and who plays their users.

    Raises:
        PreflightError: a file is missing, or no task is left.
        DataError: a file is broken, or a task needs what its domain does not have.
    """
    staged = _staged(env, tasks, seed)
    actor = llm_user(env.user, cache_dir) if isinstance(env.user, LlmUser) else None

    def environment(task: Task) -> Environment:
        if task.id not in staged:
            raise PreflightError(f"task {task.id!r} is not among those of this run", "env.domain=… or env.tasks=…")
        case = staged[task.id].case
        return DialogueEnv(tau2_scene(case, _user(env, case.published, actor, seed)), HAND_OVER)

    return Field(
        tuple(each.task for each in staged.values()),
        environment,
        lambda _domain: Restoring.FORK,
        preflight=actor.preflight if actor else nothing,
        close=actor.close if actor else nothing,
        breakers=(actor.breaker,) if actor else (),
    )


class _Staged(NamedTuple):
    """A task, and what its episodes share."""

    task: Task
    case: Case


def _staged(env: Tau2Env, tasks: TasksConfig, seed: int) -> dict[str, _Staged]:
    folder, domain = env.root / env.domain, DOMAINS[env.domain]
    suite, databases = read_suite(folder, _policy_files(env)), read_databases(folder)
    chosen = _chosen(env, tasks, suite)
    found: dict[str, _Staged] = {}
    for published in evenly([chosen], tasks.limit or len(chosen), seed)[0]:
        checks = published.evaluation_criteria.env_assertions or ()
        unknown = next((check.func_name for check in checks if check.func_name not in domain.checks), None)
        if unknown is not None:
            raise DataError(folder / "tasks.json", f"task {published.id!r} asks for {unknown!r}, which nobody knows")
        case = Case(domain, databases, published, env.parity, env.claims is Claims.JUDGED)
        refused = replayed(domain, databases, published, parity=env.parity).refused
        task = as_task(published, suite, env.domain, refused)
        found[task.id] = _Staged(task, case)
    return found


def _chosen(env: Tau2Env, tasks: TasksConfig, suite: Suite) -> list[Published]:
    """The tasks of the set that is asked for; those of no set are nobody's test or training."""
    name = tasks.split.value if env.tasks is Tau2Tasks.SPLIT else env.tasks.value
    if name == Split.TEST and name not in suite.sets:
        name = Tau2Tasks.BASE.value  # a domain without a training split is all test
    chosen = [each for each in suite.tasks if each.id in suite.sets.get(name, ())]
    if not chosen:
        raise PreflightError(f"{env.domain} has no tasks in {name!r}; it has {sorted(suite.sets)}", "tasks.split=test")
    return chosen


def _policy_files(env: Tau2Env) -> Sequence[str]:
    if env.domain is not Tau2Domain.TELECOM:
        return ("policy.md",)
    return ("main_policy.md", f"tech_support_{env.policy.value}.md")


def _user(env: Tau2Env, published: Published, actor: Actor | None, seed: int) -> MakeUser:
    """Makes whoever plays the user of an episode."""

    def played(hands: Hands) -> User:
        match env.user:
            case ScriptedUser(patience=patience):
                return FromScript(script(published, patience), hands)
            case LlmUser():
                assert actor is not None
                scenario = told_scenario(published.user_scenario)
                return PlayedUser(actor.ask, actor.instructions, scenario, hands, seed)

    return played
