"""One small prepared world, a student that has hardly learnt anything, and a model server on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
import torch

from agentbench.build.runs import gold_rollout
from agentbench.config.agent import ChatAgent
from agentbench.config.entry import TrainConfig
from agentbench.config.env import M3Env
from agentbench.config.model import TinyModel
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.source import TaskCounts
from agentbench.config.stage import SftStage
from agentbench.config.template import TemplateConfig, TemplateKind
from agentbench.episodes.pool import run_async
from agentbench.episodes.store import read_trajectories
from agentbench.training.student import Recipe, train_tiny
from agentbench.worlds.embedded import prepare_embedded

ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    """A finished command."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


def command(entry: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"agentbench.{entry}", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("rollout", "seed=1")` in an empty folder; `timeout_s` of wall time is for a machine that is busy."""

    def start(entry: str, *arguments: str, timeout_s: float = 120) -> Ended:
        line = command(entry, *arguments)
        given = {"cwd": tmp_path, "env": environment(), "timeout": timeout_s}
        done = subprocess.run(line, capture_output=True, text=True, **given)
        return Ended(done.returncode, done.stdout, done.stderr)

    return start


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films, with 200 held-out tasks."""
    counts = TaskCounts(train=60, validation=4, test=200)
    return prepare_embedded("films", 0, counts, tmp_path_factory.mktemp("cache"), lambda line: None).folder


@pytest.fixture(scope="session")
def student(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two passes over 60 gold trajectories by the code that makes the real one: it writes mostly nonsense."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("student")
    config = TrainConfig(
        stage=SftStage(epochs=2, batch_size=8),
        model=TinyModel(hidden_size=32, heads=2, vocab_size=600),
        template=TemplateConfig(kind=TemplateKind.TINY),
        agent=ChatAgent(),
        env=M3Env(worlds=(str(world),)),
        retriever=Bm25Retriever(),
        rewards=RewardsConfig(),
        cache_dir=folder,
    )
    run_async(gold_rollout(config, lambda line: None).play(folder / "gold"))
    gold = list(read_trajectories(folder / "gold" / "trajectories.jsonl"))
    model, stage = config.model, config.stage
    assert isinstance(model, TinyModel) and isinstance(stage, SftStage)
    train_tiny(model, gold, Recipe(stage, 0, folder / "model"), lambda what, step, last, figure: None)
    return folder / "model"


class _Refuses(BaseHTTPRequestHandler):
    """A chat model that answers everything with a refusal, in its own time."""

    delay_s = 0.02

    def do_GET(self) -> None:
        self._answer({"data": [{"id": "slow"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.delay_s)
        message = {"role": "assistant", "content": "I cannot answer this."}
        self._answer({"choices": [{"message": message, "finish_reason": "stop"}], "usage": {}})

    def _answer(self, value: object) -> None:
        body = orjson.dumps(value)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Address of a slow model server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refuses) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/v1"
        serving.shutdown()
        thread.join()
