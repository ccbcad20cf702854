"""One training from its tables to its result: load, train or go on, judge, write. Every rank runs this."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from accelerate.utils import DistributedType
from peft import PeftModel
from safetensors import SafetensorError
from transformers import (
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.utils.logging import disable_progress_bar

from agentbench.app.writing import write_whole
from agentbench.config.launcher import (
    AccelerateLauncher,
    DeepspeedZero2Launcher,
    DeepspeedZero3Launcher,
    FsdpLauncher,
    SingleLauncher,
)
from agentbench.config.lora import Lora, NoLora
from agentbench.config.trainer import ModelExport
from agentbench.errors import DataError, PreflightError
from agentbench.llm.base_model import note_base
from agentbench.training.card import write_card
from agentbench.training.data import Table, read_table
from agentbench.training.job import DATA, METRICS_LOG, MODEL, TRAINED, TRAINER, Trained, TrainJob
from agentbench.training.progress import Report
from agentbench.training.stages import stage_trainer
from agentbench.training.trainers import take_up_reference
from agentbench.training.weights import join_adapters, merge

COMPLETE = "complete"
"""Empty file in a checkpoint that is whole; one without it was being written when the process was killed."""

_EXPECTED = {
    AccelerateLauncher: (DistributedType.MULTI_CPU, DistributedType.MULTI_GPU),
    DeepspeedZero2Launcher: (DistributedType.DEEPSPEED,),
    DeepspeedZero3Launcher: (DistributedType.DEEPSPEED,),
    FsdpLauncher: (DistributedType.FSDP,),
}
_VALIDATION = {
    "eval_loss": "loss",
    "eval_rewards/accuracies": "accuracy",
    "eval_rewards/margins": "margin",
}


def finetune(job: TrainJob, report: Report) -> Trained:
    """Trains, from the last checkpoint if there is one, and writes the result into the job's folder.

    Raises:
        PreflightError: the tables are missing, a model cannot be loaded, or the ranks did not find each other, or
            weights cannot be written.
    """
    disable_progress_bar()
    table = _table(job, "train")
    validation = read_table(job.folder / DATA / "validation")
    checkpoint = last_checkpoint(job.folder / TRAINER)
    watching = Watching(report, job, checkpoint)
    trainer = stage_trainer(job, table.data, validation.data if validation else None, [watching])
    trainer.remove_callback(PrinterCallback)
    check_ranks(job, trainer)
    if checkpoint:
        take_up_reference(trainer, checkpoint)
    with refused_writes(job):
        started = time.monotonic()
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = time.monotonic() - started
        judged = trainer.evaluate() if validation else {}
        trained = _trained(job, trainer, table, judged, seconds)
        write_weights(job, trainer)
        if trainer.is_world_process_zero():
            finish(job, trained)
    return trained


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


@contextmanager
def refused_writes(job: TrainJob) -> Iterator[None]:
    """A full disk is none of our bugs, although the writers of weights report it as errors of their own kind.

    Raises:
        PreflightError: weights could not be written.
    """
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        if not any(writer in said for writer in ("I/O error", "PytorchStreamWriter", "inline_container")):
            raise
        advice = "make room; the last whole checkpoint is kept"
        raise PreflightError(f"cannot write weights into {job.folder}: {said}", advice) from error


class Watching(TrainerCallback):
    """Reports steps, writes every logged line to `metrics.jsonl`, and marks checkpoints that are whole."""

    def __init__(self, report: Report, job: TrainJob, checkpoint: Path | None) -> None:
        self._report, self._job = report, job
        self._log = job.folder / METRICS_LOG
        self._from = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keeps the lines up to the checkpoint that is gone on from."""
        if state.is_world_process_zero:
            lines = self._log.read_bytes().splitlines(keepends=True) if self._log.is_file() else []
            if lines and not lines[-1].endswith(b"\n"):  # the process was killed while it wrote
                print(f"{self._log}: cut off a torn last line of {len(lines.pop())} bytes", flush=True)
            write_whole(self._log, b"".join(_up_to(self._from, lines, self._log)))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """One line per call."""
        if not state.is_world_process_zero or not logs:
            return
        with self._log.open("ab") as file:
            file.write(orjson.dumps({"step": state.global_step, **logs}, default=float) + b"\n")
        if "loss" in logs:
            self._report(
                f"{self._job.config.stage.kind} (loss)", state.global_step, state.max_steps, float(logs["loss"])
            )

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """All its files are written by now."""
        if state.is_world_process_zero:
            (Path(args.output_dir or "") / f"checkpoint-{state.global_step}" / COMPLETE).touch()


