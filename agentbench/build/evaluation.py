"""Evaluations: an agent's episodes with baselines beside them, or an earlier run's episodes scored again; figures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import yaml
from rich.console import Group, RenderableType

from agentbench.app.artefacts import add_inputs
from agentbench.build import Report
from agentbench.build.actors import llm_judge
from agentbench.build.cluster import launched
from agentbench.build.reporting import compared, figures_of, seen
from agentbench.build.runs import Rollout, expert_settings, scorers_of
from agentbench.config.entry import EvalConfig, RolloutConfig
from agentbench.config.env import McpEnv
from agentbench.config.env_assistant import AssistantEnv
from agentbench.config.keys import leaves
from agentbench.config.llm_actors import LlmJudge
from agentbench.episodes.baselines import BASELINES as BASELINE_AGENTS
from agentbench.episodes.baselines import play_baselines
from agentbench.episodes.rescore import Rescoring, keep_scored
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import Summary
from agentbench.episodes.tally import Tally
from agentbench.errors import ConfigError
from agentbench.policies import Policy
from agentbench.reporting.comparable import Setting, refuse_incomparable
from agentbench.reporting.facts import task_hash
from agentbench.reporting.power import sentence
from agentbench.reporting.run_folder import BASELINES, Run, read_run
from agentbench.scoring import Scorer
from agentbench.scoring.judge import JudgeScorer
from agentbench.types import Task

FLIPS = 3
"""Tasks shown side by side where an evaluation is compared."""
_OF_SCORING = frozenset(
    {"regrade", "scorer", "judge", "labels", "compare", "allow", "concurrency", "max_failures", "cache_dir"}
    | {"baselines", "tracker", "resume", "hydra", "sweep"}
)
"""Top-level keys that say something new about episodes that are scored again."""


class Evaluation(NamedTuple):
    """An agent that is about to be evaluated."""

    config: EvalConfig
    rollout: Rollout
    earlier: tuple[Run, ...]
    """Runs it is to be compared with."""

    async def play(self, folder: Path) -> Summary:
        """Lets the baselines play, then the agent.

        Raises:
            PreflightError, DataError, Interrupted, RunFailed: as `Rollout.play` does.
        """
        run = self.rollout
        async with run.opened():
            if self.config.baselines and not isinstance(self.config.env, McpEnv | AssistantEnv):
                await play_baselines(run.field.tasks, self._parts, run.settings, folder / BASELINES)
            return await run.run(folder)

    def _parts(self, task: Task, policy: Policy) -> EpisodeParts:
        run = self.rollout
        return EpisodeParts(run.field.environment(task), policy, run.grader, _without_judge(run.scorers))


class Regrading(NamedTuple):
    """An earlier run whose episodes are about to be scored again."""

    config: EvalConfig
    source: Run

    async def play(self, folder: Path) -> Summary:
        """Scores the run's episodes, and those of its baselines, into the folder.

        Raises:
            ConfigError: a key that the command line sets is another one in that run.
            PreflightError: the judge's server is not there, or a file is missing.
            DataError: a file is broken.
            Interrupted: SIGINT or SIGTERM.
        """
        _refuse_other_settings(self.config, self.source, folder)
        add_inputs(folder, {"regrade.trajectories": self.source.folder / TRAJECTORIES})
        played = dataclasses.replace(self.source.config, scorer=self.config.scorer, judge=self.config.judge)
        asked, cache = self.config.judge, self.config.cache_dir
        judge = llm_judge(asked, self.config.scorer, cache) if isinstance(asked, LlmJudge) else None
        try:
            if judge is not None:
                await judge.preflight()
            scorers = scorers_of(played, judge)
            for name in BASELINE_AGENTS:
                path = self.source.folder / BASELINES / name / TRAJECTORIES
                if path.is_file():
                    rescoring = self._rescoring(_without_judge(scorers), played)
                    await keep_scored(read_trajectories(path), rescoring, folder / BASELINES / name)
            return await keep_scored(self.source.trajectories(), self._rescoring(scorers, played), folder)
        finally:
            if judge is not None:
                await judge.close()

    def _rescoring(self, scorers: tuple[Scorer, ...], played: RolloutConfig) -> Rescoring:
        tally = Tally(expert_settings(played.expert_mode), played.prices)
        return Rescoring(scorers, tally, self.config.concurrency, table=False)


def evaluation(config: EvalConfig, report: Report) -> Evaluation | Regrading:
    """What is to be played or scored; says first how small a difference it can show.

    Raises:
        ConfigError: a run it is to be compared with was set up otherwise.
        PreflightError, DataError: something it needs is missing or broken.
    """
    earlier = tuple(read_run(path) for path in config.compare)
    if config.regrade is not None:
        return Regrading(config, read_run(config.regrade))
    built = launched(config, report)
    report(sentence(len(built.field.tasks), config.samples))
    if earlier:
        tasks = {task.id: task_hash(task) for task in built.field.tasks}
        settings = [Setting("this run", config, tasks, {}), *(_setting(run) for run in earlier)]
        refuse_incomparable(settings, config.allow)
    return Evaluation(config, built, earlier)


def outcome(config: EvalConfig, folder: Path) -> RenderableType:
    """The tables of a finished evaluation, with those of the comparison it was to be part of.

    Raises:
        ConfigError: the runs are not comparable.
        PreflightError, DataError: a file is missing or broken.
    """
    run = read_run(folder)
    tables: list[RenderableType] = [figures_of(seen(run, config.labels, config.seed), folder)]
    if config.compare:
        earlier = [read_run(path) for path in config.compare]
        tables.append(compared([*earlier, run], allow=config.allow, seed=config.seed, flips=FLIPS, folder=folder))
    return Group(*tables)


def _setting(run: Run) -> Setting:
    return Setting(str(run.folder), run.config, {each.task.id: task_hash(each.task) for each in run.trajectories()}, {})


def _without_judge(scorers: tuple[Scorer, ...]) -> tuple[Scorer, ...]:
    """What baselines are scored by: nobody pays for an opinion of an agent that does nothing."""
    return tuple(scorer for scorer in scorers if not isinstance(scorer, JudgeScorer))


def _refuse_other_settings(config: EvalConfig, source: Run, folder: Path) -> None:
    """Regrading plays nothing: what the command line says about playing must be what was played."""
    ours, theirs = (dict(leaves(dataclasses.asdict(each))) for each in (config, source.config))
    problems = [
        f"{key}: was {theirs.get(key)} in {source.folder}, is {ours.get(key)}; regrade scores what was played"
        for typed in _typed(folder)
        for key in dict.fromkeys([*ours, *theirs])
        if (key == typed or key.startswith(f"{typed}.")) and ours.get(key) != theirs.get(key)
    ]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))


def _typed(folder: Path) -> list[str]:
    """Keys of the command line that speak about how episodes were played."""
    path = folder / ".hydra" / "overrides.yaml"
    texts = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else []
    keys = [str(text).lstrip("+~").split("=", 1)[0] for text in texts]
    return [key for key in keys if key.split(".")[0] not in _OF_SCORING]
