"""What a training asks of whoever plays its episodes, and which tasks are played at which step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from agentbench.training.weights import TrainedModel
from agentbench.types import Task, Trajectory


class Played(NamedTuple):
    """The episodes of one rollout; all prompt ids are there."""

    trajectories: tuple[Trajectory, ...]
    seconds: float
    """Wall time."""


class HeldOut(NamedTuple):
    """How a model did on tasks that are not trained on."""

    success: float
    """In [0, 1]."""
    episodes: int
    seconds: float


class Rollouts(Protocol):
    """Plays with the weights that are trained, as they are at that moment.

    Of several processes each asks for the same, at the same time, and is given all of it.
    """

    @property
    def most_gap(self) -> float | None:
        """Largest mean difference of log-probabilities between who plays and who trains, in nats per token; `None`
        where both compute with the very same weights."""
        ...

    def play(self, policy: TrainedModel, step: int) -> Played:
        """The episodes of a step: `group_size` of each of its tasks. Episodes that fail say so.

        Raises:
            RunFailed: more failed than may.
            Interrupted: SIGINT or SIGTERM.
        """
        ...

    def held_out(self, policy: TrainedModel, step: int) -> HeldOut | None:
        """The success on held-out tasks; `None` where none are configured."""
        ...


def tasks_at(step: int, tasks: Sequence[Task], count: int, seed: int) -> list[Task]:
    """The tasks of a step, all different: the same for the same seed, whatever was played before.

    Each pass over the tasks has an order of its own; the few that do not fill a last step are left out of that pass.
    """
    steps = len(tasks) // count
    order = list(range(len(tasks)))
    random.Random(f"{seed}:{step // steps}").shuffle(order)
    start = step % steps * count
    return [tasks[index] for index in order[start : start + count]]


def sample_numbers(step: int, group_size: int) -> range:
    """The numbers of a step's episodes of a task: no two steps of a training share one, and with it a seed."""
    return range(step * group_size, (step + 1) * group_size)