def _up_to(last: int, lines: Sequence[bytes], path: Path) -> Iterator[bytes]:
    """The lines of steps up to the last one; what a training logs at its end is left out, for it is logged again.

    Raises:
        DataError: a line is none of ours.
    """
    for number, line in enumerate(lines, 1):
        try:
            logged = json.loads(line)
            if "train_runtime" in logged:
                return
            if logged["step"] <= last:
                yield line
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(path, "not a line of figures", number, "remove the line") from error


def _table(job: TrainJob, name: str) -> Table:
    table = read_table(job.folder / DATA / name)
    if table is None:
        raise PreflightError(f"no table of rows in {job.folder / DATA / name}", "start the training anew")
    return table


def check_ranks(job: TrainJob, trainer: Any) -> None:
    """Accelerate falls back to one process, or to plain data parallel, without a word.

    Raises:
        PreflightError: the ranks did not find each other as configured.
    """
    launcher, found = job.config.launcher, trainer.accelerator
    if isinstance(launcher, SingleLauncher):
        return
    kinds = _EXPECTED[type(launcher)]
    alone = job.processes == 1 and isinstance(launcher, AccelerateLauncher)
    if found.num_processes != job.processes or not (alone or found.distributed_type in kinds):
        problem = f"{found.num_processes} processes train as {found.distributed_type.value}"
        raise PreflightError(f"launcher={launcher.kind} with {job.processes} processes was asked for, but {problem}")


def _trained(job: TrainJob, trainer: Any, table: Table, judged: dict[str, Any], seconds: float) -> Trained:
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    tail = losses[-max(1, len(losses) // 10) :]
    counted = sizes(trainer.model)
    audit = table.audit
    return Trained(
        stage=job.config.stage.kind,
        rows=audit.rows,
        left_out=audit.left_out,
        own_share=audit.own / audit.tokens,
        stock_share=audit.stock / audit.tokens,
        parameters=counted.all,
        trained_parameters=counted.trained,
        steps=trainer.state.global_step,
        first_loss=losses[0],
        loss=sum(tail) / len(tail),
        validation={name: judged[key] for key, name in _VALIDATION.items() if key in judged},
        seconds=round(seconds, 3),
    )


class Sizes(NamedTuple):
    """How many parameters there are, and how many of them are trained."""

    all: int
    trained: int


def sizes(model: Any) -> Sizes:
    """Parameters, those in 4 bits and those that ZeRO-3 keeps elsewhere included; TRL's copy of an adapter is not."""
    if isinstance(model, PeftModel):
        trained, every = model.get_nb_trainable_parameters()
        frozen_copy = sum(weight.numel() for name, weight in model.named_parameters() if ".ref." in name)
        return Sizes(int(every) - frozen_copy, int(trained))
    counted = [(vars(weight).get("ds_numel", weight.numel()), weight.requires_grad) for weight in model.parameters()]
    return Sizes(sum(size for size, _ in counted), sum(size for size, trained in counted if trained))


def write_weights(job: TrainJob, trainer: Any) -> None:
    """Writes what was trained; all ranks take part, because each may hold a piece of it."""
    lora, given = job.config.lora, job.model.adapter
    joined = isinstance(lora, Lora) and lora.create_new_adapter and given is not None
    target = job.folder / TRAINER / "new_adapter" if joined else job.output
    if trainer.is_world_process_zero():
        shutil.rmtree(target, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(target))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        (target / "training_args.bin").unlink(missing_ok=True)  # a pickle: nobody should have to load one
        if joined and given is not None:
            shutil.rmtree(job.output, ignore_errors=True)
            join_adapters(job, given, target, job.output)
            trainer.processing_class.save_pretrained(str(job.output))


def finish(job: TrainJob, trained: Trained) -> None:
    """Writes what belongs beside the weights: the merged model where it is wanted, cards, and the figures."""
    folders = [job.output]
    if job.config.export is ModelExport.MERGED and not isinstance(job.config.lora, NoLora):
        folders.append(job.folder / MODEL)
        merge(job, job.output).save_pretrained(str(folders[1]))
        for file in job.output.glob("*token*"):
            shutil.copy2(file, folders[1])
    if not isinstance(job.config.lora, NoLora):
        note_base(job.output, job.model.path)
    for folder in folders:
        write_card(job, trained, folder)
    (job.folder / TRAINED).write_bytes(orjson.dumps(trained, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
