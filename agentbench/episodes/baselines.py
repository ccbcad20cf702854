"""Agents that every other one is seen beside: one that does nothing, and one that plays the gold chains.

What doing nothing scores is what the tasks give away; what gold scores is the most that the environment and the scorer
let anyone reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import PoolSettings, run_tasks
from agentbench.policies import Policy
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.probes import Idle
from agentbench.scoring.answers import is_secret
from agentbench.types import Task

BASELINES: Mapping[str, Callable[[Task], Policy]] = MappingProxyType({"idle": lambda _: Idle(), "gold": GoldExpert})


async def play_baselines(
    tasks: Sequence[Task], make: Callable[[Task, Policy], EpisodeParts], settings: PoolSettings, folder: Path
) -> None:
    """Lets each baseline play every task once, without a word, in `folder/<name>`; what is there is not played again.

    Gold chains are played where every task has one.

    Raises:
        PreflightError: a folder cannot be written or is in use, or the first episodes all fail alike.
        DataError: a folder holds episodes of other tasks.
        Interrupted: SIGINT or SIGTERM.
    """
    once = settings._replace(samples=1, quiet=True, table=False, max_failures=1.0, watch=None)
    played = dict(BASELINES) if all(map(_has_gold, tasks)) else {"idle": BASELINES["idle"]}
    for name, policy in played.items():

        def parts(task: Task, _seed: int, policy: Callable[[Task], Policy] = policy) -> EpisodeParts:
            return make(task, policy(task))

        await run_tasks(tasks, parts, once, folder / name)


def _has_gold(task: Task) -> bool:
    """Whether a task tells what to do or what to answer; data sets that keep both secret do not."""
    golds = [turn.gold for turn in task.turns]
    return all(gold.actions or gold.in_order or gold.says or not is_secret(gold.answer) for gold in golds)
