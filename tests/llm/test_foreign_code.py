"""Models and adapters with code or pickles are refused before anything opens them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from agentbench.config.model import Dtype
from agentbench.errors import PreflightError
from agentbench.llm.foreign_code import refuse_foreign_adapter, refuse_foreign_code
from agentbench.llm.hf_load import load_hf
from agentbench.training.preflight import model_settings


class Planted:
    """A pickle that writes a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.mark), "w")


def folder(path: Path, **files: object) -> Path:
    path.mkdir()
    for name, content in files.items():
        place = path / name.replace("__", ".")
        place.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_weights_in_a_pickle_are_never_read(tmp_path: Path) -> None:
    mark = tmp_path / "owned"
    model = folder(tmp_path / "m", config__json={"model_type": "llama"}, pytorch_model__bin=pickle.dumps(Planted(mark)))
    with pytest.raises(PreflightError, match=r"model\.path='.*m' holds its weights as a pickle \(pytorch_model\.bin\)"):
        load_hf(str(model), None, Dtype.FLOAT32, "cpu")
    assert not mark.exists()


def test_code_beside_the_weights_is_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "owned"
    model = folder(
        tmp_path / "m",
        config__json={"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}},
        own__py=f"open({str(mark)!r}, 'w')".encode(),
        model__safetensors=b"",
    )
    for load in (
        lambda: load_hf(str(model), None, Dtype.FLOAT32, "cpu"),
        lambda: model_settings(str(model), "model.path"),
    ):
        with pytest.raises(PreflightError, match=r"brings code of its own \(auto_map in config\.json\)"):
            load()
    assert not mark.exists()


def test_a_tokenizer_with_code_is_refused_too(tmp_path: Path) -> None:
    model = folder(
        tmp_path / "m", config__json={}, tokenizer_config__json={"auto_map": {"AutoTokenizer": ["x.Y", None]}}
    )
    with pytest.raises(PreflightError, match=r"auto_map in tokenizer_config\.json"):
        refuse_foreign_code(str(model))


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"adapter_config__json": {}, "adapter_model__bin": b"x"},
            r"holds its weights as a pickle \(adapter_model\.bin",
        ),
        ({"adapter_config__json": {}}, r"adapter_model\.safetensors is missing"),
        ({"adapter_config__json": b"{", "adapter_model__safetensors": b""}, "not JSON"),
        ({"adapter_config__json": [], "adapter_model__safetensors": b""}, "no JSON object"),
        (
            {
                "adapter_config__json": {"megatron_config": {"a": 1}, "megatron_core": "antigravity"},
                "adapter_model__safetensors": b"",
            },
            r"names a module to import \(megatron_config",
        ),
    ],
)
def test_adapters_are_held_to_the_same(tmp_path: Path, files: dict[str, object], problem: str) -> None:
    with pytest.raises(PreflightError, match=problem):
        refuse_foreign_adapter(folder(tmp_path / "a", **files))
