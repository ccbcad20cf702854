"""Who says whether an episode was solved."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema


@schema
class AnswerScorer:
    """Exact, numeric, set or text comparison, by the gold answer's type."""

    kind: Literal["answers"] = "answers"


@schema
class VakraScorer:
    """VAKRA's waterfall on the last turn: policy, replay of gold responses, then a judge's view."""

    kind: Literal["vakra"] = "vakra"
    parity: bool = False
    """Follow the published evaluator in every step, its faults included, instead of our corrected comparison."""
    responses: Annotated[int, Field(ge=1, le=1000)] = 20
    """In parity, how many of the latest tool responses are looked at."""


@schema
class EnvironmentScorer:
    """The environment's own verdict on what became of its world."""

    kind: Literal["environment"] = "environment"


@schema
class CallsScorer:
    """The first action's calls against the gold ones, in any order: exact, by function, by argument."""

    kind: Literal["calls"] = "calls"


@schema
class RatingScorer:
    """A judge's rating from 1 to 5 with a reason, for requests without a known answer; needs judge=llm."""

    kind: Literal["rating"] = "rating"
    pass_from: Annotated[int, Field(ge=2, le=5)] = 4
    """Lowest rating that passes; lower ones are bad tasks."""


@schema
class ToolUseScorer:
    """The answers by rules, and how tools were used: tool accuracy, format, execution; with judge=llm quality too."""

    kind: Literal["tool_use"] = "tool_use"


ScorerConfig = Annotated[
    AnswerScorer | VakraScorer | EnvironmentScorer | CallsScorer | RatingScorer | ToolUseScorer,
    Field(discriminator="kind"),
]
