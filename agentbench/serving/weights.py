"""A model's weights by their content: what a folder holds today is what is served, named and recorded.

A server keeps an adapter by name and path, and reads the path again when it has put the adapter out of memory; a
training may have written other weights there meanwhile. And what it has computed of a prompt's beginning stays when an
adapter is replaced under its name. So each content is copied once, and has a name of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import orjson

from agentbench.errors import PreflightError

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_SAMPLES, _SAMPLE_BYTES = 64, 4096


class Weights(NamedTuple):
    """A base model as it lies on the disk or is named on the hub, and the adapter that goes with it."""

    path: str
    adapter: Path | None = None
    tiny: bool = False
    """So small that more than one thread slows it down."""
    quantization: str = ""
    """How the base is quantized in this process; empty where it is not."""

    @property
    def name(self) -> str:
        """What the base is called on a server."""
        return Path(self.path).name

    @property
    def identity(self) -> str:
        """What stands in each trajectory: the base with a hash, and the adapter with the hash of its content.

        Raises:
            PreflightError: the adapter is not there.
        """
        base = base_identity(self.path) + (f"+{self.quantization}" if self.quantization else "")
        return f"{base}+adapter@{adapter_sha256(self.adapter)}" if self.adapter else base


def base_identity(path: str) -> str:
    """A base model's name with a hash of its files; the name alone where it is on the hub.

    Of weights, evenly spaced samples are read: a model that was trained, merged or quantized differs in most of them,
    and reading gigabytes before every run would cost more than it tells.
    """
    folder = Path(path)
    if not folder.is_dir():
        return path
    digest = hashlib.sha256()
    for file in sorted([folder / "config.json", *folder.glob("*.safetensors")]):
        if file.is_file():
            digest.update(file.name.encode())
            _add_samples(digest, file)
    return f"{folder.name}@{digest.hexdigest()[:16]}"


def _add_samples(digest: hashlib._Hash, file: Path) -> None:
    size = file.stat().st_size
    digest.update(size.to_bytes(8, "big"))
    with file.open("rb") as content:
        for number in range(_SAMPLES):
            content.seek(max(0, size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
            digest.update(content.read(_SAMPLE_BYTES))


class Adapter(NamedTuple):
    """A LoRA adapter's folder and content."""

    folder: Path
    sha256: str
    """Of its weights and its configuration."""

    @property
    def name(self) -> str:
        """What it is called on a server."""
        return f"adapter-{self.sha256[:16]}"


def read_adapter(folder: Path, most_rank: int) -> Adapter:
    """The adapter in a folder, once it is clear that a server can take it.

    Raises:
        PreflightError: it is not there, of too high a rank, or of a kind that vLLM does not compute.
    """
    adapter = Adapter(folder, adapter_sha256(folder))
    try:
        config = orjson.loads((folder / _CONFIG).read_bytes())
        rank = max(map(int, [config["r"], *(config.get("rank_pattern") or {}).values()]))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise PreflightError(f"adapter {str(folder)!r}: {_CONFIG} is not that of a LoRA adapter: {error}") from error
    if most_rank == 0:
        raise PreflightError("serve.max_adapters=0: the server takes no adapter", "set serve.max_adapters=4")
    if rank > most_rank:
        problem = f"adapter {str(folder)!r} has rank {rank}, and the server takes {most_rank} at most"
        raise PreflightError(problem, f"set serve.max_adapter_rank={rank}")
    unfit = [name for name in ("use_dora", "modules_to_save", "lora_bias") if config.get(name)]
    unfit += ["bias"] if config.get("bias", "none") != "none" else []
    if unfit:
        problem = f"adapter {str(folder)!r}: vLLM computes no adapter with {', '.join(unfit)}"
        raise PreflightError(problem, "train with export=merged and serve the model, or use serve=none")
    return adapter


def adapter_sha256(folder: Path) -> str:
    """The hash of an adapter's content.

    Raises:
        PreflightError: it is not there.
    """
    digest = hashlib.sha256()
    for name in (_CONFIG, _WEIGHTS):
        try:
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except FileNotFoundError as error:
            raise PreflightError(
                f"no adapter in {str(folder)!r}: {name} is missing", "correct model.adapter"
            ) from error
    return digest.hexdigest()


def kept_copy(adapter: Adapter, shelf: Path) -> Path:
    """A copy that nobody writes to, made unless there is one.

    Raises:
        PreflightError: the adapter was changed at the same moment.
    """
    target = (shelf / adapter.sha256).absolute()
    if target.is_dir():
        return target
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.mkdir(parents=True, exist_ok=True)
    for name in (_CONFIG, _WEIGHTS):
        shutil.copyfile(adapter.folder / name, draft / name)
    if adapter_sha256(draft) != adapter.sha256:
        shutil.rmtree(draft)
        raise PreflightError(f"adapter {str(adapter.folder)!r} is being written to", "wait for its training to end")
    try:
        draft.rename(target)
    except OSError:  # another run was quicker with the same content
        shutil.rmtree(draft)
    return target
