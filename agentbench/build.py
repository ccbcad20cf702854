"""The composition root: typed configuration in, objects out. The only place that knows which class a kind stands for.

Heavy libraries are imported inside the cases that need them.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson
from rich.console import Console

from agentbench.config.agent import AgentConfig
from agentbench.config.entry import DoctorConfig, RolloutConfig, TrainConfig
from agentbench.config.env import Availability, EnvConfig, Granularity, Scenario
from agentbench.config.expert_mode import ExpertModeConfig, GroundTruthExpert, InformedExpert, NoExpert, RandomExpert
from agentbench.config.model import Dtype, HfModel, OpenAIModel, TinyModel
from agentbench.config.retriever import RetrieverConfig
from agentbench.config.rewards import RewardsConfig
from agentbench.config.source import TaskCounts
from agentbench.config.stage import SftStage
from agentbench.config.tasks import Split, TasksConfig
from agentbench.config.template import TemplateKind
from agentbench.envs import Environment
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import MakeParts, PoolSettings, run_tasks
from agentbench.episodes.summary import ExpertSettings, Summary
from agentbench.errors import ConfigError, PreflightError
from agentbench.llm import Llm, Sampling
from agentbench.policies import Policy
from agentbench.policies.chat import AGENT_PROMPT, ChatAgent
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.intervention import Intervention
from agentbench.policies.overseer import RuleOverseer
from agentbench.policies.triggers import Always, Coin, Never, Stuck, Trigger
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.tasks.files import read_tasks
from agentbench.templates import Family, Template
from agentbench.templates.student_granite3 import StudentGranite3
from agentbench.templates.student_mistral import StudentMistral
from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.teacher import Teacher
from agentbench.templates.tiny import Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.tools import Tool
from agentbench.tools.retriever import Collection
from agentbench.tools.retriever.bm25 import Bm25Retriever
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.training_data.sft import sft_rows
from agentbench.types import StepCategory, Task, Trajectory
from agentbench.worlds.embedded import EMBEDDED, prepare_embedded
from agentbench.worlds.manifest import World, read_world

if TYPE_CHECKING:
    from agentbench.training.student import Trained

Report = Callable[[str], None]

WORLD_SEED = 0
"""Embedded worlds asked for by name are the same for every run, whatever the run's own seed."""

STUDENT_GENERATION = 1
"""Counts changes of the tiny student's making that its configuration does not show; old students are not reused."""


# --------------------------------------------------------------------------------------------- worlds


class Playground(NamedTuple):
    """All worlds of a run, opened once and shared by its episodes."""

    worlds: tuple[World, ...]
    tools: dict[str, Callable[[], tuple[Tool, ...]]]
    """By domain: makes the tools of one episode."""

    def environment(self, task: Task, enforce_rules: bool) -> Environment:
        """A fresh environment for a task.

        Raises:
            PreflightError: the task is about a domain that no world of the run has.
        """
        if task.domain not in self.tools:
            raise PreflightError(f"task {task.id!r} is about {task.domain!r}; the run has {sorted(self.tools)}")
        return ToolEnv(self.tools[task.domain](), enforce_rules)


def worlds(env: EnvConfig, cache_dir: Path, report: Report) -> tuple[World, ...]:
    """The worlds an environment names, prepared first where they are embedded and not there yet.

    Raises:
        PreflightError: a name is neither an embedded domain nor a prepared folder.
    """
    return tuple(_world(name, cache_dir, report) for name in env.worlds)


def _world(name: str, cache_dir: Path, report: Report) -> World:
    if name in EMBEDDED or not Path(name).exists():
        return prepare_embedded(name, WORLD_SEED, TaskCounts(), cache_dir, report)
    return read_world(Path(name))


def playground(env: EnvConfig, retriever: RetrieverConfig, found: tuple[World, ...]) -> Playground:
    """Opens the databases and indexes of all worlds.

    Raises:
        PreflightError, DataError: a file of a world is missing or broken.
    """
    indexes = {
        world.manifest.collection.name: Bm25Retriever(world.index)
        for world in found
        if world.manifest.collection is not None
    }
    makers = {world.manifest.name: _tool_maker(world, env, found, indexes, retriever.top_k) for world in found}
    return Playground(found, makers)


def _tool_maker(
    world: World, env: EnvConfig, found: tuple[World, ...], indexes: dict[str, Bm25Retriever], top_k: int
) -> Callable[[], tuple[Tool, ...]]:
    database = Database(world.database, env.statement_timeout_s)
    collections = _searchable(world, found, env.distractors)
    search: tuple[Tool, ...] = (retrieve_documents_tool(indexes, collections, top_k),) if collections else ()
    manifest, shown = world.manifest, env.shown_values
    match env.tools:
        case Granularity.REST:
            fixed = (*rest_tools(database, manifest.endpoints, shown), *search)
            return lambda: fixed
        case Granularity.SLOT_FILLING:
            return lambda: (*slot_filling_tools(database, manifest.universes, shown), *search)
        case Granularity.SELECTION:
            return lambda: (*selection_tools(database, manifest.universes, shown), *search)


