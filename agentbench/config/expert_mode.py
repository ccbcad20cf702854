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
    """The expert takes every step; the agent is only asked when alternates are kept, or when a budget is spent."""

    kind: Literal["ground_truth"] = "ground_truth"
    budget: Annotated[int, Field(ge=0)] | None = None
    """Most steps of an episode that the expert takes. Off: any number."""
    save_alternate_trace: bool = False
    """Keep what the other actor would have done at every step."""

    @property
    def asks_agent(self) -> bool:
        """Whether the agent has any part in it."""
        return self.save_alternate_trace or self.budget is not None


@schema
class RandomExpert:
    """The expert takes each step with a fixed probability."""

    kind: Literal["random"] = "random"
    probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    budget: Annotated[int, Field(ge=0)] | None = None
    """Most steps of an episode that the expert takes. Off: any number."""
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
    budget: Annotated[int, Field(ge=0)] | None = None
    """Most steps of an episode that the expert takes. Off: any number."""
    save_alternate_trace: bool = False
    """Keep what the other actor would have done at every step."""


@schema
class JudgeExpert:
    """The expert takes over wherever a language model, asked at every step, finds that it should (`overseer=llm`)."""

    kind: Literal["judge"] = "judge"
    recent_limit: Annotated[int, Field(ge=1)] = 4
    """Number of latest steps the model is shown."""
    budget: Annotated[int, Field(ge=0)] | None = None
    """Most steps of an episode that the expert takes. Off: any number."""
    save_alternate_trace: bool = False
    """Keep what the other actor would have done at every step."""


@schema
class DisagreementExpert:
    """The expert takes over where the agent, asked several times, says different things (Wang et al. 2023's
    self-consistency, turned into a question for help)."""

    kind: Literal["disagreement"] = "disagreement"
    votes: Annotated[int, Field(ge=1, le=64)] = 4
    """Further samples of the agent at every step."""
    temperature: Annotated[float, Field(gt=0, le=5)] = 1.0
    """At which they are drawn; the step itself keeps `agent.temperature`."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the votes that must differ in effect from the agent's step for the expert to take it."""
    budget: Annotated[int, Field(ge=0)] | None = None
    """Most steps of an episode that the expert takes. Off: any number."""
    save_alternate_trace: bool = False
    """Keep what the other actor would have done at every step."""


@schema
class HumanExpert:
    """A person at the terminal, shown every step before it is taken, who may take it instead. One episode at a time."""

    kind: Literal["human"] = "human"
    budget: Annotated[int, Field(ge=0)] | None = None
    """Most steps of an episode that the expert takes. Off: any number."""
    save_alternate_trace: Literal[False] = False
    """Nobody is asked for steps that are not taken."""


ExpertModeConfig = Annotated[
    NoExpert | GroundTruthExpert | RandomExpert | InformedExpert | JudgeExpert | DisagreementExpert | HumanExpert,
    Field(discriminator="kind"),
]
