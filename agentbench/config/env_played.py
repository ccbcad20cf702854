"""What every environment is configured with, whatever an agent meets in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentbench.config.branching import BranchesConfig, Branching
from agentbench.config.injection import InjectionConfig
from agentbench.config.model import Price
from agentbench.config.schema import schema


@schema
class PlayedEnv:
    """How far an episode goes, and where it becomes a tree."""

    horizon: Annotated[int, Field(ge=1, le=1000)] = 20
    """Most steps in an episode; then it is truncated."""
    branching: Branching = Branching.NONE
    """At which states other ways are followed as well, so that an episode becomes a tree."""
    branches: BranchesConfig = BranchesConfig()
    injection: InjectionConfig = InjectionConfig()
    """Instructions planted into what tools bring back, and what is done against them; nothing, if nothing is said."""

    @property
    def prices(self) -> dict[str, Price]:
        """What tokens cost by role, of models that play a part in the environment."""
        return {}

    @property
    def several_calls(self) -> bool:
        """Whether a step may hold several calls; where not, the environment refuses them."""
        return False