def _searchable(world: World, found: tuple[World, ...], distractors: int) -> tuple[Collection, ...]:
    own = [world.manifest.collection] if world.manifest.collection else []
    others = [other.manifest.collection for other in found if other is not world and other.manifest.collection]
    return tuple(sorted([*own, *others[:distractors]], key=lambda collection: collection.name))


def select_tasks(env: EnvConfig, tasks: TasksConfig, found: tuple[World, ...], seed: int) -> tuple[Task, ...]:
    """The tasks a run is about: filtered, then drawn evenly over worlds where there is a limit.

    Raises:
        PreflightError: nothing is left.
        DataError: a task file cannot be read.
    """
    per_world = [_matching(read_tasks(world.tasks(env.tools, tasks.split)), env) for world in found]
    if tasks.limit is not None:
        per_world = _evenly(per_world, tasks.limit, seed)
    chosen = tuple(task for group in per_world for task in group)
    if not chosen:
        wanted = f"scenario={env.scenario} tool_availability={env.tool_availability} split={tasks.split}"
        raise PreflightError(f"no task matches {wanted} in {[world.manifest.name for world in found]}")
    return chosen


def _matching(tasks: Sequence[Task], env: EnvConfig) -> list[Task]:
    return [
        task
        for task in tasks
        if env.scenario in (Scenario.ANY, task.data.get("scenario"))
        and env.tool_availability in (Availability.ANY, task.data.get("tool_availability"))
    ]


