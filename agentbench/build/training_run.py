"""A training from its inputs to what it is worth: rows or trajectories in, a model out, held-out tasks played by it."""

from __future__ import annotations

import os
from pathlib import Path

from agentbench.app.writing import write_json
from agentbench.build import Report, iteration, online, runs, trained, training
from agentbench.build.tracking import Tracking, tracked
from agentbench.config.entry import TrainConfig
from agentbench.config.model import HfModel, TinyModel
from agentbench.config.stage_rl import OnlineStage
from agentbench.episodes.pool import run_async
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.types import Trajectory


def run_training(config: TrainConfig, folder: Path, report: Report) -> float | None:
    """Trains the configured model and writes it to the folder; its success, or else minus its validation loss.

    Raises:
        PreflightError, DataError: something the training needs is missing or broken.
        Interrupted, RunFailed: as trainings and runs of episodes do.
    """
    if config.iteration is not None:
        return iteration.iterate(config, config.iteration, folder, report)
    with tracked(config, folder, report) as tracker:
        if training.is_from_nothing(config):
            model, worth = _make_student(config, folder, tracker, report), None
        else:
            worth = _train_given(config, folder, tracker, report)
            model = trained.trained_model(config, folder, report)
        return worth if config.evaluate.tasks is None else _evaluate(config, model, folder, (tracker, report))


def _evaluate(
    config: TrainConfig, model: HfModel | TinyModel, folder: Path, told: tuple[Tracking, Report]
) -> float | None:
    """The share of held-out tasks that the model solves."""
    tracker, report = told
    from agentbench.training.job import EVALUATION

    played = tracker.watched(trained.held_out_run(config, model, report))
    summary = run_async(played.play(folder / EVALUATION))
    tracker.add_summary(summary)
    report(f"scores: {os.path.relpath(folder / EVALUATION / 'summary.json')}")
    return summary.success.rate


def _train_given(config: TrainConfig, folder: Path, tracker: Tracking, report: Report) -> float | None:
    """Minus the validation loss; `None` without validation rows."""
    from agentbench.training.job import METRICS_LOG

    with tracker.following(folder / METRICS_LOG):
        if isinstance(config.stage, OnlineStage):
            result = online.train_playing(config, folder, report)
        else:
            trajectories = [] if config.rows else _trajectories(config, folder, report)
            result = training.train_given(config, trajectories, folder, report)
    judged = ", ".join(f"validation {name} {value:.4f}" for name, value in result.validation.items())
    report(
        f"{result.trained_parameters:,} of {result.parameters:,} parameters trained in {result.steps} steps;"
        f" loss {result.first_loss:.4f} → {result.loss:.4f}{f'; {judged}' if judged else ''}"
    )
    made = [name for name in ("adapter", "model") if (folder / name).is_dir()]
    report("\n".join(f"{name}: {os.path.relpath(folder / name)}" for name in made))
    tracker.add({"loss": result.loss, **{f"validation_{name}": value for name, value in result.validation.items()}})
    return -result.validation["loss"] if "loss" in result.validation else None


def _make_student(config: TrainConfig, folder: Path, tracker: Tracking, report: Report) -> TinyModel:
    """The student; one of the same settings that is there already is not made again."""
    published = training.published_student(config, report)
    if published is not None and published.is_dir():
        report(f"the student of these settings is there already: {published}")
        return TinyModel(path=published)
    student = training.train_student(config, _trajectories(config, folder, report), folder / "model")
    write_json(folder / "metrics.json", student)
    report(
        f"{student.parameters:,} parameters learnt from {student.rows} trajectories; {student.trained_share:.0%} of"
        f" their tokens, the actor's own, carry the loss; it ended at {student.result.loss:.3f} nats per token"
    )
    model = training.publish(folder / "model", published) if published else folder / "model"
    report(f"model: {os.path.relpath(model)}")
    tracker.add({"loss": student.result.loss})
    return TinyModel(path=model)


def _trajectories(config: TrainConfig, folder: Path, report: Report) -> list[Trajectory]:
    """The given ones; without any, gold ones that are rolled out into the folder."""
    paths = config.trajectories
    if not paths:
        report("no trajectories given: rolling out gold ones on the training split")
        run_async(runs.gold_rollout(config, report).play(folder / "gold"))
        paths = (folder / "gold" / TRAJECTORIES,)
    return [trajectory for path in paths for trajectory in read_trajectories(path)]
