"""Training runs: which model is trained on what, and where others find it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from agentbench.build import WORLD_SEED, Report
from agentbench.build.models import family, student_folder, system_prompt
from agentbench.build.worlds import worlds
from agentbench.config.entry import TrainConfig
from agentbench.config.env import Availability, InterfaceConfig, M3Env, Scenario
from agentbench.config.model import HfModel, OpenAIModel, TinyModel
from agentbench.config.stage import SftStage
from agentbench.errors import ConfigError, PreflightError
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training_data.sft import sft_rows
from agentbench.types import Trajectory

if TYPE_CHECKING:
    from agentbench.training.student import Trained


def published_student(config: TrainConfig, report: Report) -> Path | None:
    """Where runs look for the student that this training makes; `None` for one that is only this run's own.

    A tiny student with the default stage and seed, trained on all gold trajectories, is the one `model=tiny` means.
    """
    env = config.env
    all_tasks = env.scenario is Scenario.ANY and env.tool_availability is Availability.ANY and env.enforce_rules
    all_tasks = all_tasks and env.horizon == M3Env().horizon and env.interface == InterfaceConfig()
    usual = not config.trajectories and config.stage == SftStage() and config.seed == WORLD_SEED
    if not isinstance(config.model, TinyModel) or not (all_tasks and usual):
        return None
    found = worlds(config.env, config.cache_dir, report)
    return student_folder(config.model, config.env, config.retriever, cache_dir=config.cache_dir, found=found)


def train(config: TrainConfig, trajectories: Sequence[Trajectory], folder: Path) -> Trained:
    """Trains the configured model into a folder.

    Raises:
        PreflightError: the model cannot be loaded.
        DataError: no trajectory is of use.
        ConfigError: a model behind a server cannot be trained.
    """
    from agentbench.training.progress import showing
    from agentbench.training.student import Recipe, train_given, train_tiny

    recipe = Recipe(config.stage, config.seed, folder)
    with showing(Console()) as report:
        match config.model:
            case TinyModel() as tiny:
                return train_tiny(tiny, trajectories, recipe, report)
            case HfModel() as hf:
                tokenizer = load_tokenizer(config.template.tokenizer or hf.path)
                layout = TokenTemplate(family(config.template.kind), tokenizer, system_prompt(config.agent))
                return train_given(hf, sft_rows(trajectories, layout, config.stage.max_length), recipe, report)
            case OpenAIModel():
                raise ConfigError(["model: a model behind a server cannot be trained; use model=hf or model=tiny"])


def publish(model_folder: Path, target: Path) -> Path:
    """Copies a trained model to where runs look for it; another process sees all of it or nothing.

    Raises:
        PreflightError: the cache cannot be written; the model stays in the run's folder.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copytree(model_folder, draft)
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if not (target / "config.json").is_file():  # otherwise another process was quicker with the same student
            problem = f"the student cannot be put into {target.parent}: {error.strerror or error}"
            raise PreflightError(problem, f"use it as model.path={model_folder}") from error
    return target
