"""Do τ²-bench's reference actions come out as they should here, and what does an agent that does nothing score?

    python experiments/tau2_replay.py --root FOLDER [--domains retail airline telecom mock] [--refused]

FOLDER is the benchmark's folder of domains (`data/tau2/domains`). All published tasks of each domain are played, by the
gold agent and by one that says "I don't know", with the scripted user. Statements about the conversation, which take a
judge, are left out; how many tasks hang on them is a column of its own. Takes about a minute of CPU time. `--refused`
plays nothing: it lists the reference actions that the records refuse, and why.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from agentbench.build.fields import Field
from agentbench.build.fields.opening import open_field
from agentbench.build.runs import step_grader
from agentbench.config.env_tau2 import Claims, Tau2Domain, Tau2Env, Tau2Tasks
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.tasks import TasksConfig
from agentbench.episodes.rates import rate
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.episodes.table import percent
from agentbench.errors import ToolError
from agentbench.policies import Policy
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.probes import Idle
from agentbench.scoring.environment import EnvironmentScorer
from agentbench.tasks.tau2 import read_suite
from agentbench.tools.tau2.domains import DOMAINS, read_databases
from agentbench.tools.tau2.replay import begun
from agentbench.types import Task, Trajectory

HORIZON, TIMEOUT_S = 200, 60.0
COLUMNS = (
    "domain",
    "tasks",
    "reference actions",
    "refused",
    "lists with refusals",
    "gold solves",
    "idle solves",
    "with statements",
)


class Played(NamedTuple):
    """What both agents came to in one domain."""

    field: Field
    gold: tuple[Trajectory, ...]
    idle: tuple[Trajectory, ...]


def main() -> None:
    """Plays the domains that are asked for, one after the other, and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--domains", nargs="+", type=Tau2Domain, default=list(Tau2Domain))
    parser.add_argument("--refused", action="store_true", help="only list the reference actions that are refused")
    given = parser.parse_args()
    if given.refused:
        for domain in given.domains:
            print_refused(given.root / domain, domain)
        return
    table = Table()
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "domain" else "right")
    for domain in given.domains:
        table.add_row(domain.value, *figures(play(given.root, domain)))
    Console(width=140).print(table)


def print_refused(folder: Path, domain: Tau2Domain) -> None:
    """Task, number of the action, its arguments, and what the records say to it."""
    databases, manual = read_databases(folder), "main_policy.md" if domain is Tau2Domain.TELECOM else "policy.md"
    for published in read_suite(folder, (manual,)).tasks:
        world = begun(DOMAINS[domain], databases, published, parity=True)
        for number, act in enumerate(published.acts):
            try:
                DOMAINS[domain].call(world, act.name, act.arguments)
            except (ToolError, TypeError) as error:
                print(f"{domain} task {published.id}, action {number}: {act.name} {act.arguments}: {error}")


def play(root: Path, domain: Tau2Domain) -> Played:
    """All of a domain's tasks, by both agents."""
    tasks = Tau2Tasks.FULL if domain is Tau2Domain.TELECOM else Tau2Tasks.BASE
    env = Tau2Env(root=root, domain=domain, tasks=tasks, claims=Claims.LEFT_OUT)
    field = open_field(env, Bm25Retriever(), TasksConfig(), cache_dir=Path("outputs/cache"), seed=0, report=print)
    return Played(field, episodes(field, GoldExpert), episodes(field, lambda _: Idle()))


def episodes(field: Field, policy: Callable[[Task], Policy]) -> tuple[Trajectory, ...]:
    """One episode of each task."""
    grade = step_grader(RewardsConfig())

    async def one(task: Task) -> Trajectory:
        parts = EpisodeParts(field.environment(task), policy(task), grade, (EnvironmentScorer(),))
        return await run_episode(task, parts, Limits(HORIZON, TIMEOUT_S), 0)

    async def each() -> tuple[Trajectory, ...]:
        return tuple([await one(task) for task in field.tasks])

    return asyncio.run(each())


def figures(played: Played) -> tuple[str, ...]:
    """A domain's row of the table."""
    tasks = played.field.tasks
    refused = [task.data["refused_actions"] for task in tasks]
    return (
        str(len(tasks)),
        str(sum(task.data["reference_actions"] for task in tasks)),
        str(sum(refused)),
        str(sum(count > 0 for count in refused)),
        solved(played.gold),
        solved(played.idle),
        str(sum(task.data["statements"] > 0 for task in tasks)),
    )


def solved(trajectories: tuple[Trajectory, ...]) -> str:
    """How many were solved, with Wilson's interval."""
    found = rate(sum(trajectory.success for trajectory in trajectories), len(trajectories))
    count = sum(trajectory.success for trajectory in trajectories)
    return f"{count} ({percent(found.low)} – {percent(found.high)})"


if __name__ == "__main__":
    main()
