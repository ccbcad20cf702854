"""Rules between the parts of a training that plays episodes; each gives the broken rule as a line, or nothing."""

from __future__ import annotations

from pathlib import Path

from agentbench.config.agent import AgentConfig
from agentbench.config.branching import Branching
from agentbench.config.env import EnvConfig
from agentbench.config.expert_mode import ExpertModeConfig, GroundTruthExpert, InformedExpert, NoExpert, RandomExpert
from agentbench.config.iteration import IterationConfig
from agentbench.config.launcher import AccelerateLauncher, LauncherConfig, SingleLauncher
from agentbench.config.lora import Lora, LoraConfig, NoLora
from agentbench.config.model import HfModel, ModelConfig
from agentbench.config.serve import RunServe, ServeKind, VllmServe
from agentbench.config.stage import StageConfig
from agentbench.config.stage_rl import (
    Correction,
    GrpoLoss,
    GrpoStage,
    OnlineStage,
    PpoStage,
    Ratio,
    RftStage,
    RlooStage,
)
from agentbench.config.tasks import Split, TasksConfig
from agentbench.config.trainer import TrainerConfig


def online_plays_its_own(
    stage: StageConfig, rows: tuple[Path, ...], validation_rows: tuple[Path, ...], trajectories: tuple[Path, ...]
) -> str:
    """Nothing that was played before is learnt from."""
    given = {"rows": rows, "validation_rows": validation_rows, "trajectories": trajectories}
    name = next((name for name, files in given.items() if files), "")
    if isinstance(stage, OnlineStage) and name:
        return f"{name}: stage={stage.kind} plays its own episodes; leave {name} away"
    return ""


def only_online_plays(
    stage: StageConfig, tasks: TasksConfig, expert_mode: ExpertModeConfig, iteration: IterationConfig | None = None
) -> str:
    """Tasks and an expert belong to stages that play, and to rounds of rollout and training."""
    if iteration is not None:
        return ""  # see `iteration_rules`
    if isinstance(stage, OnlineStage):
        if tasks.file is None and tasks.split is Split.TEST:
            return "tasks.split: test would be trained on; choose train"
        if isinstance(expert_mode, GroundTruthExpert):
            return "expert_mode: ground_truth leaves the agent no step to learn from"
        if not isinstance(expert_mode, NoExpert | RandomExpert | InformedExpert):
            return f"expert_mode: {expert_mode.kind} is not for trainings that play; choose none, random or informed"
        return ""
    if tasks != TasksConfig(split=Split.TRAIN):
        return f"tasks: stage={stage.kind} plays no tasks; give rows or trajectories, or choose evaluate.tasks"
    return "" if isinstance(expert_mode, NoExpert) else f"expert_mode: stage={stage.kind} plays no episodes"


def online_batches_divide(stage: StageConfig, launcher: LauncherConfig, trainer: TrainerConfig) -> str:
    """A rollout is one or more optimizer steps, and each of them one or more forward passes."""
    if not isinstance(stage, OnlineStage):
        return ""
    if not isinstance(launcher, SingleLauncher | AccelerateLauncher):
        problem = f"stage={stage.kind} plays with whole weights in every process"
        return f"launcher: {problem}; choose single or accelerate, not {launcher.kind}"
    processes = 1 if isinstance(launcher, SingleLauncher) else launcher.processes
    episodes = stage.tasks_per_step * stage.group_size
    if episodes % stage.minibatches:
        made = f"{stage.tasks_per_step} tasks × {stage.group_size} episodes"
        return f"stage.minibatches: {made} = {episodes} cannot be divided into {stage.minibatches}"
    if stage.batch_size % processes:
        problem = f"{stage.batch_size} episodes of an optimizer step cannot be divided among {processes} processes"
        return f"launcher.processes: {problem}"
    micro = trainer.micro_batch
    if micro is not None and stage.batch_size % (micro * processes):
        among = f" × {processes} processes" if processes > 1 else ""
        problem = f"{stage.batch_size} episodes of an optimizer step cannot be divided by {micro}{among}"
        return f"trainer.micro_batch: {problem}"
    return ""


def online_fits_itself(stage: StageConfig) -> str:
    """The keys of an online stage that go together."""
    if not isinstance(stage, GrpoStage):
        return ""
    if stage.correction is not Correction.NONE and stage.temperature != 1:
        return "stage.correction: engines record probabilities at temperature 1; choose stage.temperature=1"
    if stage.loss is GrpoLoss.VESPO and stage.correction in (Correction.SEQUENCE_MASK, Correction.SEQUENCE_TRUNCATE):
        return f"stage.correction: the loss vespo needs token_truncate or token_mask, got {stage.correction}"
    if stage.loss is GrpoLoss.VESPO and stage.ratio is Ratio.SEQUENCE:
        return "stage.ratio: the loss vespo makes ratios of sequences itself; choose token"
    return ""


def server_follows(stage: StageConfig, serve: RunServe | ServeKind, model: ModelConfig, lora: LoraConfig) -> str:
    """Between rollouts a server can be given an adapter, and nothing else."""
    if not isinstance(serve, VllmServe):
        return ""
    if not isinstance(stage, OnlineStage):
        return f"serve: stage={stage.kind} plays no episodes; leave serve=vllm away"
    if not isinstance(lora, Lora):
        return "serve: between rollouts a vLLM server takes adapters, not whole weights; choose lora=lora"
    if isinstance(model, HfModel) and model.adapter is not None and lora.create_new_adapter:
        return "serve: the server's base is model.path without model.adapter; leave lora.create_new_adapter away"
    if not serve.max_adapters or lora.rank > serve.max_adapter_rank:
        needed = f"serve.max_adapter_rank={lora.rank} and serve.max_adapters=1, or more"
        return f"serve.max_adapter_rank: the trained adapter has rank {lora.rank}; it needs {needed}"
    return ""


def online_agent_is_known(stage: StageConfig, agent: AgentConfig) -> str:
    """The engine in this process draws from the distribution that is trained, and knows of nothing else."""
    if isinstance(stage, OnlineStage) and agent.server_only:
        return f"agent.{agent.server_only[0]}: only servers know it; leave it away with stage={stage.kind}"
    return ""


def online_credits_trees(stage: StageConfig, env: EnvConfig) -> str:
    """Only GRPO's loss takes an advantage for every token."""
    if isinstance(stage, RlooStage | PpoStage | RftStage) and env.branching is not Branching.NONE:
        return f"env.branching: stage={stage.kind} cannot credit the steps of a tree; choose stage=grpo"
    return ""


def online_has_reference(stage: StageConfig, model: ModelConfig, lora: LoraConfig) -> str:
    """TRL reads the reference of whole weights anew from their folder, where no adapter is merged in."""
    merged = isinstance(model, HfModel) and model.adapter is not None and isinstance(lora, NoLora)
    if isinstance(stage, OnlineStage) and isinstance(stage, GrpoStage | RlooStage) and stage.beta and merged:
        return "stage.beta: with lora=none and model.adapter there is no reference; choose lora=lora, or merge it first"
    return ""
