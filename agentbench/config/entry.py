"""What each entry point is configured with."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentbench.config.agent import AgentConfig, ChatAgent, EndpointModel, PlannerAgent
from agentbench.config.audit import AuditedModelConfig, NoModel, TokensConfig
from agentbench.config.cluster import PlayLauncher
from agentbench.config.env import EnvConfig, M3Env
from agentbench.config.evaluate import EvaluateConfig
from agentbench.config.expert_mode import ExpertModeConfig, NoExpert
from agentbench.config.iteration import IterationConfig
from agentbench.config.launcher import LauncherConfig, SingleLauncher
from agentbench.config.llm_actors import (
    ExpertConfig,
    GoldExpert,
    JudgeConfig,
    LlmExpert,
    LlmJudge,
    LlmOverseer,
    NoJudge,
    OverseerConfig,
    RuleOverseer,
)
from agentbench.config.lora import LoraConfig, NoLora
from agentbench.config.model import ModelConfig, OpenAIModel, Price, TinyModel
from agentbench.config.prefs import Arguments, PrefsConfig
from agentbench.config.report import ReportConfig as ReportConfig
from agentbench.config.retriever import RetrieverConfig
from agentbench.config.rewards import RewardsConfig
from agentbench.config.schema import schema
from agentbench.config.scorer import AnswerScorer, ScorerConfig
from agentbench.config.serve import NoServe, RunServe, ServeKind
from agentbench.config.source import SourceConfig
from agentbench.config.stage import StageConfig
from agentbench.config.tasks import Split, TasksConfig
from agentbench.config.template import TemplateConfig, TemplateKind
from agentbench.config.tracker import NoTracker, TrackerConfig
from agentbench.config.trainer import ModelExport, TrainerConfig


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
    checksums: bool = False
    """When the run ends, write SHA256SUMS with a line for each file of its folder; `doctor run=` compares them."""
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""


@schema
class RolloutConfig:
    """`python -m agentbench.rollout`: episodes of an agent on tasks."""

    seed: int = 0
    model: ModelConfig
    serve: RunServe = NoServe()
    launcher: PlayLauncher = SingleLauncher()
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
    samples: Annotated[int, Field(ge=1, le=1000)] = 1
    """Episodes of each task, each with a seed of its own."""
    rewards: RewardsConfig
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Episodes under way at once."""
    episode_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest wall time of one episode, in seconds; past it the episode ends with an error."""
    max_failures: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of episodes that may end with an error before the run counts as failed (exit code 3)."""
    tracker: TrackerConfig = NoTracker()
    export: ExportFormat = ExportFormat.NONE
    """Write the run in another project's format as well, into a folder of that name."""
    predictions: Path | None = None
    """Score these predictions (a file or folder in VAKRA's submission format) instead of running an agent."""
    resume: Path | None = None
    """Folder of an earlier run of the same configuration to go on with."""
    checksums: bool = False
    """When the run ends, write SHA256SUMS with a line for each file of its folder; `doctor run=` compares them."""
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""

    @property
    def prices(self) -> dict[str, Price]:
        """What tokens cost by role, where a model behind a server plays it."""
        actors = {"expert": self.expert, "overseer": self.overseer, "judge": self.judge}
        beside = {
            role: actor.endpoint.price
            for role, actor in actors.items()
            if isinstance(actor, LlmExpert | LlmOverseer | LlmJudge)
        }
        beside |= {**self.env.prices, **self._caller_price}
        if not isinstance(self.model, OpenAIModel):
            return beside
        own = dict.fromkeys(("agent", "vote", "planner", "caller"), self.model.price)
        return {**own, **beside}

    @property
    def _caller_price(self) -> dict[str, Price]:
        """What another model that writes arguments costs; specialists are taken to cost the same."""
        if isinstance(self.agent, PlannerAgent) and isinstance(self.agent.caller, EndpointModel):
            return {"caller": self.agent.caller.endpoint.price}
        return {}


@schema
class EvalConfig(RolloutConfig):
    """`python -m agentbench.eval`: what `agentbench.rollout` plays, with statistics."""

    baselines: bool = True
    """Let an agent that does nothing and the gold chains play the same tasks, for their figures beside every table. Not
    done with env=mcp, whose tools are somebody else's, and env=assistant, where nobody knows the right answer."""
    compare: tuple[Path, ...] = ()
    """Folders of earlier runs on the same tasks that this one is compared with; refused before anything is played where
    they were set up otherwise."""
    allow: tuple[str, ...] = ()
    """With compare: keys in which the runs differ on purpose, `env.horizon` or a whole part like `env`; with `tasks`
    those that all have are compared."""
    regrade: Path | None = None
    """Folder of an earlier run whose episodes are scored again with this scorer and judge; nothing is played, and all
    other keys are that run's."""
    labels: Path | None = None
    """What people say of judged episodes, {"task": id, "sample": 0, "solved": true} per line; measures the judge's
    errors in place of the rules."""


