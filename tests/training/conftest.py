"""A tiny model in a folder, preference rows of its tokens, and jobs that train on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from agentbench.config.agent import ChatAgent
from agentbench.config.entry import TrainConfig
from agentbench.config.env import M3Env
from agentbench.config.model import HfModel
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.stage import SftStage
from agentbench.config.template import TemplateConfig, TemplateKind
from agentbench.config.trainer import TrainerConfig
from agentbench.templates.tiny import CONTROL_TOKENS, END, PAD
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training.data import Limits, Origin, write_table
from agentbench.training.job import DATA, TrainJob
from agentbench.training.tiny import Architecture, new_student, train_tokenizer
from agentbench.training_data.identity import tokenizer_fingerprint
from agentbench.training_data.rows import PreferenceRow, SftRow, row_line

SMALL = Architecture(hidden_size=32, layers=2, heads=2, max_length=128)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads cost models of this size more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_model(folder: Path, seed: int = 3, text: str = " Who directed Heat? 1995") -> Path:
    """A freshly initialised student with a tokenizer that was trained on a text."""
    tokenizer = train_tokenizer([text], 600, CONTROL_TOKENS, end=END, pad=PAD)
    new_student(SMALL, tokenizer, seed).save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def fingerprint(base: Path) -> str:
    return tokenizer_fingerprint(load_tokenizer(base))


def preference(number: int, fingerprint: str = "") -> PreferenceRow:
    """Three tokens of prompt; each side an action of two tokens, an observation of four, an action of one or two."""
    start = 20 + 11 * (number % 15)
    chosen, rejected = (start + 3, start + 4, 9, 9, 9, 9, 30), (start + 5, start + 6, 8, 8, 8, 8, 31, 32)
    return PreferenceRow(
        id=f"pair-{number}",
        task=f"task-{number}",
        domain="films",
        kind="success_over_failure",
        margin=1.0,
        chosen_category="correct_final",
        rejected_category="wrong_final",
        template="tiny",
        tools="[]",
        prompt=(),
        chosen=(),
        rejected=(),
        tokenizer=fingerprint,
        prompt_ids=(start, start + 1, start + 2),
        chosen_ids=chosen,
        chosen_mask=(1, 1, 0, 0, 0, 0, 1),
        rejected_ids=rejected,
        rejected_mask=(1, 1, 0, 0, 0, 0, 1, 1),
    )


def supervised(number: int, fingerprint: str = "") -> SftRow:
    """The chosen side of the pair of that number, as an example."""
    pair = preference(number, fingerprint)
    mask = (0, 0, 0, *pair.chosen_mask)
    return SftRow(pair.id, (*pair.prompt_ids, *pair.chosen_ids), mask, tokenizer=fingerprint)


def branching(tasks: int, steps: int) -> list[PreferenceRow]:
    """Pairs of every step of some tasks: a prompt of 24 tokens that grows by six with each step."""
    return [step_pair(task, step) for step in range(steps) for task in range(tasks)]


def step_pair(task: int, step: int) -> PreferenceRow:
    start = 20 + 11 * task
    history = [start + number % 11 for number in range(24)] + [start + 1, start + 2, 9, 9, 8, 8] * step
    return dataclasses.replace(
        preference(task),
        id=f"task-{task}-{step}",
        task=f"task-{task}",
        prompt_ids=tuple(history),
        chosen_ids=(start + 1, start + 2, 30),
        chosen_mask=(1, 1, 1),
        rejected_ids=(start + 5, start + 6, 31, 32),
        rejected_mask=(1, 1, 1, 1),
    )


def chosen_steps(pairs: Iterable[PreferenceRow]) -> list[SftRow]:
    """The chosen sides, as examples of one step each."""
    return [
        SftRow(pair.id, (*pair.prompt_ids, *pair.chosen_ids), (*(0,) * len(pair.prompt_ids), 1, 1, 1), task=pair.task)
        for pair in pairs
    ]


def write_rows(path: Path, rows: Any) -> Path:
    path.write_bytes(b"".join(row_line(row) for row in rows))
    return path


Job = Callable[..., TrainJob]


@pytest.fixture
def train_config(base: Path) -> TrainConfig:
    """Supervised training of the tiny model, with a checkpoint never and validation at the end."""
    return TrainConfig(
        stage=SftStage(),
        trainer=TrainerConfig(checkpoint_every=None),
        model=HfModel(path=str(base)),
        template=TemplateConfig(kind=TemplateKind.TINY),
        agent=ChatAgent(),
        env=M3Env(),
        retriever=Bm25Retriever(),
        rewards=RewardsConfig(),
        rows=(Path("rows.jsonl"),),
        cache_dir=Path("cache"),
    )


@pytest.fixture
def make_job(train_config: TrainConfig, tmp_path: Path) -> Job:
    """`make_job(name, rows, validation, key=value)`: a job with its tables written."""

    def make(name: str, rows: Any, validation: Any = (), **changes: Any) -> TrainJob:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        job = TrainJob(dataclasses.replace(train_config, **changes), folder)
        for table, content in {"train": rows, "validation": validation}.items():
            if content:
                origins = [Origin(row, "rows.jsonl", line) for line, row in enumerate(content, 1)]
                limits = Limits(job.config.stage.max_length, 128)
                place = folder / DATA / table
                write_table(
                    origins, job.config.stage, limits, rows_at_once=job.rows_at_once, seed=job.config.seed, folder=place
                )
        return job

    return make
