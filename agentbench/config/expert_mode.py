"""When the expert steps in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema


@schema
class NoExpert:
    """The agent is alone."""

    kind: Literal["none"] = "none"
    save_alternate_trace: bool = False
    """Keep what the other actor would have done at every step."""


@schema
class GroundTruthExpert:
    """The expert takes every step; the agent is only asked when alternates are kept."""

    kind: Literal["ground_truth"] = "ground_truth"
    save_alternate_trace: bool = False
    """Keep what the other actor would have done at every step."""


@schema
class RandomExpert:
    """The expert takes each step with a fixed probability."""

    kind: Literal["random"] = "random"
    probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    save_alternate_trace: bool = False
    """Keep what the other actor would have done at every step."""


@schema
class InformedExpert:
    """The expert takes over where an overseer finds the agent stuck."""

    kind: Literal["informed"] = "informed"
    init_limit: Annotated[int, Field(ge=0)] = 1
    """Steps the agent takes before the overseer is heeded; an answer given too early is stopped even then."""
    recent_limit: Annotated[int, Field(ge=1)] = 2
    """Number of latest steps the overseer looks at."""
    random_epsilon: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that the expert steps in although nothing is wrong."""
    save_alternate_trace: bool = False
    """Keep what the other actor would have done at every step."""


ExpertModeConfig = Annotated[NoExpert | GroundTruthExpert | RandomExpert | InformedExpert, Field(discriminator="kind")]
