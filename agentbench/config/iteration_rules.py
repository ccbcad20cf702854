"""Rules about rounds of rollout and training; each gives the broken one as a line, or an empty string."""

from __future__ import annotations

from pathlib import Path

from agentbench.config.evaluate import EvaluateConfig
from agentbench.config.expert_mode import ExpertModeConfig, HumanExpert
from agentbench.config.iteration import IterationConfig
from agentbench.config.prefs import SftPrefs, StepPrefs, StepSource, TrajectoryPrefs
from agentbench.config.stage import SftStage, StageConfig
from agentbench.config.stage_rl import OnlineStage
from agentbench.config.tasks import Split, TasksConfig


def rounds_make_their_rows(
    iteration: IterationConfig | None,
    rows: tuple[Path, ...],
    validation_rows: tuple[Path, ...],
    trajectories: tuple[Path, ...],
) -> str:
    """Nothing that was played before is learnt from."""
    given = {"rows": rows, "validation_rows": validation_rows, "trajectories": trajectories}
    name = next((name for name, files in given.items() if files), "")
    return f"{name}: the rounds of iteration make their own; leave {name} away" if iteration and name else ""


def rounds_fit_their_stage(iteration: IterationConfig | None, stage: StageConfig) -> str:
    """Supervised rows are for stage=sft, pairs for all others."""
    if iteration is None:
        return ""
    if isinstance(stage, OnlineStage):
        return f"stage: {stage.kind} plays its own episodes; rounds of iteration need sft, dpo, kto or orpo"
    if isinstance(stage, SftStage) != isinstance(iteration.prefs, SftPrefs):
        wanted = "sft" if isinstance(stage, SftStage) else "step or trajectory"
        return f"iteration.prefs.kind: stage={stage.kind} needs {wanted}, got {iteration.prefs.kind}"
    return ""


def rounds_are_labelled(iteration: IterationConfig | None, expert_mode: ExpertModeConfig) -> str:
    """What the rows of a round are made of has to be there."""
    if iteration is None:
        return ""
    if isinstance(expert_mode, HumanExpert):
        return "expert_mode: human needs the terminal, which the rounds of iteration do not have"
    prefs = iteration.prefs
    by_actors = isinstance(prefs, StepPrefs) and prefs.source is StepSource.ACTORS
    if by_actors and not expert_mode.save_alternate_trace:
        return "expert_mode.save_alternate_trace: step preferences need what the other actor would have done"
    if isinstance(prefs, TrajectoryPrefs) and iteration.samples < 2:
        return "iteration.samples: trajectory preferences need two episodes of a task or more"
    return ""


def rounds_play_training_tasks(iteration: IterationConfig | None, tasks: TasksConfig, evaluate: EvaluateConfig) -> str:
    """Test tasks are not trained on, and what is trained on is not held out."""
    if iteration is None or tasks.file is not None:
        return ""
    if tasks.split is Split.TEST:
        return "tasks.split: test would be trained on; choose train"
    if evaluate.tasks is not None and evaluate.split is tasks.split:
        return f"evaluate.split: {evaluate.split} is what the rounds train on; choose another"
    return ""
