"""Reinforcement learning in the environment: what is played, what it is worth, and how the model follows it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema


class GrpoLoss(StrEnum):
    """The losses of TRL's GRPOTrainer; how tokens are averaged, and how ratios are held."""

    GRPO = "grpo"
    """Mean over each row's tokens, then over rows (Shao et al. 2024, eq. 3)."""
    DR_GRPO = "dr_grpo"
    """Sum over tokens over a constant, `stage.max_length` (Liu et al. 2025)."""
    DAPO = "dapo"
    """Mean over all tokens of a step (Yu et al. 2025)."""
    BNPO = "bnpo"
    """Mean over all tokens of a forward pass."""
    CISPO = "cispo"
    """Ratios are capped at `stage.clip_high` and carry no gradient (MiniMax 2025); 5 is usual."""
    SAPO = "sapo"
    """A soft gate in place of clipping (Gao et al. 2025)."""
    LUSPO = "luspo"
    """Sequence ratios weighted by length; for `stage.ratio=sequence`."""
    VESPO = "vespo"
    """Gamma weights of sequence ratios."""


class Ratio(StrEnum):
    """What the importance ratio is taken over."""

    TOKEN = "token"
    SEQUENCE = "sequence"
    """Geometric mean over a row's tokens (GSPO, Zheng et al. 2025)."""


class AdvantageScale(StrEnum):
    """What a return, less the mean of its group, is divided by."""

    GROUP = "group"
    """Standard deviation of its group."""
    BATCH = "batch"
    """Standard deviation of all returns of the step."""
    NONE = "none"


class Correction(StrEnum):
    """How the engine that played is corrected for where its probabilities are not the trainer's."""

    NONE = "none"
    TOKEN_TRUNCATE = "token_truncate"
    TOKEN_MASK = "token_mask"
    SEQUENCE_TRUNCATE = "sequence_truncate"
    SEQUENCE_MASK = "sequence_mask"


@schema
class OnlineStage:
    """What the stages have in common: a step plays groups of episodes, then follows their rewards."""

    steps: Annotated[int, Field(ge=1)] = 50
    """Rollouts; each plays `tasks_per_step` × `group_size` episodes with the weights of that moment."""
    tasks_per_step: Annotated[int, Field(ge=1)] = 8
    """Tasks of a rollout, all different."""
    group_size: Annotated[int, Field(ge=2, le=1000)] = 8
    """Episodes of each task; they are compared with each other."""
    epochs: Annotated[int, Field(ge=1)] = 1
    """Passes over what a rollout has brought; from the second on the model is no longer the one that played."""
    minibatches: Annotated[int, Field(ge=1)] = 1
    """Optimizer steps of a pass; each has its share of the rows."""
    temperature: Annotated[float, Field(gt=0, le=5)] = 1.0
    """Of the episodes that are trained on; `agent.temperature` is that of the evaluation. Nothing is cut from the
    distribution (`agent.top_p` is left aside)."""
    success_reward: Annotated[float, Field(ge=0)] = 1.0
    """What final success is worth, given with the last step."""
    step_reward: Annotated[float, Field(ge=0)] = 1.0
    """Weight of `rewards`, what the category of each step is worth. 0: success alone counts."""
    drop_equal_groups: bool = True
    """Leave out groups whose episodes all earned the same: compared with each other they teach nothing. They are
    counted as `dead_groups`."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-5
    """Peak, reached after the warm-up, then a cosine down to a tenth."""
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_length: Annotated[int, Field(ge=16)] = 4096
    """Longer rows are left out, and counted, in tokens."""
    evaluate_every: Annotated[int, Field(ge=1)] | None = None
    """Rollouts from one evaluation on `evaluate.tasks` tasks to the next; the first comes before any training. Off:
    only at the end."""
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Episodes under way at once."""
    episode_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest wall time of one episode, in seconds; past it the episode ends with an error."""
    max_failures: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of a rollout's episodes that may end with an error; they are left out and counted. Beyond it training stops
    (exit code 3), with its last checkpoint kept."""
    keep_rollouts: bool = True
    """Write every episode that is trained on to `rollouts/trajectories.jsonl`."""

    @property
    def batch_size(self) -> int:
        """Episodes per optimizer step."""
        return self.tasks_per_step * self.group_size // self.minibatches


