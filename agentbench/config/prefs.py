"""Which rows are made of trajectories: step pairs, trajectory pairs or supervised examples."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema
from agentbench.types import StepCategory

DESERVED = (StepCategory.GOLD_CALL, StepCategory.CORRECT_FINAL, StepCategory.CORRECT_REFUSAL)
"""Categories of steps that were right: nothing to prefer another action for."""

SUBOPTIMAL = (
    StepCategory.WRONG_FINAL,
    StepCategory.WRONG_REFUSAL,
    StepCategory.REPEATED_CALL,
    StepCategory.BAD_CALL,
    StepCategory.RULE_BROKEN,
    StepCategory.TOOL_ERROR,
    StepCategory.MALFORMED,
    StepCategory.OBEYED_INJECTION,
)
"""Categories of steps that nobody should learn to take."""


class Arguments(StrEnum):
    """How the arguments of tool calls stand in messages."""

    TEXT = "text"
    """A JSON text: survives any reader. Templates of Qwen's kind write it as it is."""
    OBJECT = "object"
    """An object, which templates of Mistral's, Llama's and Granite's kind need; load with `dataset_features`."""


class SftSource(StrEnum):
    """Whose trajectories become examples; only successful ones do."""

    GOLD = "gold"
    """Those in which the expert took every step."""
    AGENT = "agent"
    """Those in which the agent took every step."""
    BOTH = "both"
    """All, also those that both took part in."""


class Shape(StrEnum):
    """What one supervised row is."""

    CONVERSATION = "conversation"
    """A whole trajectory, with the loss on every assistant turn."""
    STEPWISE = "stepwise"
    """One step: the history so far is the prompt, its thought and action the completion."""


class LossOn(StrEnum):
    """Whose steps carry the loss."""

    ALL = "all"
    EXPERT = "expert"
    AGENT = "agent"


class StepSource(StrEnum):
    """What says which of two actions in the same state is the better one."""

    ACTORS = "actors"
    """Who chose it: the expert's over the agent's."""
    VALUES = "values"
    """What came of it: mean success of the leaves below, in trees of `env.branching`. No expert is needed."""
    GOLD = "gold"
    """The task's gold: what it asks for next over what the agent did instead, sampled several times or not."""


class Negatives(StrEnum):
    """Which wrong actions are rejected for the gold one."""

    ANY = "any"
    NEAR = "near"
    """Hard negatives: calls of the very functions that the gold action calls, with other arguments."""


@schema
class StepPrefs:
    """Pairs from branching points: the better one of two actions in the same state, where they differ in effect."""

    kind: Literal["step"] = "step"
    source: StepSource = StepSource.ACTORS
    value_margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    """With source=values: least difference of the two values; equal ones never make a pair."""
    fewest_leaves: Annotated[int, Field(ge=1)] = 1
    """With source=values: each side's value is the mean over at least this many leaves."""
    negatives: Negatives = Negatives.ANY
    """With source=gold: which of the agent's actions are rejected."""
    leave_out_agent: tuple[StepCategory, ...] = DESERVED
    """No pair rejects an agent's step of these categories: gold calls, right answers and refusals, if nothing else is
    said. A call that was not carried out has no category."""
    leave_out_expert: tuple[StepCategory, ...] = SUBOPTIMAL
    """No pair prefers an expert's step of these categories: all but gold, right and other ones, if nothing else is
    said. A call that was not carried out has no category."""
    unexecuted_expert_calls: bool = True
    """Trust expert calls that were never carried out, as those that `save_alternate_trace` keeps beside agent steps."""
    only_interventions: bool = False
    """Only steps at which the expert stepped in; alternatives it would have had elsewhere are left aside."""


@schema
class TrajectoryPrefs:
    """Pairs of whole trajectories of one task: success over failure, then the higher sum of rewards."""

    kind: Literal["trajectory"] = "trajectory"
    branches: bool = True
    """Branches of a trajectory are trajectories of their own."""
    same_outcome: bool = True
    """Also pair two successes, or two failures, by their sums of rewards."""
    margin: Annotated[float, Field(ge=0)] = 0.0
    """Least difference of the sums of rewards in such a pair; equal sums never make one."""
    mask_suboptimal_traces: bool = False
    """Steps of the `suboptimal` categories carry no loss where they stand in the chosen trajectory."""
    suboptimal: tuple[StepCategory, ...] = SUBOPTIMAL
    """If nothing else is said: wrong answers and refusals, repeated, bad, failed and forbidden calls, odd text, steps
    that obey a planted text."""
    mask_history: bool = False
    """Only the last step of each trajectory carries loss."""
    shared_steps_in_prompt: bool = False
    """Steps with which both begin belong to the prompt and carry no loss."""


@schema
class HelpfulConfig:
    """Which calls are kept: those whose result makes the answer that follows likelier to a language model."""

    path: str
    """Folder or hub name of that model; its tokenizer is the template's."""
    device: str = "cpu"
    threshold: Annotated[float, Field(ge=0)] = 0.0
    """Least that a result has to save, in nats per token of the answer (Toolformer's τ)."""


@schema
class SftPrefs:
    """Supervised examples from successful trajectories."""

    kind: Literal["sft"] = "sft"
    source: SftSource = SftSource.BOTH
    shape: Shape = Shape.CONVERSATION
    loss_on: LossOn = LossOn.ALL
    mask_suboptimal_traces: bool = False
    """Steps of the `suboptimal` categories carry no loss; stepwise they are no rows."""
    suboptimal: tuple[StepCategory, ...] = SUBOPTIMAL
    """If nothing else is said: wrong answers and refusals, repeated, bad, failed and forbidden calls, odd text, steps
    that obey a planted text."""
    mask_history: bool = False
    """Only the last step carries loss; stepwise it is the only row."""
    prompt_loss: bool = False
    """Every token of a row carries loss: instructions, requests and results too, not the actions alone."""
    helpful: HelpfulConfig | None = None
    """Leave out calls that did not help (`prefs.helpful.path=MODEL`), of a teacher's trajectories for one. Off: keep
    all."""


PrefsConfig = Annotated[StepPrefs | TrajectoryPrefs | SftPrefs, Field(discriminator="kind")]
