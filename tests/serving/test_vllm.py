"""What is known of a vLLM server before it starts."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from agentbench.config.serve import ServeDtype, VllmServe
from agentbench.errors import PreflightError
from agentbench.serving.vllm import Build, check_weights, command, environment, find_build, fingerprint
from agentbench.serving.weights import Weights

GPU = Build(Path("/venv/bin/python"), "0.33.0", cpu=False)
CPU = Build(Path("/venv/bin/python"), "0.32.0", cpu=True)


def after(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_an_environment_s_vllm_is_found(interpreter: Path) -> None:
    assert find_build(interpreter) == Build(interpreter, "0.33.0", cpu=False)


def test_an_environment_without_vllm_is_told_what_to_make() -> None:
    with pytest.raises(PreflightError, match=r"^no vLLM in the environment of ") as caught:
        find_build(Path(sys.executable))
    assert "make vllm-cpu" in caught.value.next_step and "serve.python=" in caught.value.next_step


@pytest.mark.parametrize(
    ("python", "why"), [("/no/such/python", "No such file"), ("/bin/false", "no Python interpreter")]
)
def test_what_is_no_interpreter_is_told(python: str, why: str) -> None:
    with pytest.raises(PreflightError, match=f"^serve.python='{python}': .*{why}"):
        find_build(Path(python))


def test_settings_become_arguments() -> None:
    serve = VllmServe(
        tensor_parallel=2, data_parallel=4, max_length=8192, memory_share=0.5, quantization="fp8", prefix_caching=False
    )
    words = command(serve, Weights("some/Model-1B"), GPU, 8000)
    assert words[:3] == ["/venv/bin/python", "-m", "vllm.entrypoints.openai.api_server"]
    told = {
        "--model": "some/Model-1B",
        "--served-model-name": "Model-1B",
        "--port": "8000",
        "--dtype": "auto",
        "--tensor-parallel-size": "2",
        "--data-parallel-size": "4",
        "--max-model-len": "8192",
        "--gpu-memory-utilization": "0.5",
        "--quantization": "fp8",
        "--generation-config": "vllm",
        "--logprobs-mode": "raw_logprobs",
    }
    assert {flag: after(words, flag) for flag in told} == told
    assert "--no-enable-prefix-caching" in words and "--enable-prompt-tokens-details" in words


@pytest.mark.parametrize(("wanted", "told"), [(1, "1"), (9, "16"), (64, "64"), (257, "320")])
def test_a_rank_becomes_the_next_one_that_vllm_knows(wanted: int, told: str) -> None:
    assert after(command(VllmServe(max_adapter_rank=wanted), Weights("m"), GPU, 1), "--max-lora-rank") == told


def test_a_server_without_adapters_is_told_nothing_of_them() -> None:
    assert not any("lora" in word for word in command(VllmServe(max_adapters=0), Weights("m"), GPU, 1))


def test_arguments_of_the_user_come_last_and_so_win() -> None:
    assert command(VllmServe(arguments=("--dtype=half",)), Weights("m"), GPU, 1)[-1] == "--dtype=half"


def test_a_cpu_build_computes_in_float32_with_the_memory_it_is_given() -> None:
    serve = VllmServe(cpu_cache_gib=3)
    words, variables = command(serve, Weights("m"), CPU, 1), environment(serve, Weights("m"), CPU)
    assert after(words, "--dtype") == "float32" and "--gpu-memory-utilization" not in words
    assert variables["VLLM_CPU_KVCACHE_SPACE"] == "3" and "VLLM_CPU_OMP_THREADS_BIND" not in variables
    assert environment(serve, Weights("m", tiny=True), CPU)["OMP_NUM_THREADS"] == "1"


def test_a_key_is_passed_on_in_the_environment_alone() -> None:
    assert environment(VllmServe(), Weights("m"), GPU, "secret")["VLLM_API_KEY"] == "secret"
    assert "secret" not in str(command(VllmServe(), Weights("m"), GPU, 1))


def test_a_head_that_a_cpu_build_has_no_kernel_for_is_told_before_the_start(model: Path) -> None:
    (model / "config.json").write_text('{"hidden_size": 64, "num_attention_heads": 4}')  # 64 / 4 = 16
    with pytest.raises(PreflightError, match="computes no model with head_dim 16, "):
        check_weights(Weights(str(model)), CPU)
    check_weights(Weights(str(model)), GPU)


@pytest.mark.parametrize(
    ("path", "why"), [("./missing", "there is no such folder"), ("{}", "config.json is missing"), ("a/b/c", "no such")]
)
def test_a_folder_without_a_model_is_told(path: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=why):
        check_weights(Weights(path.format(tmp_path)), GPU)


def test_a_name_on_the_hub_is_left_to_vllm() -> None:
    check_weights(Weights("Qwen/Qwen3-8B"), CPU)


SAME = {"start_timeout_s": 1.0, "port": 8000, "host": "0.0.0.0", "parity": False}
OTHER = {"tensor_parallel": 2, "dtype": ServeDtype.BFLOAT16, "max_length": 10, "threads": 3, "arguments": ("--x",)}


@pytest.mark.parametrize(("change", "same"), [*((key, True) for key in SAME), *((key, False) for key in OTHER)])
def test_servers_are_the_same_where_they_compute_the_same(change: str, same: bool, model: Path) -> None:
    values: dict[str, Any] = {**SAME, **OTHER}
    usual, changed = VllmServe(), dataclasses.replace(VllmServe(), **{change: values[change]})
    weights = Weights(str(model))
    assert (fingerprint(usual, weights, GPU) == fingerprint(changed, weights, GPU)) is same


def test_an_adapter_asks_for_no_other_server_and_new_weights_do(model: Path) -> None:
    weights = Weights(str(model))
    before = fingerprint(VllmServe(), weights, GPU)
    assert fingerprint(VllmServe(), weights._replace(adapter=Path("some")), GPU) == before
    (model / "model.safetensors").write_bytes(b"other")
    assert fingerprint(VllmServe(), weights, GPU) != before
