"""Which runs may branch is known before the first episode."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.build.fields import Field, tool_field
from agentbench.build.trees import refuse_unrestorable, tree_parts
from agentbench.config.branching import BranchesConfig, Branching
from agentbench.config.env import M3Env
from agentbench.envs import Restoring
from agentbench.errors import PreflightError
from agentbench.policies.probes import Idle
from agentbench.types import Task

RANDOM = M3Env(branching=Branching.RANDOM, branches=BranchesConfig(depth=3))


@pytest.fixture
def field(film_tools, film_task: Task) -> Field:
    """The film world beside one whose tools call a server of somebody else."""
    elsewhere = dataclasses.replace(film_task, id="stocks-1", domain="stocks")
    makers = {"films": lambda task: film_tools, "stocks": lambda task: film_tools}

    def restoring(domain: str) -> Restoring:
        return Restoring.FORK if domain == "films" else Restoring.NEVER

    return tool_field(M3Env(), (film_task, elsewhere), makers, restoring)


def test_a_world_whose_tools_call_a_server_cannot_branch_and_says_so(field: Field) -> None:
    with pytest.raises(PreflightError, match=r"^env.branching=random: tools of 'stocks' call a server that cannot be"):
        refuse_unrestorable(RANDOM, field)
    refuse_unrestorable(M3Env(), field)
    refuse_unrestorable(RANDOM, field._replace(tasks=field.tasks[:1]))


def test_environments_say_how_they_can_be_brought_back(field: Field) -> None:
    films, stocks = (field.environment(task) for task in field.tasks)
    assert (films.restoring, stocks.restoring) == (Restoring.FORK, Restoring.NEVER)


def test_without_branching_there_is_nothing_to_make_a_tree_of(field: Field, film_task: Task) -> None:
    assert tree_parts(M3Env(), field, film_task, lambda seed, advised: Idle()) is None
    made = tree_parts(RANDOM, field, film_task, lambda seed, advised: Idle())
    assert made is not None and made.limits.depth == 3 and made.env() is not made.env()
