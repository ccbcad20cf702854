"""A run on Weights & Biases, or in its offline format in the run's folder.

What wandb would collect by itself (the command's environment, code, git remotes, console output, machine figures) is
switched off: our configuration and lineage say it, and hold no secret.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench.config.tracker import WandbMode, WandbTracker
from agentbench.reporting.trackers import Counted, RunFacts, Table

if TYPE_CHECKING:
    import wandb

START_S = 30
"""Longest wait for W&B's servers when a run starts, in seconds."""


class WandbRun:
    """One W&B run; its files are in `<run folder>/wandb`."""

    def __init__(self, run: wandb.Run) -> None:
        self._run = run
        self._known: set[str] = set()

    def log(self, metrics: Mapping[str, float], step: int, counted: Counted) -> None:
        """Points of curves, each kind over its own count: W&B's single step cannot count both."""
        for name in metrics.keys() - self._known:
            self._run.define_metric(name, step_metric=counted.value)
            self._known.add(name)
        self._run.log({**metrics, counted.value: step})

    def table(self, name: str, table: Table) -> None:
        """An interactive table, at the latest step."""
        import wandb

        self._run.log({name: wandb.Table(columns=list(table.columns), data=[list(row) for row in table.rows])})

    def files(self, name: str, files: Sequence[Path]) -> None:
        """One artifact; offline it names the files where they lie, and `wandb sync` takes them from there."""
        import wandb

        artifact = wandb.Artifact(f"{name}-{self._run.id}", type=name)
        for file in files:
            artifact.add_file(str(file), policy="immutable")
        self._run.log_artifact(artifact)

    def finish(self, summary: Mapping[str, float], exit_code: int) -> None:
        """Final figures; waits until everything is written, or sent."""
        self._run.summary.update(dict(summary))
        self._run.finish(exit_code=exit_code)


def start_wandb(config: WandbTracker, facts: RunFacts, key: str) -> WandbRun:
    """Starts a run.

    Args:
        config: where it is shown.
        facts: what is shown of it.
        key: the user's API key; empty offline.

    Raises:
        Exception: whatever wandb raises, where the key is missing or refused, or its servers do not answer.
    """
    import wandb

    offline = config.mode is WandbMode.OFFLINE
    if not offline and not key:
        raise PermissionError(f"no key in {config.api_key_env}; tracker.mode=offline needs none")
    with contextlib.redirect_stderr(io.StringIO()):  # it says the same again, at length
        run = wandb.init(
            project=config.project,
            entity=config.entity,
            dir=str(facts.folder),
            name=facts.name,
            group=facts.group or None,
            job_type=facts.entry,
            mode="offline" if offline else "online",
            config={**facts.config, "lineage": facts.lineage},
            reinit="create_new",
            settings=_settings("" if offline else key),
        )
    return WandbRun(run)


def _settings(key: str) -> wandb.Settings:
    import wandb

    return wandb.Settings(
        api_key=key or None,
        silent=True,
        console="off",
        init_timeout=START_S,
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )
