"""The README.md beside trained weights: what they are, what they were trained on, how they are used."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentbench.config.lora import NoLora
from agentbench.training.job import ADAPTER, Trained, TrainJob

_PACKAGES = ("agentbench", "torch", "transformers", "trl", "peft", "accelerate", "datasets")


def write_card(job: TrainJob, trained: Trained, folder: Path) -> None:
    """Writes the card of a folder of weights, in place of what libraries put there."""
    (folder / "README.md").write_text("\n".join(_lines(job, trained, folder)) + "\n", encoding="utf-8")


def _lines(job: TrainJob, trained: Trained, folder: Path) -> Iterator[str]:
    adapter = folder.name == ADAPTER
    base = job.model.path
    yield from ("---", f"base_model: {base!r}", f"library_name: {'peft' if adapter else 'transformers'}")
    yield from ("pipeline_tag: text-generation", f"tags: [agentbench, trl, {trained.stage}]", "---", "")
    yield from (f"# {Path(base).name}, {trained.stage}", "")
    yield f"{'A LoRA adapter for' if adapter else 'Weights trained from'} `{base}`, made by `agentbench.train`."
    yield from ("", "## Use", "")
    flags = f"model.path={base} model.adapter=<this folder>" if adapter else "model.path=<this folder>"
    template = job.config.template.kind
    yield f"    python -m agentbench.rollout model=hf {flags} template={template}"
    yield from ("", f"Prompts are those of template `{template}`; another one is another model.", "", "## Training", "")
    yield from _table(dataclasses.asdict(job.config.stage))
    yield from _table({f"lora.{key}": value for key, value in job.adapter_keys.items()}, head=False)
    started = {"model.adapter": job.model.adapter, "trainer.precision": job.config.trainer.precision}
    yield from _table({**started, "launcher": _launcher(job), "seed": job.config.seed}, head=False)
    yield from ("", "## Data", "")
    yield f"{trained.rows:,} rows, {trained.left_out:,} left out. {trained.own_share:.1%} of their tokens, all the"
    yield f"agent's own, carry the loss; without masks it would be {trained.stock_share:.1%}."
    yield from ("", "| file | sha256 |", "|---|---|")
    files = (*job.config.rows, *job.config.validation_rows, *job.config.trajectories)
    yield from (f"| {path.name} | {_sha256(path)} |" for path in files if path.is_file())
    yield from ("", "## Figures", "")
    yield from _table(_figures(job, trained))
    yield from ("", "## Made with", "")
    yield from (f"- {name} {importlib.metadata.version(name)}" for name in _PACKAGES)


def _launcher(job: TrainJob) -> str:
    return job.config.launcher.kind if job.processes == 1 else f"{job.config.launcher.kind}, {job.processes} processes"


def _figures(job: TrainJob, trained: Trained) -> dict[str, Any]:
    share = "all" if isinstance(job.config.lora, NoLora) else f"{trained.trained_parameters:,}"
    validation = {f"validation {name}": f"{value:.4f}" for name, value in trained.validation.items()}
    return {
        "steps": trained.steps,
        "loss, first and last": f"{trained.first_loss:.4f}, {trained.loss:.4f}",
        **validation,
        "parameters": f"{trained.parameters:,}",
        "of which trained": share,
    }


def _table(values: dict[str, Any], head: bool = True) -> Iterator[str]:
    if head:
        yield from ("| | |", "|---|---|")
    yield from (f"| {key} | {_shown(value)} |" for key, value in values.items() if value is not None and value != ())


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
