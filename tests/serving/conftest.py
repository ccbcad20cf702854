"""An environment whose vLLM is an imitation, a model folder for it, and who is alive."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentbench.config.serve import VllmServe
from agentbench.serving import vllm
from agentbench.serving.lease import ServerPlan
from agentbench.serving.weights import Weights

IMITATION = Path(__file__).with_name("imitation.py")
Plan = Callable[..., ServerPlan]


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """An interpreter that finds a package named vllm."""
    packages = tmp_path / "packages"
    module = packages / "vllm" / "entrypoints" / "openai"
    module.mkdir(parents=True)
    (module / "api_server.py").write_text(IMITATION.read_text())
    about = packages / "vllm-0.33.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.33.0\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a model's."""
    folder = tmp_path / "some-model"
    folder.mkdir()
    (folder / "config.json").write_text('{"hidden_size": 128, "num_attention_heads": 4}')
    return folder


@pytest.fixture
def plan(tmp_path: Path, interpreter: Path, model: Path) -> Plan:
    """`plan(behaviour)` of a server that behaves so."""

    def make(start_timeout_s: float = 30.0, port: int = 0, **behaviour: Any) -> ServerPlan:
        (model / "behaviour.json").write_text(json.dumps(behaviour))
        serve, weights = VllmServe(python=interpreter), Weights(str(model))
        build = vllm.find_build(interpreter)
        return ServerPlan(
            folder=tmp_path / "servers" / vllm.fingerprint(serve, weights, build),
            name=weights.name,
            host="127.0.0.1",
            port=port,
            command=lambda port: vllm.command(serve, weights, build, port),
            environment=vllm.environment(serve, weights, build),
            start_timeout_s=start_timeout_s,
        )

    return make


@pytest.fixture(autouse=True)
def no_server_is_left(tmp_path: Path) -> Iterator[None]:
    """Every test ends without a process of its folder."""
    yield
    assert gone(tmp_path)


def processes(folder: Path) -> list[int]:
    """Processes whose command line names the folder."""
    return [pid for pid in _all() if str(folder) in _command_line(pid)]


def gone(folder: Path, limit_s: float = 15.0) -> bool:
    """Whether no process of a folder is left, after some time of grace."""
    end = time.monotonic() + limit_s
    while processes(folder) and time.monotonic() < end:
        time.sleep(0.1)
    return not processes(folder)


def _all() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and int(entry) != os.getpid()]


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
