"""Rounds in which an expert labels what the student of the moment does, and the student learns from it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentbench.config.llm_actors import ExpertConfig, GoldExpert, OverseerConfig, RuleOverseer
from agentbench.config.prefs import PrefsConfig, StepPrefs
from agentbench.config.schema import schema


@schema
class IterationConfig:
    """How often rollout → rows → training is gone through, and with how much in each round."""

    rounds: Annotated[int, Field(ge=1, le=100)] = 3
    tasks: Annotated[int, Field(ge=1)] = 400
    """Tasks of each round, of those that `tasks` selects; no two rounds share one."""
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    """Episodes of each task, each with a seed of its own."""
    prefs: PrefsConfig = StepPrefs()
    """What is made of a round's episodes, `iteration.prefs.kind=step`, `trajectory` or `sft`."""
    aggregate: bool = False
    """Train every round on the rows of all rounds so far (DAgger, Ross et al. 2011, algorithm 3.1), and not on its own
    alone."""
    expert: ExpertConfig = GoldExpert()
    overseer: OverseerConfig = RuleOverseer()
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Episodes of a rollout under way at once."""
    episode_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest wall time of one episode of a rollout, in seconds."""
    max_failures: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of a rollout's episodes that may end with an error before the loop stops (exit code 3)."""
