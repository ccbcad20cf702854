"""What the training of a run's model cost, from the run folders that its weights lie in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

from agentbench.app.artefacts import run_of
from agentbench.app.record import read_record
from agentbench.config.model import HfModel, ModelConfig, OpenAIModel, TinyModel
from agentbench.reporting.run_folder import Run
from agentbench.types import record

_METRICS = "metrics.json"


@record
class Training:
    """The trainings that one model went through, the first one first."""

    stages: tuple[str, ...]
    """`sft`, `dpo` …"""
    folders: tuple[str, ...]
    seconds: float | None
    """Wall time of all of them: of the training steps, or of the whole run where those were not timed alone; `None`
    where one does not tell."""
    peak_ram_bytes: int | None
    """The largest of them."""
    peak_cuda_bytes: int | None


def training_of(run: Run) -> Training | None:
    """The trainings behind a run's model; `None` where its weights lie in no training's folder, as a server's do."""
    folders = list(_trainings(_weights(run.config.model)))[::-1]
    if not folders:
        return None
    records = [read_record(folder) or {} for folder in folders]
    told = [_seconds(folder, record) for folder, record in zip(folders, records, strict=True)]
    seconds = [each for each in told if each is not None]
    peaks = [record.get("peak_memory_bytes", {}) for record in records]
    return Training(
        stages=tuple(str(_saved(folder)["stage"]["kind"]) for folder in folders),
        folders=tuple(str(folder) for folder in folders),
        seconds=sum(seconds) if len(seconds) == len(folders) else None,
        peak_ram_bytes=max((peak["ram"] for peak in peaks if "ram" in peak), default=None),
        peak_cuda_bytes=max((peak["cuda"] for peak in peaks if "cuda" in peak), default=None),
    )


def _seconds(folder: Path, record: Mapping[str, Any]) -> float | None:
    told = _json(folder / _METRICS)
    return told["seconds"] if "seconds" in told else record.get("wall_seconds")


def _weights(model: ModelConfig) -> Path | None:
    match model:
        case HfModel(adapter=adapter, path=path):
            return adapter or Path(path)
        case TinyModel(path=path):
            return path
        case OpenAIModel():
            return None


def _trainings(weights: Path | None) -> Iterator[Path]:
    """Folders of the training that wrote the weights, of the one that wrote those it began with, and so on."""
    seen: set[Path] = set()
    while weights is not None:
        folder = run_of(weights)
        record = read_record(folder) if folder else None
        if folder is None or record is None or record["entry"] != "train" or folder in seen:
            return
        seen.add(folder)
        yield folder
        model = _saved(folder)["model"]
        before = model.get("adapter") or model.get("path")
        weights = Path(before) if before else None


def _saved(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / ".hydra" / "config.yaml").read_text(encoding="utf-8"))


def _json(path: Path) -> dict[str, Any]:
    return orjson.loads(path.read_bytes()) if path.is_file() else {}
