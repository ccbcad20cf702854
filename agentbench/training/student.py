"""From trajectories to a tiny student in a folder: a model made here, from nothing. Given models: see `finetune`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from transformers.utils.logging import disable_progress_bar

from agentbench.config.model import TinyModel
from agentbench.config.stage import SftStage
from agentbench.errors import DataError
from agentbench.templates.tiny import CONTROL_TOKENS, END, PAD, Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training.progress import Report
from agentbench.training.sft import ScoredTokensTrainer, SftResult, Trainee, train_sft
from agentbench.training.tiny import Architecture, CopyingTask, new_student, teach_copying, train_tokenizer
from agentbench.training_data.sft import SftRows, sft_rows
from agentbench.types import Trajectory, record

CONTEXT = 16_384
"""Longest prompt of a tiny student, in tokens: more than any episode needs, and free with rotary positions."""


class Recipe(NamedTuple):
    """How, from which seed, and into which folder."""

    stage: SftStage
    seed: int
    folder: Path


@record
class Student:
    """A finished student's figures."""

    rows: int
    too_long: int
    unsuccessful: int
    trained_share: float
    """Share of the rows' tokens that are an actor's own and carry the loss, in [0, 1]."""
    parameters: int
    result: SftResult


def train_tiny(config: TinyModel, trajectories: Sequence[Trajectory], recipe: Recipe, report: Report) -> Student:
    """A tiny student from nothing: vocabulary, copying, then the trajectories.

    Raises:
        DataError: no trajectory is of use.
    """
    torch.set_num_threads(1)  # threads cost a model of this size more than they bring
    family = Tiny()
    tokenizer = train_tokenizer(_texts(trajectories, family), config.vocab_size, CONTROL_TOKENS, end=END, pad=PAD)
    recipe.folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(str(recipe.folder))
    template = TokenTemplate(family, load_tokenizer(recipe.folder))
    rows = _useful(sft_rows(trajectories, template, recipe.stage.max_length))
    architecture = Architecture(config.hidden_size, config.layers, config.heads, CONTEXT)
    model = new_student(architecture, tokenizer, recipe.seed)
    copying = CopyingTask()

    def copied(step: int, share: float) -> None:
        report("learning to copy (share right)", step, copying.steps, share)

    share = teach_copying(model, copying, recipe.seed, copied)
    copied(copying.steps, share)  # it may have been good enough before
    return _tuned(Trainee(model, tokenizer), rows, recipe, report)


def _tuned(trainee: Trainee, rows: SftRows, recipe: Recipe, report: Report) -> Student:
    def step(number: int, last: int, loss: float) -> None:
        report("learning from trajectories (loss)", number, last, loss)

    result = train_sft(
        trainee,
        rows.rows,
        recipe.stage,
        recipe.seed,
        folder=recipe.folder / "trainer",
        report=step,
        trainer_class=ScoredTokensTrainer,
    )
    disable_progress_bar()
    trainee.model.save_pretrained(str(recipe.folder))
    trainee.tokenizer.save_pretrained(str(recipe.folder))
    tokens = sum(len(row.input_ids) for row in rows.rows)
    own = sum(sum(row.completion_mask) for row in rows.rows)
    parameters = sum(parameter.numel() for parameter in trainee.model.parameters())
    return Student(len(rows.rows), rows.too_long, rows.unsuccessful, own / tokens, parameters, result)


def _useful(rows: SftRows) -> SftRows:
    if not rows.rows:
        reason = f"{rows.unsuccessful} did not succeed, {rows.too_long} are longer than stage.max_length"
        raise DataError("trajectories", f"none can be trained on: {reason}")
    return rows


def _texts(trajectories: Sequence[Trajectory], family: Tiny) -> Iterable[str]:
    for trajectory in trajectories:
        history = trajectory.history
        pieces = list(family.opening("", history.tools, history.opening.text, history.earlier))
        for step in history.steps:
            pieces += [*family.action(step.decision.action), *family.observation(step)]
        yield from (piece.text for piece in pieces if not piece.control)
