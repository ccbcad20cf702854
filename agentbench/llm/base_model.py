"""Which weights an adapter was trained beside. Names do not tell: folders are copied, and models are called alike."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson

from agentbench.app.writing import write_json

BASE = "base_model.json"
"""In an adapter's folder: name and fingerprint of its base model."""

_SAMPLES = 64
_SAMPLE_BYTES = 4096


def weights_fingerprint(model: Path) -> str:
    """16 hex digits of a folder's weights; empty where there are none, as for a name on the hub.

    Every file's header and 64 stretches of 4 KiB, evenly spread: a training changes all weights, and reading all of
    them would take minutes. Another number format is other weights.
    """
    digest = hashlib.sha256()
    files = sorted(model.glob("*.safetensors")) if model.is_dir() else []
    for path in files:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
            digest.update(file.read(header))
            for number in range(_SAMPLES):
                file.seek(8 + header + (size - 8 - header) * number // _SAMPLES)
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:16] if files else ""


def note_base(adapter: Path, model: str) -> None:
    """Writes into an adapter's folder which weights it belongs to."""
    content = {"path": model, "weights": weights_fingerprint(Path(model))}
    write_json(adapter / BASE, content)


def trained_on_others(adapter: Path, model: str) -> bool:
    """Whether an adapter's folder names other weights than the model's; unknown on either side says no."""
    if not (adapter / BASE).is_file():
        return False
    noted = orjson.loads((adapter / BASE).read_bytes())["weights"]
    found = weights_fingerprint(Path(model))
    return bool(noted and found and noted != found)
