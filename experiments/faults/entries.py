"""The rows of the matrix: each entry point in the smallest run that still finishes something piece by piece."""

from __future__ import annotations

import tempfile
from pathlib import Path

import orjson

from agentbench.app.record import read_record
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.tasks.files import read_tasks
from agentbench.training_data.rows import read_rows
from agentbench.worlds.manifest import whole_world
from experiments.faults.bench import Counts, Entry
from experiments.faults.kitchen import TASKS, Kitchen
from experiments.faults.model_server import NAME

_TRAINING = ("model=tiny", "trainer.checkpoint_every=1", "cache_dir=out/cache", "stage.batch_size=4")
CLIENT = ("model.timeout_s=10", "model.max_retries=1", "model.down_timeout_s=1", "concurrency=2")


def _world(kitchen: Kitchen) -> str:
    return f"env.worlds=['{kitchen.world}']"


def _asked(kitchen: Kitchen, url: str) -> tuple[str, ...]:
    model = ("model=openai", f"model.base_url={url}", f"model.name={NAME}")
    return (*model, *CLIENT, _world(kitchen), "tasks.limit=12", "cache_dir=out/cache")


def _prepare(kitchen: Kitchen, url: str) -> tuple[str, ...]:
    return (*TASKS, "cache_dir=out/cache")


def _build(kitchen: Kitchen, url: str) -> tuple[str, ...]:
    return (f"trajectories=['{kitchen.mixed}']", f"tokenizer='{kitchen.student}'")


def _sft(kitchen: Kitchen, url: str) -> tuple[str, ...]:
    return ("stage=sft", *_TRAINING, f"model.path='{kitchen.student}'", f"rows=['{kitchen.examples}']", "tree=false")


def _dpo(kitchen: Kitchen, url: str) -> tuple[str, ...]:
    return ("stage=dpo", "lora=lora", *_TRAINING, f"model.path='{kitchen.student}'", f"rows=['{kitchen.pairs}']")


def _grpo(kitchen: Kitchen, url: str) -> tuple[str, ...]:
    played = ("stage.steps=3", "stage.tasks_per_step=4", "stage.group_size=2", "stage.drop_equal_groups=false")
    model = (f"model.path='{kitchen.student}'", "model.max_tokens=8", "env.horizon=2", _world(kitchen))
    return ("stage=grpo", *_TRAINING[:-1], *played, *model)


def _serve(kitchen: Kitchen, url: str) -> tuple[str, ...]:
    return (_world(kitchen), "serve.port=0", "cache_dir=out/cache")


def _report(kitchen: Kitchen, url: str) -> tuple[str, ...]:
    return (f"run='{kitchen.evaluated}'",)


def _doctor(kitchen: Kitchen, url: str) -> tuple[str, ...]:
    return (_world(kitchen), "tasks.limit=12", "cache_dir=out/cache")


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def _worlds(folder: Path) -> list[Path]:
    return [place for place in (folder.parent / "cache" / "worlds").glob("films-*") if whole_world(place)]


def _world_counts(folder: Path) -> Counts:
    (world,) = _worlds(folder)
    return {str(file.relative_to(world)): len(read_tasks(file)) for file in sorted((world / "tasks").rglob("*.jsonl"))}


def _episodes(folder: Path) -> frozenset[str]:
    """Those that a file holds, less a torn last line: what a killed process leaves."""
    path = folder / TRAJECTORIES
    whole = path.read_bytes().rpartition(b"\n")[0] if path.is_file() else b""
    if not whole:
        return frozenset()
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place, TRAJECTORIES)
        copy.write_bytes(whole + b"\n")
        return frozenset(f"{one.task.id}/{one.sample}" for one in read_trajectories(copy) if not one.error)


def _played(folder: Path) -> Counts:
    summary = orjson.loads((folder / "summary.json").read_bytes())
    ended = sorted((one.task.id, str(one.end)) for one in read_trajectories(folder / TRAJECTORIES))
    return {"n": summary["n"], "success": summary["success"]["count"], "errors": summary["errors"], "episodes": ended}


def _evaluated(folder: Path) -> Counts:
    return {**_played(folder), "statistics": (folder / "statistics.json").is_file()}


def _rows(folder: Path) -> frozenset[str]:
    """Rows count once their card is there."""
    path = folder / "rows.jsonl"
    return frozenset(row.id for row in read_rows(path)) if (folder / "card.json").is_file() else frozenset()


def _checkpoints(folder: Path) -> frozenset[str]:
    """Whole checkpoints, of which a training keeps the last ones: the furthest one says what is finished."""
    steps = [int(path.parent.name.rpartition("-")[2]) for path in (folder / "trainer").glob("checkpoint-*/complete")]
    return frozenset(f"step {step}" for step in range(1, max(steps, default=0) + 1))


def _trained(folder: Path) -> Counts:
    from safetensors import safe_open

    lines = [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
    (weights,) = [path for name in ("adapter", "model") for path in (folder / name).glob("*.safetensors")]
    with safe_open(str(weights), "np") as file:  # type: ignore[no-untyped-call]
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    figures = orjson.loads((folder / "metrics.json").read_bytes())
    rollouts = folder / "rollouts" / TRAJECTORIES
    episodes = (
        sorted((one.task.id, one.sample, one.seed) for one in read_trajectories(rollouts)) if rollouts.is_file() else []
    )
    logged = [line["step"] for line in lines]
    return {"steps": figures["steps"], "rows": figures["rows"], "log": logged, "weights": shapes, "episodes": episodes}


def _ended_well(folder: Path) -> Counts:
    return {"exit_code": (read_record(folder) or {}).get("exit_code")}


def _reported(folder: Path) -> Counts:
    figures = orjson.loads((folder / "statistics.json").read_bytes())
    return {**_ended_well(folder), "figures": sorted(figures), "page": (folder / "report.html").stat().st_size > 10_000}


def _nothing(folder: Path) -> frozenset[str]:
    return frozenset()


def _begun(folder: Path) -> bool:
    return (folder / ".hydra" / "config.yaml").is_file()


def _some_episodes(folder: Path) -> bool:
    return _lines(folder / TRAJECTORIES) >= 4


def _some_checkpoint(folder: Path) -> bool:
    return bool(_checkpoints(folder))


ROWS = (
    Entry(
        "prepare",
        "prepare",
        _prepare,
        _world_counts,
        lambda folder: frozenset(place.name for place in _worlds(folder)),
        lambda folder: bool(list((folder.parent / "cache" / "worlds").glob(".films-*"))),
    ),
    Entry("rollout", "rollout", _asked, _played, _episodes, _some_episodes, resumes=True, served=True),
    Entry("build_prefs", "build_prefs", _build, lambda folder: {"rows": len(_rows(folder))}, _rows, _begun),
    Entry("train sft", "train", _sft, _trained, _checkpoints, _some_checkpoint, resumes=True, dear=True),
    Entry("train dpo", "train", _dpo, _trained, _checkpoints, _some_checkpoint, resumes=True, dear=True),
    Entry("train grpo", "train", _grpo, _trained, _checkpoints, _some_checkpoint, resumes=True, dear=True),
    Entry("eval", "eval", _asked, _evaluated, _episodes, _some_episodes, resumes=True, served=True),
    Entry("serve", "serve", _serve, _ended_well, _nothing, _begun, endless=True),
    Entry("report", "report", _report, _reported, _nothing, _begun),
    Entry("doctor", "doctor", _doctor, _ended_well, _nothing, _begun),
)
