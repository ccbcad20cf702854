"""A run as its tracker sees it: started with its facts, told what happens, ended with its figures and files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import yaml
from dotenv import dotenv_values, find_dotenv

from agentbench.app.record import read_record
from agentbench.build import Report
from agentbench.build.runs import Rollout
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.config.keys import leaves
from agentbench.config.secrets import redacted, secret_values
from agentbench.config.tracker import NoTracker, TensorboardTracker, TrackerConfig, WandbTracker
from agentbench.episodes.summary import SUMMARY, Summary
from agentbench.errors import AgentbenchError, PreflightError, RunFailed
from agentbench.llm.keys import read_key
from agentbench.reporting.html.page import PAGE
from agentbench.reporting.trackers import RunFacts, Tracker, Untracked
from agentbench.reporting.trackers.episodes import EpisodeWatch, Redact, final_figures
from agentbench.reporting.trackers.following import following
from agentbench.reporting.trackers.guarded import Guarded
from agentbench.reporting.trackers.tensorboard import start_tensorboard
from agentbench.reporting.trackers.wandb_run import start_wandb

ARTIFACTS = (SUMMARY, "statistics.json", PAGE, "metrics.json", "metrics.jsonl", "card.json")
"""Files of a run's folder that are shown, those of them that it has."""
LONGEST_NAME = 120
_SHOWN = (0, RunFailed.exit_code)
"""Exit codes of runs that came to their end."""


class Tracking:
    """What a run tells its tracker."""

    def __init__(self, tracker: Tracker, trajectories: int, redact: Redact, folder: Path) -> None:
        self._tracker, self._trajectories, self._redact, self._folder = tracker, trajectories, redact, folder
        self._figures: dict[str, float] = {}
        self._watches: list[EpisodeWatch] = []

    def watched(self, rollout: Rollout) -> Rollout:
        """The same run of episodes, its episodes shown as they end."""
        settings = rollout.settings
        total = len(rollout.field.tasks) * settings.samples
        watch = EpisodeWatch(self._tracker, self._trajectories, total, self._redact)
        self._watches.append(watch)
        return rollout._replace(settings=settings._replace(watch=watch))

    def following(self, metrics: Path) -> AbstractContextManager[None]:
        """Shows the lines of a training's metrics while the block runs."""
        return following(metrics, self._tracker)

    def add(self, figures: Mapping[str, float]) -> None:
        """Figures that are known at the end."""
        self._figures.update(figures)

    def add_summary(self, summary: Summary) -> None:
        """The figures of a run of episodes."""
        self.add(final_figures(summary))

    def end(self, exit_code: int) -> None:
        """Sends what is left, and ends the tracked run."""
        for watch in self._watches:
            watch.finish()
        files = [path for name in ARTIFACTS if (path := self._folder / name).is_file()]
        if files:
            self._tracker.files("run", files)
        self._tracker.finish(self._figures, exit_code)


@contextmanager
def tracked(config: RolloutConfig | TrainConfig, folder: Path, report: Report) -> Iterator[Tracking]:
    """Shows a run in the configured tracker while the block runs; an exception's exit code is the shown run's.

    Raises:
        PreflightError: the tracker's package is not installed. Every other failure of a tracker is one line.
    """
    tracking = _tracking(config, folder, report)
    exit_code = AgentbenchError.exit_code
    try:
        yield tracking
        exit_code = 0
    except AgentbenchError as error:
        exit_code = error.exit_code
        raise
    finally:
        if exit_code in _SHOWN and not isinstance(config.tracker, NoTracker):
            _write_page(config.seed, folder, report)
        tracking.end(exit_code)


def _write_page(seed: int, folder: Path, report: Report) -> None:
    """The run's report, for the tracker to show; a run that has nothing to report of goes without."""
    from agentbench.build.reporting import write_report

    try:
        write_report(folder, seed)
    except AgentbenchError as error:
        report(f"warning: the tracker gets no {PAGE} ({error})")


def _tracking(config: RolloutConfig | TrainConfig, folder: Path, report: Report) -> Tracking:
    redact = _redact(config)
    match config.tracker:
        case NoTracker():
            return Tracking(Untracked(), 0, redact, folder)
        case WandbTracker() as chosen:
            _installed(chosen, "wandb")
            key = read_key(chosen.api_key_env).value
            start = partial(start_wandb, chosen, _facts(config, folder, redact), key)
            return Tracking(Guarded("wandb", start, report), chosen.trajectories, redact, folder)
        case TensorboardTracker() as chosen:
            _installed(chosen, "tensorboardX")
            start = partial(start_tensorboard, _facts(config, folder, redact))
            return Tracking(Guarded("tensorboard", start, report), chosen.trajectories, redact, folder)


def _installed(tracker: TrackerConfig, package: str) -> None:
    if find_spec(package) is None:
        problem = f"tracker={tracker.kind} needs the package {package}, which is not installed"
        raise PreflightError(problem, f"pip install 'agentbench[{tracker.kind}]', or tracker=none")


def _facts(config: RolloutConfig | TrainConfig, folder: Path, redact: Redact) -> RunFacts:
    record = read_record(folder) or {}
    sweep = record.get("sweep") or ""
    lineage = {key: record.get(key) for key in ("command", "git", "inputs", "packages", "machine", "started")}
    shown = _shown(orjson.loads(orjson.dumps({"config": config, "lineage": lineage}, default=str)), redact)
    name = redact(f"{folder.name}: {_overrides(folder)}")[:LONGEST_NAME] if sweep else folder.name
    return RunFacts(str(record.get("entry", "")), name, sweep, folder, shown["config"], shown["lineage"])


def _shown(node: Any, redact: Redact) -> Any:
    """The same tree, every text of it redacted."""
    match node:
        case dict():
            return {key: _shown(value, redact) for key, value in node.items()}
        case list():
            return [_shown(value, redact) for value in node]
        case str():
            return redact(node)
        case _:
            return node


def _overrides(folder: Path) -> str:
    path = folder / ".hydra" / "overrides.yaml"
    given: list[Any] = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else []
    return " ".join(str(text).removeprefix("++") for text in given)


def _redact(config: RolloutConfig | TrainConfig) -> Redact:
    """Blots out what secrets the environment and `.env` hold, and whatever looks like a key."""
    known = {**dotenv_values(find_dotenv(usecwd=True)), **os.environ}
    named = [value for key, value in leaves(dataclasses.asdict(config)) if key.endswith("_env")]
    secrets = secret_values(known, named)

    def redact(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "…")
        return redacted(text)

    return redact