@schema
class GrpoStage(OnlineStage):
    """Group relative policy optimisation by TRL's GRPOTrainer: an episode is judged against others of its task."""

    kind: Literal["grpo"] = "grpo"
    loss: GrpoLoss = GrpoLoss.GRPO
    ratio: Ratio = Ratio.TOKEN
    scale: AdvantageScale = AdvantageScale.GROUP
    clip_low: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Ratios below 1 − this earn nothing more."""
    clip_high: Annotated[float, Field(gt=0)] = 0.2
    """Ratios above 1 + this earn nothing more; with `loss=cispo` the cap itself."""
    clip_delta: Annotated[float, Field(gt=1)] | None = None
    """Upper limit of ratios whose advantage is negative too (two-sided clipping). Off: none."""
    beta: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the KL term to the model as training found it. 0: there is none, and no reference is computed."""
    entropy_bonus: float = 0.0
    """Weight of the mean entropy of the sampled tokens."""
    top_entropy_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the tokens, those of highest entropy, that the loss is taken over."""
    correction: Correction = Correction.NONE
    """For an engine whose probabilities differ; the one in this process computes with the very weights."""
    correction_cap: Annotated[float, Field(gt=1)] = 3.0
    """Ratio above which a token or row is cut to it (`…truncate`) or left out (`…mask`)."""


@schema
class RlooStage(OnlineStage):
    """REINFORCE with leave-one-out baselines by TRL's RLOOTrainer (Ahmadian et al. 2024)."""

    kind: Literal["rloo"] = "rloo"
    clip_low: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Ratios of whole rows below 1 − this earn nothing more."""
    clip_high: Annotated[float, Field(gt=0)] = 0.2
    """Ratios of whole rows above 1 + this earn nothing more."""
    beta: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the KL term in the return, to the model as training found it. 0: no reference is computed."""
    normalize: bool = False
    """Bring the advantages of a step to mean 0 and standard deviation 1."""


@schema
class PpoStage(OnlineStage):
    """Proximal policy optimisation (Schulman et al. 2017) with a value of every step's state."""

    kind: Literal["ppo"] = "ppo"
    group_size: Annotated[int, Field(ge=1, le=1000)] = 4
    """Episodes of each task."""
    epochs: Annotated[int, Field(ge=1)] = 2
    """Passes over what a rollout has brought."""
    minibatches: Annotated[int, Field(ge=1)] = 2
    """Optimizer steps of a pass; each has its share of the rows."""
    drop_equal_groups: bool = False
    """Leave out groups whose episodes all earned the same. Values do not need groups that differ."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Ratios outside 1 ± this earn nothing more."""
    gamma: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Discount of a reward for every step that it is away."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    """0: advantages from the next value alone; 1: from the rewards alone."""
    whiten: bool = True
    """Bring the advantages of a rollout to mean 0 and standard deviation 1."""
    value_weight: Annotated[float, Field(ge=0)] = 0.5
    """Weight of the value loss."""
    value_clip: Annotated[float, Field(gt=0)] | None = None
    """Furthest a value may move from that of the rollout without losing its gradient. Off: any distance."""
    value_shapes_model: bool = False
    """Let the value loss change the model's weights too, and not its own head alone."""
    value_learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Of the value head, peak."""
    beta: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the KL term to the model as training found it. 0: there is none, and no reference is computed."""
    entropy_bonus: float = 0.0
    """Weight of the mean entropy of the sampled tokens."""


@schema
class RftStage(OnlineStage):
    """Rejection-sampling fine-tuning (Yuan et al. 2023): the episodes that succeeded are imitated, each way once."""

    kind: Literal["rft"] = "rft"
    group_size: Annotated[int, Field(ge=1, le=1000)] = 8
    """Episodes of each task."""
    most_per_task: Annotated[int, Field(ge=1)] = 4
    """Most episodes of a task that are learnt from, of those that succeeded by different actions."""
    success_reward: Annotated[float, Field(ge=0)] = 1.0
    """Only logged: success alone decides what is learnt from."""
    step_reward: Annotated[float, Field(ge=0)] = 1.0
    """Only logged."""
    drop_equal_groups: Literal[False] = False
    """A task that is always solved is learnt from too."""


RlStage = GrpoStage | RlooStage | PpoStage | RftStage
