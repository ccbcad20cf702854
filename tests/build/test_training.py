"""Trainings of given models, from configuration to a folder that others load."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import orjson
import pytest

from agentbench.app.lock import locked
from agentbench.build import training
from agentbench.config.agent import ChatAgent
from agentbench.config.entry import TrainConfig
from agentbench.config.env import M3Env
from agentbench.config.lora import Lora
from agentbench.config.model import Dtype, HfModel, TinyModel
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.stage import DpoStage, SftStage
from agentbench.config.template import TemplateConfig, TemplateKind
from agentbench.config.trainer import ModelExport, TrainerConfig
from agentbench.errors import PreflightError
from agentbench.llm.hf_load import load_hf
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training_data.identity import tokenizer_fingerprint
from tests.training.conftest import make_model, preference, supervised, write_rows


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return make_model(tmp_path / "base")


@pytest.fixture
def config(base: Path, tmp_path: Path) -> TrainConfig:
    """A LoRA adapter by SFT on eight rows, exported merged too."""
    fingerprint = tokenizer_fingerprint(load_tokenizer(base))
    rows = write_rows(tmp_path / "sft.jsonl", [supervised(number, fingerprint) for number in range(8)])
    write_rows(tmp_path / "pairs.jsonl", [preference(number, fingerprint) for number in range(8)])
    return TrainConfig(
        stage=SftStage(batch_size=4, learning_rate=1e-2),
        lora=Lora(rank=2),
        trainer=TrainerConfig(checkpoint_every=None),
        model=HfModel(path=str(base)),
        template=TemplateConfig(kind=TemplateKind.TINY),
        agent=ChatAgent(),
        env=M3Env(),
        retriever=Bm25Retriever(),
        rewards=RewardsConfig(),
        rows=(rows,),
        export=ModelExport.MERGED,
        cache_dir=tmp_path / "cache",
    )


def run(config: TrainConfig, folder: Path) -> list[str]:
    """Trains and gives the lines that were said."""
    said: list[str] = []
    folder.mkdir()
    training.train_given(config, [], folder, said.append)
    return said


def test_sft_then_dpo_on_its_adapter(config: TrainConfig, base: Path, tmp_path: Path) -> None:
    said = run(config, tmp_path / "sft")
    # Eight rows of 3 + 7 tokens, 3 of them the agent's own.
    assert said[0].startswith("rows to train on: 8 rows: 24 of 80 tokens (30.0%) carry the loss")
    model = HfModel(path=str(base), adapter=tmp_path / "sft" / "adapter")
    pairs = dataclasses.replace(config, stage=DpoStage(), rows=(tmp_path / "pairs.jsonl",), model=model)
    said = run(pairs, tmp_path / "dpo")
    assert "keeps its rank" in said[0]
    assert "without masks it would be 120, 53.3% of them not the agent's" in said[1]
    assert load_hf(str(base), tmp_path / "dpo" / "adapter", Dtype.FLOAT32, "cpu").config.vocab_size == 285


def test_the_card_names_base_data_and_figures(config: TrainConfig, base: Path, tmp_path: Path) -> None:
    run(config, tmp_path / "run")
    adapter, model = ((tmp_path / "run" / name / "README.md").read_text() for name in ("adapter", "model"))
    assert f"base_model: '{base}'" in adapter and "library_name: peft" in adapter
    assert "library_name: transformers" in model
    assert "| sft.jsonl | " in adapter and "30.0% of their tokens" in adapter


def test_a_merged_model_stands_alone(config: TrainConfig, tmp_path: Path) -> None:
    run(config, tmp_path / "run")
    load_hf(str(tmp_path / "run" / "model"), None, Dtype.FLOAT32, "cpu")
    assert load_tokenizer(tmp_path / "run" / "model").size == 285


def test_a_folder_is_trained_into_by_one_process(config: TrainConfig, tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(PreflightError, match="is in use by process"):
        training.train_given(config, [], tmp_path, lambda line: None)


def test_rows_train_the_student_that_is_there_and_nothing_makes_a_new_one(config: TrainConfig, base: Path) -> None:
    tiny = dataclasses.replace(config, model=TinyModel())
    assert not training.is_from_nothing(tiny)
    assert training.is_from_nothing(dataclasses.replace(tiny, rows=()))
    assert not training.is_from_nothing(dataclasses.replace(tiny, rows=(), model=TinyModel(path=base)))


def test_figures_are_in_metrics_json(config: TrainConfig, tmp_path: Path) -> None:
    run(config, tmp_path / "run")
    figures = orjson.loads((tmp_path / "run" / "metrics.json").read_bytes())
    assert (figures["rows"], figures["steps"], figures["own_share"]) == (8, 4, 0.3)
    assert figures["loss"] < figures["first_loss"]
