"""What cannot be trained is told in one line, before any weights are read."""

from __future__ import annotations

import dataclasses
import shutil
from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest
import torch
from peft import LoraConfig as PeftLora
from peft import get_peft_model

from agentbench.build import training
from agentbench.config.entry import TrainConfig
from agentbench.config.launcher import DeepspeedZero2Launcher, FsdpLauncher
from agentbench.config.lora import Lora, Qlora
from agentbench.config.model import Dtype, HfModel
from agentbench.config.stage import DpoStage, RefModel
from agentbench.config.trainer import Attention, Precision, TrainerConfig
from agentbench.errors import PreflightError
from agentbench.llm.base_model import note_base
from agentbench.llm.hf_load import load_hf
from tests.training.conftest import make_model, preference, supervised, write_rows


@pytest.fixture
def weightless(base: Path, tmp_path: Path) -> Path:
    """The model without its weights: whatever is refused is refused before they are read."""
    folder = tmp_path / "base"
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


@pytest.fixture
def config(train_config: TrainConfig, weightless: Path, tmp_path: Path, fingerprint: str) -> TrainConfig:
    rows = write_rows(tmp_path / "rows.jsonl", [preference(0, fingerprint)])
    return dataclasses.replace(train_config, stage=DpoStage(), rows=(rows,), model=HfModel(path=str(weightless)))


def refusal(config: TrainConfig, folder: Path) -> str:
    """The line that a training is refused with; it comes with advice."""
    with pytest.raises(PreflightError) as refused:
        training.train_given(config, [], folder, lambda line: None)
    assert refused.value.next_step and "\n" not in str(refused.value)
    return str(refused.value).replace(f"{folder}/", "")


