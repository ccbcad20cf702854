"""Weights are known by what is in their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentbench.errors import PreflightError
from agentbench.serving.weights import Weights, adapter_sha256, base_identity, kept_copy, read_adapter


def adapter(folder: Path, weights: bytes = b"some", **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 8, **changes}))
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder


def test_an_adapter_is_named_by_its_content(tmp_path: Path) -> None:
    first = read_adapter(adapter(tmp_path / "first"), 64)
    assert read_adapter(adapter(tmp_path / "second"), 64).name == first.name == f"adapter-{first.sha256[:16]}"
    assert adapter_sha256(adapter(tmp_path / "third", b"other")) != first.sha256
    assert adapter_sha256(adapter(tmp_path / "fourth", lora_alpha=1)) != first.sha256


def test_a_copy_keeps_what_its_folder_loses(tmp_path: Path) -> None:
    given = read_adapter(adapter(tmp_path / "given"), 64)
    copy = kept_copy(given, tmp_path / "shelf")
    adapter(tmp_path / "given", b"trained on")
    assert adapter_sha256(copy) == given.sha256 != adapter_sha256(tmp_path / "given")
    assert kept_copy(given, tmp_path / "shelf") == copy  # needs no second look at the folder
    assert [path.name for path in (tmp_path / "shelf").iterdir()] == [given.sha256]


def test_an_adapter_that_changes_while_it_is_copied_is_refused(tmp_path: Path) -> None:
    given = read_adapter(adapter(tmp_path / "given"), 64)
    adapter(tmp_path / "given", b"trained on")
    with pytest.raises(PreflightError, match="is being written to"):
        kept_copy(given, tmp_path / "shelf")
    assert not list((tmp_path / "shelf").iterdir())


UNFIT = {
    "a rank above the server's": ({"r": 65}, "has rank 65, and the server takes 64 at most"),
    "a higher rank in some layers": ({"rank_pattern": {"q_proj": 128}}, "has rank 128"),
    "DoRA": ({"use_dora": True}, "computes no adapter with use_dora"),
    "whole modules": ({"modules_to_save": ["lm_head"]}, "computes no adapter with modules_to_save"),
    "biases": ({"bias": "all"}, "computes no adapter with bias"),
    "another kind": ({"r": None}, "is not that of a LoRA adapter"),
}


@pytest.mark.parametrize(("changes", "problem"), UNFIT.values(), ids=UNFIT)
def test_an_adapter_that_the_server_cannot_take_is_told(changes: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=problem):
        read_adapter(adapter(tmp_path / "given", **changes), 64)


def test_a_folder_without_an_adapter_is_told(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"no adapter in .*: adapter_config.json is missing"):
        read_adapter(tmp_path, 64)


def test_a_base_is_told_apart_by_a_change_in_its_middle(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(1_000_000))
    before = base_identity(str(tmp_path))
    # 64 samples of 4,096 bytes, one every (1,000,000 - 4,096) / 63 = 15,808 bytes: a change longer than that is seen
    (tmp_path / "model.safetensors").write_bytes(bytes(500_000) + b"\1" * 16_000 + bytes(484_000))
    assert base_identity(str(tmp_path)) != before
    assert before.startswith(f"{tmp_path.name}@") and len(before.split("@")[1]) == 16


def test_an_identity_names_base_and_adapter(tmp_path: Path) -> None:
    given = adapter(tmp_path / "given")
    assert Weights("Qwen/Qwen3-8B").identity == "Qwen/Qwen3-8B"
    assert Weights("Qwen/Qwen3-8B", given).identity == f"Qwen/Qwen3-8B+adapter@{adapter_sha256(given)}"