def _evenly(groups: list[list[Task]], limit: int, seed: int) -> list[list[Task]]:
    rng = random.Random(seed)
    left, shares = limit, []
    for waiting, group in sorted(enumerate(groups), key=lambda item: len(item[1])):
        share = min(len(group), left // (len(groups) - len(shares)))
        left -= share
        keep = set(rng.sample(range(len(group)), share))
        shares.append((waiting, [task for index, task in enumerate(group) if index in keep]))
    return [share for _, share in sorted(shares, key=lambda item: item[0])]


# --------------------------------------------------------------------------------------------- models


class Model(NamedTuple):
    """An agent's model with the template that speaks to it."""

    llm: Llm
    template: Template


def model(config: RolloutConfig, found: tuple[World, ...], report: Report) -> Model:
    """Loads or connects to the agent's model; a tiny student that is not there is trained first.

    Raises:
        PreflightError: the model cannot be loaded, the server cannot be reached, or a tokenizer is missing.
    """
    match config.model:
        case TinyModel() as tiny:
            folder = tiny.path or trained_student(tiny, config, found, report)
            return _in_process(HfModel(path=str(folder), dtype=Dtype.FLOAT64, max_batch=tiny.max_batch), config)
        case HfModel() as hf:
            return _in_process(hf, config)
        case OpenAIModel() as remote:
            return _remote(remote, config)


def _in_process(hf: HfModel, config: RolloutConfig) -> Model:
    import torch

    from agentbench.llm.hf import HfLlm
    from agentbench.llm.hf_load import load_hf

    if isinstance(config.model, TinyModel):
        torch.set_num_threads(1)
    tokenizer = load_tokenizer(config.template.tokenizer or hf.path)
    layout = TokenTemplate(family(config.template.kind), tokenizer, system_prompt(config.agent))
    loaded = load_hf(hf.path, hf.adapter, hf.dtype, hf.device)
    stop_ids = [index for text in layout.stop if (index := tokenizer.id_of(text)) is not None]
    return Model(HfLlm(loaded, tokenizer.decode, stop_ids, max_batch=hf.max_batch), layout)


def _remote(remote: OpenAIModel, config: RolloutConfig) -> Model:
    from agentbench.llm.openai import OpenAILlm, read_key

    llm = OpenAILlm(
        remote.base_url,
        remote.name,
        remote.mode,
        read_key(remote.api_key_env),
        timeout_s=remote.timeout_s,
        max_retries=remote.max_retries,
        max_connections=remote.max_connections,
    )
    system = system_prompt(config.agent)
    if config.template.kind is TemplateKind.TEACHER:
        return Model(llm, Teacher(system))
    tokenizer = load_tokenizer(config.template.tokenizer or remote.name)
    return Model(llm, TokenTemplate(family(config.template.kind), tokenizer, system))


def family(kind: TemplateKind) -> Family:
    """The text layout of a model family.

    Raises:
        ConfigError: `teacher` has messages instead of a layout.
    """
    match kind:
        case TemplateKind.TINY:
            return Tiny()
        case TemplateKind.STUDENT_QWEN3:
            return StudentQwen3()
        case TemplateKind.STUDENT_MISTRAL:
            return StudentMistral()
        case TemplateKind.STUDENT_GRANITE3:
            return StudentGranite3()
        case TemplateKind.TEACHER:
            raise ConfigError(["template.kind: teacher writes messages; this needs a template with tokens of its own"])


def system_prompt(agent: AgentConfig) -> str:
    """The agent's instructions.

    Raises:
        PreflightError: the file that the configuration names cannot be read.
    """
    path = agent.system_prompt or AGENT_PROMPT
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PreflightError(f"agent.system_prompt={str(path)!r} cannot be read: {error}") from None


# ------------------------------------------------------------------------------------------- students


def trained_student(tiny: TinyModel, config: RolloutConfig, found: tuple[World, ...], report: Report) -> Path:
    """The folder of the tiny student of these settings, trained by a process of its own if it is not cached.

    Raises:
        PreflightError: training failed; its own message stands above.
    """
    folder = student_folder(tiny, config.env, config.retriever, cache_dir=config.cache_dir, found=found)
    if (folder / "config.json").is_file():
        return folder
    report(f"no tiny student for these settings yet: training one on gold trajectories into {folder}")
    command = [sys.executable, "-m", "agentbench.train", *_student_overrides(tiny, config)]
    if subprocess.run(command, check=False).returncode != 0 or not (folder / "config.json").is_file():
        raise PreflightError("the tiny student could not be trained", " ".join(command[1:]))
    return folder


def student_folder(
    tiny: TinyModel, env: EnvConfig, retriever: RetrieverConfig, *, cache_dir: Path, found: tuple[World, ...]
) -> Path:
    """Where the tiny student of these settings is cached; the name holds a hash of all that shapes what it learns."""
    shape = [tiny.hidden_size, tiny.layers, tiny.heads, tiny.vocab_size]
    seen = [env.tools, env.distractors, env.shown_values, env.horizon, retriever.top_k, retriever.kind]
    learnt = [STUDENT_GENERATION, shape, seen, [world.manifest.fingerprint for world in found]]
    return cache_dir / "models" / f"tiny-{hashlib.sha256(orjson.dumps(learnt)).hexdigest()[:12]}"


def _student_overrides(tiny: TinyModel, config: RolloutConfig) -> list[str]:
    env, names = config.env, ",".join(f"'{name}'" for name in config.env.worlds)
    return [
        *(f"model.{key}={getattr(tiny, key)}" for key in ("hidden_size", "layers", "heads", "vocab_size")),
        f"env.worlds=[{names}]",
        f"env.tools={env.tools.value}",
        f"env.distractors={env.distractors}",
        f"env.shown_values={env.shown_values}",
        f"env.horizon={env.horizon}",
        f"retriever.top_k={config.retriever.top_k}",
        f"cache_dir='{config.cache_dir}'",
    ]


# ------------------------------------------------------------------------------------------- episodes


def episode_maker(config: RolloutConfig, field: Playground, agent: Model | None) -> MakeParts:
    """What makes the parts of each episode. Without an agent only the ground-truth expert can play."""
    grader = step_grader(config.rewards)

    def make(task: Task, seed: int) -> EpisodeParts:
        env = field.environment(task, config.env.enforce_rules)
        return EpisodeParts(env, _policy(config, task, seed, agent), grader, (AnswerScorer(),))

    return make


def needs_agent(mode: ExpertModeConfig) -> bool:
    """Whether a run ever asks the agent: an expert that takes every step and keeps no alternative does not."""
    return not isinstance(mode, GroundTruthExpert) or mode.save_alternate_trace


def step_grader(rewards: RewardsConfig) -> StepGrader:
    """Grades steps with the configured numbers."""
    return StepGrader({category: getattr(rewards, category.value) for category in StepCategory})


def expert_settings(mode: ExpertModeConfig) -> ExpertSettings:
    """What the summary says about the expert."""
    match mode:
        case InformedExpert(init_limit=init, recent_limit=recent, random_epsilon=epsilon):
            return ExpertSettings(mode.kind, init, recent, epsilon)
        case _:
            return ExpertSettings(mode.kind)


def _policy(config: RolloutConfig, task: Task, seed: int, agent: Model | None) -> Policy:
    expert = GoldExpert(task)
    if agent is None:
        return expert
    sampling = Sampling(config.agent.temperature, config.agent.top_p, config.agent.max_tokens)
    chat = ChatAgent(agent.llm, agent.template, sampling, seed)
    return Intervention(chat, expert, _trigger(config.expert_mode, task, seed), config.expert_mode.save_alternate_trace)


def _trigger(mode: ExpertModeConfig, task: Task, seed: int) -> Trigger:
    rng = random.Random(seed)
    match mode:
        case NoExpert():
            return Never()
        case GroundTruthExpert():
            return Always()
        case RandomExpert(probability=probability):
            return Coin(probability, rng)
        case InformedExpert(init_limit=init, recent_limit=recent, random_epsilon=epsilon):
            return Stuck(init, RuleOverseer(task, recent), Coin(epsilon, rng))


# ---------------------------------------------------------------------------------------------- whole runs


class Rollout(NamedTuple):
    """Everything a run of episodes needs, built but not started."""

    tasks: tuple[Task, ...]
    make: MakeParts
    settings: PoolSettings
    agent: Model | None

    async def play(self, folder: Path) -> Summary:
        """Plays the tasks that the folder does not hold yet; the agent's model is closed afterwards.

        Raises:
            PreflightError, DataError, Interrupted, RunFailed: as `run_tasks` does.
        """
        try:
            return await run_tasks(self.tasks, self.make, self.settings, folder)
        finally:
            if self.agent is not None:
                await self.agent.llm.close()


def rollout(config: RolloutConfig, report: Report) -> Rollout:
    """Worlds, tasks, model and expert of a run.

    Raises:
        PreflightError, DataError: something the run needs is missing or broken.
    """
    found = worlds(config.env, config.cache_dir, report)
    tasks = select_tasks(config.env, config.tasks, found, config.seed)
    field = playground(config.env, config.retriever, found)
    agent = model(config, found, report) if needs_agent(config.expert_mode) else None
    settings = PoolSettings(
        concurrency=config.concurrency,
        horizon=config.env.horizon,
        seed=config.seed,
        episode_timeout_s=config.episode_timeout_s,
        max_failures=config.max_failures,
        next_step="",
        expert=expert_settings(config.expert_mode),
    )
    return Rollout(tasks, episode_maker(config, field, agent), settings, agent)


def gold_rollout(config: TrainConfig, report: Report) -> Rollout:
    """The ground-truth expert on the whole training split."""
    return rollout(
        RolloutConfig(
            seed=config.seed,
            model=config.model,
            template=config.template,
            agent=AgentConfig(),
            env=config.env,
            expert_mode=GroundTruthExpert(),
            retriever=config.retriever,
            tasks=TasksConfig(split=Split.TRAIN),
            rewards=config.rewards,
            cache_dir=config.cache_dir,
        ),
        report,
    )


def self_check_of(config: DoctorConfig, report: Report) -> SelfCheck:
    """What the self-check plays with.

    Raises:
        PreflightError, DataError: a world is missing or broken.
    """
    found = worlds(config.env, config.cache_dir, report)
    field = playground(config.env, config.retriever, found)
    grader = step_grader(config.rewards)

    def make(task: Task, policy: Policy) -> EpisodeParts:
        return EpisodeParts(field.environment(task, config.env.enforce_rules), policy, grader, (AnswerScorer(),))

    settings = PoolSettings(
        concurrency=64,
        horizon=config.env.horizon,
        seed=config.seed,
        episode_timeout_s=60.0,
        max_failures=1.0,
        next_step="",
        quiet=True,
    )
    return SelfCheck(select_tasks(config.env, config.tasks, found, config.seed), make, settings)


class SelfCheck(NamedTuple):
    """Tasks, what makes an episode of one of them for a given policy, and how they are played."""

    tasks: tuple[Task, ...]
    make: Callable[[Task, Policy], EpisodeParts]
    settings: PoolSettings


# ------------------------------------------------------------------------------------------------ training


def published_student(config: TrainConfig, report: Report) -> Path | None:
    """Where runs look for the student that this training makes; `None` for one that is only this run's own.

    A tiny student with the default stage and seed, trained on gold trajectories, is the one `model=tiny` means.
    """
    standard = not config.trajectories and config.stage == SftStage() and config.seed == WORLD_SEED
    if not isinstance(config.model, TinyModel) or not standard:
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
                layout = TokenTemplate(family(config.template.kind), tokenizer, system_prompt(AgentConfig()))
                return train_given(hf, sft_rows(trajectories, layout, config.stage.max_length), recipe, report)
            case OpenAIModel():
                raise ConfigError(["model: a model behind a server cannot be trained; use model=hf or model=tiny"])


def publish(model_folder: Path, target: Path) -> Path:
    """Copies a trained model to where runs look for it; another process sees all of it or nothing."""
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(model_folder, draft)
    try:
        draft.rename(target)
    except OSError:  # another process was quicker with the same student
        shutil.rmtree(draft)
    return target