def test_without_any_of_these_faults_it_is_the_missing_weights_that_stop_it(
    config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(PreflightError, match=r"no model .*model\.safetensors"):
        training.train_given(config, [], tmp_path, lambda line: None)


def test_empty_rows(config: TrainConfig, tmp_path: Path) -> None:
    config.rows[0].write_bytes(b"")
    assert refusal(config, tmp_path) == "rows.jsonl: holds no rows"


def test_rows_of_another_tokenizer(config: TrainConfig, tmp_path: Path, fingerprint: str) -> None:
    write_rows(config.rows[0], [preference(0, "0123456789abcdef")])
    assert f"tokenizer 0123456789abcdef, the model's is {fingerprint}" in refusal(config, tmp_path)


def test_rows_of_another_kind(config: TrainConfig, tmp_path: Path, fingerprint: str) -> None:
    write_rows(config.rows[0], [supervised(0, fingerprint)])
    assert refusal(config, tmp_path) == "rows.jsonl, line 1: stage=dpo cannot be trained on sft/1 rows"


def test_rows_that_are_all_too_long(config: TrainConfig, tmp_path: Path, fingerprint: str) -> None:
    write_rows(config.rows[0], [dataclasses.replace(preference(0, fingerprint), prompt_ids=tuple(range(20, 40)))])
    # 20 tokens of prompt and the rejected side's 8 are more than 27.
    said = refusal(dataclasses.replace(config, stage=DpoStage(max_length=27)), tmp_path)
    assert said == "rows: none can be trained on: 1 too long"


def test_rows_longer_than_the_context(config: TrainConfig, tmp_path: Path, fingerprint: str) -> None:
    row = dataclasses.replace(preference(0, fingerprint), prompt_ids=tuple(range(20, 145)))
    write_rows(config.rows[0], [row])
    # 125 tokens of prompt and the rejected side's 8; `make_model` gives 128 positions.
    assert refusal(config, tmp_path) == "rows.jsonl, line 1: 133 tokens, and the model's context has 128"


@pytest.mark.parametrize("trained_on", ["other", None])
def test_an_adapter_of_another_model_or_none(
    config: TrainConfig, tmp_path: Path, trained_on: str | None, weightless: Path
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    said = f"no adapter in {str(adapter)!r}: adapter_config.json is missing"
    if trained_on:
        (adapter / "adapter_config.json").write_bytes(
            orjson.dumps({"base_model_name_or_path": f"/models/{trained_on}"})
        )
        (adapter / "adapter_model.safetensors").touch()
        said = f"adapter {str(adapter)!r} was trained on '/models/other', not on {str(weightless)!r}"
    model = HfModel(path=str(weightless), adapter=adapter)
    assert refusal(dataclasses.replace(config, model=model), tmp_path) == said.replace(f"{tmp_path}/", "")


def an_adapter(folder: Path, base: Path, rank: int = 2) -> Path:
    """A fresh LoRA adapter on disk, as it comes from PEFT."""
    get_peft_model(
        load_hf(str(base), None, Dtype.FLOAT32, "cpu"), PeftLora(r=rank, target_modules=["q_proj"])
    ).save_pretrained(str(folder))
    return folder


def test_an_adapter_of_other_weights_under_the_same_name(config: TrainConfig, base: Path, tmp_path: Path) -> None:
    # Same architecture, same folder name, another seed: only the weights tell.
    other = make_model(tmp_path / "elsewhere" / base.name, seed=4)
    adapter = an_adapter(tmp_path / "adapter", other)
    note_base(adapter, str(other))
    both = dataclasses.replace(config, model=HfModel(path=str(base), adapter=adapter))
    assert refusal(both, tmp_path).startswith("adapter 'adapter' was trained on other weights than those in ")
    note_base(adapter, str(base))
    said = dataclasses.replace(config, stage=DpoStage(max_length=16), model=HfModel(path=str(base), adapter=adapter))
    training.train_given(said, [], tmp_path, lambda line: None)


def test_an_adapter_of_another_shape(config: TrainConfig, base: Path, weightless: Path, tmp_path: Path) -> None:
    adapter = an_adapter(tmp_path / "adapter", base)
    settings = orjson.loads((weightless / "config.json").read_bytes())
    (weightless / "config.json").write_bytes(orjson.dumps({**settings, "hidden_size": 64}))
    said = refusal(dataclasses.replace(config, model=HfModel(path=str(weightless), adapter=adapter)), tmp_path)
    # `SMALL` has a width of 32, and so has the adapter of rank 2; the model's layers now take 64.
    assert "layers.0.self_attn.q_proj.lora_A.weight is 2 × 32, and the model's layer " in said
    assert said.endswith(" × 64")


def test_a_target_that_no_layer_is_called(config: TrainConfig, tmp_path: Path) -> None:
    said = refusal(dataclasses.replace(config, lora=Lora(targets=("q_proj", "query"))), tmp_path)
    assert said.startswith("lora.targets: no layer of ") and said.endswith("is called 'query'")


def test_validation_on_a_task_that_is_trained_on(config: TrainConfig, tmp_path: Path, fingerprint: str) -> None:
    held_out = write_rows(tmp_path / "held_out.jsonl", [preference(1, fingerprint), preference(0, fingerprint)])
    said = refusal(dataclasses.replace(config, validation_rows=(held_out,)), tmp_path)
    assert said == "held_out.jsonl, line 2: validation on the task 'task-0', which is trained on"


def test_a_model_that_is_not_there(config: TrainConfig, tmp_path: Path) -> None:
    nowhere = HfModel(path=str(tmp_path / "nowhere"))
    said = refusal(dataclasses.replace(config, model=nowhere), tmp_path)
    assert (
        said
        == f"no model {str(tmp_path / 'nowhere')!r}: it is no folder here, and the hub does not give it".replace(
            f"{tmp_path}/", ""
        )
    )


def test_a_reference_that_cannot_move_towards_the_model(config: TrainConfig, base: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(base, other, ignore=shutil.ignore_patterns("*.safetensors"))
    settings = orjson.loads((other / "config.json").read_bytes())
    (other / "config.json").write_bytes(orjson.dumps({**settings, "intermediate_size": 96}))
    stage = DpoStage(ref_model=RefModel.PATH, ref_path=str(other), sync_ref_every=1)
    assert "its layers are not the model's" in refusal(dataclasses.replace(config, stage=stage), tmp_path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (" Who directed Heat, and in which year? 1995", "its vocabulary has 298 tokens, the model's 285"),
        (" Woh directed Heat? 1995", "its tokenizer is not the model's"),
    ],
)
def test_a_reference_that_reads_other_tokens(config: TrainConfig, tmp_path: Path, text: str, fault: str) -> None:
    other = make_model(tmp_path / "other", text=text)
    stage = DpoStage(ref_model=RefModel.PATH, ref_path=str(other))
    said = refusal(dataclasses.replace(config, stage=stage), tmp_path)
    assert said == f"stage.ref_path='other': {fault}"


NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@NO_GPU
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"launcher": FsdpLauncher(), "trainer": TrainerConfig(precision=Precision.BFLOAT16)},
            "trainer.precision=bfloat16: without a GPU launcher=fsdp computes in float32",
        ),
        ({"trainer": TrainerConfig(liger=True)}, "trainer.liger=true: needs a GPU, and there is none"),
        (
            {"trainer": TrainerConfig(attention=Attention.FLASH_ATTENTION_2)},
            "trainer.attention=flash_attention_2: needs a GPU, and there is none",
        ),
    ],
)
def test_what_needs_a_gpu(config: TrainConfig, tmp_path: Path, changes: dict[str, object], said: str) -> None:
    assert refusal(dataclasses.replace(config, **changes), tmp_path) == said


@pytest.mark.parametrize(
    ("package", "changes"), [("bitsandbytes", {"lora": Qlora()}), ("deepspeed", {"launcher": DeepspeedZero2Launcher()})]
)
def test_packages_that_are_optional(
    config: TrainConfig, tmp_path: Path, package: str, changes: dict[str, object]
) -> None:
    if find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(PreflightError, match=f": the package {package} is not installed$") as refused:
        training.train_given(dataclasses.replace(config, **changes), [], tmp_path, lambda line: None)
    assert refused.value.next_step.startswith("pip install 'agentbench[")
