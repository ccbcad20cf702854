"""What each entry point is configured with."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentbench.config.agent import AgentConfig
from agentbench.config.env import EnvConfig, M3Env
from agentbench.config.expert_mode import ExpertModeConfig
from agentbench.config.llm_actors import ExpertConfig, GoldExpert, JudgeConfig, NoJudge, OverseerConfig, RuleOverseer
from agentbench.config.model import ModelConfig
from agentbench.config.retriever import RetrieverConfig
from agentbench.config.rewards import RewardsConfig
from agentbench.config.schema import schema
from agentbench.config.scorer import AnswerScorer, ScorerConfig
from agentbench.config.serve import ServeKind
from agentbench.config.source import SourceConfig
from agentbench.config.stage import StageConfig
from agentbench.config.tasks import TasksConfig
from agentbench.config.template import TemplateConfig


class ExportFormat(StrEnum):
    """Formats a run can be written in beside our own."""

    NONE = "none"
    VAKRA = "vakra"
    """Its submission format: one JSON file per domain."""


@schema
class PrepareConfig:
    """`python -m agentbench.prepare`: worlds and their tasks."""

    seed: int = 0
    source: SourceConfig
    database: Path | None = None
    """Short for `source.database` of source=sqlite."""
    documents: Path | None = None
    """Short for `source.documents` of source=sqlite."""
    data_dir: Path | None = None
    """Short for `source.data_dir` of source=vakra."""
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""


@schema
class RolloutConfig:
    """`python -m agentbench.rollout` and `agentbench.eval`: episodes of an agent on tasks."""

    seed: int = 0
    model: ModelConfig
    template: TemplateConfig
    agent: AgentConfig
    env: EnvConfig
    expert_mode: ExpertModeConfig
    expert: ExpertConfig = GoldExpert()
    overseer: OverseerConfig = RuleOverseer()
    judge: JudgeConfig = NoJudge()
    scorer: ScorerConfig = AnswerScorer()
    retriever: RetrieverConfig
    tasks: TasksConfig
    rewards: RewardsConfig
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Episodes under way at once."""
    episode_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest wall time of one episode, in seconds; past it the episode ends with an error."""
    max_failures: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of episodes that may end with an error before the run counts as failed (exit code 3)."""
    export: ExportFormat = ExportFormat.NONE
    """Write the run in another project's format as well, into a folder of that name."""
    predictions: Path | None = None
    """Score these predictions (a file or folder in VAKRA's submission format) instead of running an agent."""
    resume: Path | None = None
    """Folder of an earlier run of the same configuration to go on with."""
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""


@schema
class TrainConfig:
    """`python -m agentbench.train`: trajectories in, model out."""

    seed: int = 0
    stage: StageConfig
    model: ModelConfig
    template: TemplateConfig
    agent: AgentConfig
    """Its system prompt stands before every trajectory, as it will when the model is rolled out."""
    env: M3Env
    retriever: RetrieverConfig
    rewards: RewardsConfig
    trajectories: tuple[Path, ...] = ()
    """`trajectories.jsonl` files. None: gold trajectories of the training split, rolled out first."""
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""


@schema
class ServeConfig:
    """`python -m agentbench.serve`: our side for others to use."""

    seed: int = 0
    serve: ServeKind
    env: M3Env
    retriever: RetrieverConfig
    tasks: TasksConfig
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""


@schema
class DoctorConfig:
    """`python -m agentbench.doctor`: is the environment fair and solvable?"""

    seed: int = 0
    env: M3Env
    retriever: RetrieverConfig
    rewards: RewardsConfig
    tasks: TasksConfig
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""