@schema
class TrainConfig:
    """`python -m agentbench.train`: trajectories or rows in, model out."""

    seed: int = 0
    stage: StageConfig
    lora: LoraConfig = NoLora()
    serve: RunServe = NoServe()
    """What plays the episodes of stages that play: a vLLM server that loads the adapter anew before every rollout, or,
    off, the weights in this process."""
    launcher: LauncherConfig = SingleLauncher()
    trainer: TrainerConfig = TrainerConfig()
    model: ModelConfig
    template: TemplateConfig
    agent: AgentConfig
    """Its system prompt stands before every trajectory, as it will when the model is rolled out."""
    env: EnvConfig
    retriever: RetrieverConfig
    rewards: RewardsConfig
    rows: tuple[Path, ...] = ()
    """Files of rows from `build_prefs`: preferences, or supervised ones for stage=sft; their tokens are trained on."""
    validation_rows: tuple[Path, ...] = ()
    """Rows that are not trained on: their loss, and for pairs the accuracy, are measured and choose the checkpoint."""
    trajectories: tuple[Path, ...] = ()
    """`trajectories.jsonl` files for stage=sft. Neither rows nor these: gold ones of the training split, rolled out."""
    tasks: TasksConfig = TasksConfig(split=Split.TRAIN)
    """What stage=grpo, rloo, ppo and rft play. Tasks of the test split are refused."""
    expert_mode: ExpertModeConfig = NoExpert()
    """With these stages: when the expert steps in; its steps are part of the episode, and not trained on."""
    scorer: ScorerConfig = AnswerScorer()
    """Who says whether an episode was solved, of those that are trained on and of `evaluate`."""
    iteration: IterationConfig | None = None
    """Rounds of rollout, rows and training by this one command (`experiment=expert_iteration`, `experiment=dagger`);
    `tasks` and `expert_mode` are then those of the rollouts. Off: one training."""
    tree: bool = True
    """Compute tokens that rows of a batch share only once, with the same losses; where model, stage or rows do not
    allow it or it would not pay, one line says why. Rows of a task then meet in an optimizer step, which holds eight
    tasks or more: a larger `stage.batch_size` saves more."""
    evaluate: EvaluateConfig = EvaluateConfig()
    tracker: TrackerConfig = NoTracker()
    export: ModelExport = ModelExport.TRAINED
    resume: Path | None = None
    """Folder of an earlier training of the same configuration to go on with, from its last checkpoint."""
    checksums: bool = False
    """When the run ends, write SHA256SUMS with a line for each file of its folder; `doctor run=` compares them."""
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""


@schema
class BuildPrefsConfig:
    """`python -m agentbench.build_prefs`: trajectories in, rows to train on out."""

    seed: int = 0
    """Draws which tasks are held back for validation, and which rows of a task `per_task` keeps."""
    trajectories: tuple[Path, ...] = ()
    """`trajectories.jsonl` files; several that hold the same tasks are several samples."""
    against: tuple[Path, ...] = ()
    """With prefs=trajectory: files of another agent on the same tasks; each pair then has one trajectory of either."""
    prefs: PrefsConfig
    template: TemplateConfig
    tokenizer: str | None = None
    """Short for `template.tokenizer`: folder, or name on the hub, of the model to be trained."""
    agent: AgentConfig
    """Its system prompt stands before every row, as it will when the model is rolled out."""
    arguments: Arguments = Arguments.TEXT
    """How arguments of calls stand in messages; token ids do not depend on it."""
    cutoff_len: Annotated[int, Field(ge=1)] | None = None
    """Longest row in tokens, prompt and the longer side together; longer ones are left out. Off: any."""
    per_task: Annotated[int, Field(ge=1)] | None = None
    """Most rows of one task. Off: any."""
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the tasks whose rows go to `validation.jsonl`."""
    checksums: bool = False
    """When the run ends, write SHA256SUMS with a line for each file of its folder; `doctor run=` compares them."""
    i_will_not_evaluate_on_test_tasks: bool = False
    """Take episodes of the test split too. Whoever trains on them has no held-out tasks left."""


@schema
class ServeConfig:
    """`python -m agentbench.serve`: our side for others to use."""

    seed: int = 0
    serve: ServeKind
    model: ModelConfig = TinyModel()
    """With serve=vllm: the weights."""
    template: TemplateConfig = TemplateConfig(kind=TemplateKind.TINY)
    """With serve=vllm: the layout of the prompts that the server is checked with."""
    env: M3Env
    retriever: RetrieverConfig
    tasks: TasksConfig
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""


@schema
class DoctorConfig:
    """`python -m agentbench.doctor`: is the environment fair and solvable, or would training on a model be right?"""

    seed: int = 0
    run: Path | None = None
    """Folder of a run to look through instead: which versions its files have, whether each can be read, and whether
    its checksums hold, where it has some."""
    model: AuditedModelConfig = NoModel()
    template: TemplateConfig = TemplateConfig(kind=TemplateKind.TINY)
    agent: AgentConfig = ChatAgent()
    """Its system prompt stands before the audited episodes, as it will when the model is trained."""
    tokens: TokensConfig = TokensConfig()
    trajectories: tuple[Path, ...] = ()
    """`trajectories.jsonl` files to audit beside the made-up episodes."""
    env: EnvConfig
    scorer: ScorerConfig = AnswerScorer()
    retriever: RetrieverConfig
    rewards: RewardsConfig
    tasks: TasksConfig
    cache_dir: Path
    """Folder of the embedded worlds and trained students, shared by all runs."""
