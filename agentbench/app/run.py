"""Runs what a command line asks for through Hydra: once, or once per combination of a sweep."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from agentbench.app import Entry, Job, command
from agentbench.app.check import Plan, check
from agentbench.app.command_line import CommandLine, quoted, read_command_line
from agentbench.app.folder import claim, resumed
from agentbench.app.groups import CONF
from agentbench.app.record import RunRecord, read_record
from agentbench.config import entry as schemas
from agentbench.config import load
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.config.report import ReportConfig
from agentbench.errors import AgentbenchError, ConfigError, Interrupted, PreflightError, RunFailed

log = logging.getLogger(__name__)

LOST = "sweep_error.txt"
"""In a sweep's folder: the traceback of a launcher or sweeper that gave up."""

_UNREAD = "nobody reads the output any more; what is finished is on disk"
_RESUMABLE = (AgentbenchError.exit_code, RunFailed.exit_code, Interrupted.exit_code, PreflightError.exit_code)
_MAKE_ROOM = "make room, or see to it that it can be written"
_REFUSED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


def run(entry: Entry, arguments: Sequence[str]) -> int:
    """Everything but `--help`; gives the exit code, the largest one of a sweep.

    Raises:
        SystemExit: a run was interrupted, and with it the sweep.
    """
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    codes = [0]
    try:
        line = read_command_line(arguments)
        if line.inspects:
            _show(entry.name, arguments)
        else:
            plan = check(entry.name, _schema(entry), line)
            target = _target(entry.name, line, plan)
            if plan.sweep:
                codes += _sweep(entry, line, target)
            else:
                _hydra_run(entry.name, target.arguments, lambda tree: codes.append(_job(entry, line, tree).exit_code))
    except AgentbenchError as error:
        codes.append(_report(error, error.next_step or command(entry.name, "--help")))
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        refused = _unwritable(error)
        codes.append(_report(refused, refused.next_step))
    return max(codes)


def _as_ctrl_c(_number: int, frame: FrameType | None) -> None:
    """SIGTERM does what Ctrl-C does at the moment; asyncio, for one, takes Ctrl-C in its own way."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)


def _schema(entry: Entry) -> type[Any]:
    return vars(schemas)[entry.config]


def _hydra(name: str, arguments: Sequence[str], job: Callable[[DictConfig], object]) -> None:
    """Hands over to Hydra, which takes its arguments from `sys.argv` and nowhere else."""
    sys.argv[1:] = arguments
    hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(job)()


def _hydra_run(name: str, arguments: Sequence[str], job: Callable[[DictConfig], object]) -> None:
    """One run or sweep; Hydra itself makes its folders, opens its log and writes its configuration.

    Raises:
        OSError: a folder or the configuration cannot be written.
        PreflightError: the log cannot be opened.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or Hydra prints a traceback and ends the process
    logging.raiseExceptions = False  # or every log line that does not fit on a full disk prints a traceback
    try:
        _hydra(name, arguments, job)
    except ValueError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise _unwritable(error.__cause__) from error  # this is how logging tells of a file that it cannot open


def _unwritable(error: OSError) -> PreflightError:
    place = error.filename or "a file of this run"
    verb = "open" if isinstance(error, PermissionError) else "write"
    return PreflightError(f"cannot {verb} {place}: {error.strerror}", _MAKE_ROOM)


def _show(name: str, arguments: Sequence[str]) -> None:
    """Prints what Hydra's own flags ask for, in one piece: Hydra itself does not bear a reader who leaves early."""
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text):
            _hydra(name, arguments, lambda _: None)
    finally:
        print(text.getvalue(), end="")


class _Target(NamedTuple):
    """What Hydra gets, and where the run or sweep writes."""

    arguments: list[str]
    folder: Path


def _target(entry: str, line: CommandLine, plan: Plan) -> _Target:
    """The checked overrides, and the folder that belongs to this run alone."""
    if isinstance(plan.config, RolloutConfig | TrainConfig) and plan.config.resume is not None:
        if plan.sweep:
            raise ConfigError(["resume: goes on with one run; leave -m away"])
        folder = resumed(plan.config.resume, plan.config, entry)
        place = [f"hydra.run.dir={quoted(str(folder))}", "hydra.output_subdir=.hydra/resumed"]
    else:
        kind = "sweep" if plan.sweep else "run"
        folder = claim(plan.folder)
        place = [f"hydra.{kind}.dir={quoted(str(folder))}"]
    flags = ["--multirun"] if plan.sweep else []
    return _Target([*flags, *line.search_path, *plan.overrides, *place], folder)


def _sweep(entry: Entry, line: CommandLine, target: _Target) -> list[int]:
    """A sweep and what it comes to; exit codes are read from the jobs' folders, for launchers use other processes.

    Raises:
        Interrupted: Ctrl-C or SIGTERM reached the launcher.
    """
    codes = []
    try:
        _hydra_run(entry.name, target.arguments, lambda tree: _job(entry, line, tree).objective)
    except (AgentbenchError, OSError):
        raise
    except KeyboardInterrupt:
        again = command(entry.name, *line.arguments)
        raise Interrupted(f"interrupted; finished jobs are in {target.folder}", again) from None
    except Exception as error:  # a launcher lost a worker, a search has nothing to choose from: the jobs still count
        codes.append(_report(_lost(error, target.folder), f"read {target.folder / LOST}"))
    return [*codes, *_sum_up(entry, target.folder)]


def _lost(error: Exception, folder: Path) -> AgentbenchError:
    """What stopped Hydra's launcher or sweeper, its traceback kept in a file."""
    (folder / LOST).write_text(traceback.format_exc(), encoding="utf-8")
    first = next(iter(str(error).strip().splitlines()), "")
    return AgentbenchError(f"the sweep ended early: {type(error).__name__}: {first}")


def _sum_up(entry: Entry, folder: Path) -> list[int]:
    """Exit codes of a sweep's jobs, once what came of them is shown."""
    places = sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    records = {place: read_record(place) or {} for place in places}
    if entry.after_sweep is not None and places:
        entry.after_sweep([Job(_overrides(place), place, _problem(record)) for place, record in records.items()])
    return [record.get("exit_code", AgentbenchError.exit_code) for record in records.values()]


def _problem(record: dict[str, Any]) -> str:
    if "exit_code" not in record:
        return "never ended" if record else "never started"
    return record["error"]


def _overrides(folder: Path) -> tuple[str, ...]:
    path = folder / ".hydra" / "overrides.yaml"
    return tuple(str(text).removeprefix("++") for text in OmegaConf.load(path)) if path.is_file() else ()


class _Ended(NamedTuple):
    """One run, after its end."""

    exit_code: int
    objective: float | None


def _job(entry: Entry, line: CommandLine, tree: DictConfig) -> _Ended:
    """One run, recorded from start to end.

    Raises:
        SystemExit: the run was interrupted; nothing but this ends a sweep of Hydra's early.
    """
    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir)
    sweep = Path(settings.sweep.dir).name if settings.mode is RunMode.MULTIRUN else ""
    typed = command(entry.name, *line.arguments)
    try:
        config = load(tree, _schema(entry))
    except ConfigError as error:  # a search tries values that nobody could judge before
        return _refused(error, RunRecord(folder, entry.name, typed, None, sweep=sweep))
    record = RunRecord(folder, entry.name, typed, config.seed, config=config, sweep=sweep)
    objective: list[float | None] = []
    failure = _failure(record.start) or _failure(lambda: objective.append(entry.run(config, folder)))
    unrecorded = _failure(partial(record.end, failure.exit_code if failure else 0, str(failure or "")))
    failure = failure or unrecorded
    if failure is None:
        return _Ended(0, objective[0])
    label = f"{' '.join(_plain_overrides())}: " if settings.mode is RunMode.MULTIRUN else ""
    again = _again(entry, line, config, failure.exit_code)
    _report(failure, "\nthen: ".join(filter(None, (failure.next_step, again))), label)
    if isinstance(failure, Interrupted):
        raise SystemExit(failure.exit_code)
    return _Ended(failure.exit_code, None)


def _refused(error: ConfigError, record: RunRecord) -> _Ended:
    record.start()
    record.end(error.exit_code, str(error))
    return _Ended(_report(error, "leave such values out of the search", f"{' '.join(_plain_overrides())}: "), None)


def _failure(work: Callable[[], None]) -> AgentbenchError | None:
    """What stopped the work; `None` when nothing did. The boundary at which every failure becomes an exit code."""
    try:
        work()
    except AgentbenchError as error:
        return error
    except KeyboardInterrupt:
        return Interrupted("interrupted; what is finished is on disk")
    except BrokenPipeError:
        return Interrupted(_UNREAD)
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        return Interrupted(_UNREAD)  # this is how rich takes it
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _REFUSED:
            return _unwritable(error)
        if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            return PreflightError(f"cannot write a database: {error}", _MAKE_ROOM)
        log.exception("a bug of agentbench")
        traceback.print_exc()
        return AgentbenchError(f"this is a bug of agentbench: {type(error).__name__}: {error}")
    return None


def _again(entry: Entry, line: CommandLine, config: object, exit_code: int) -> str:
    """The command that goes on after a failure, with what is finished where the entry point can do that."""
    reads_only = isinstance(config, ReportConfig) and exit_code == PreflightError.exit_code
    if exit_code == ConfigError.exit_code or reads_only:  # the same command would find the same files
        return command(entry.name, "--help")
    flags = [] if line.config_dir is None else ["--config-dir", str(line.config_dir)]
    overrides = [text for text in _plain_overrides() if not text.startswith(("resume=", "sweep="))]
    if isinstance(config, RolloutConfig | TrainConfig) and exit_code in _RESUMABLE:
        overrides.append(f"resume={os.path.relpath(HydraConfig.get().runtime.output_dir)}")
    return command(entry.name, *flags, *overrides)


def _plain_overrides() -> list[str]:
    """The overrides of the present run as a user types them."""
    return [text.removeprefix("++") for text in HydraConfig.get().overrides.task]


def _report(error: AgentbenchError, next_step: str, label: str = "") -> int:
    """Says on stderr what is wrong and how to go on; gives the exit code."""
    problems = error.problems if isinstance(error, ConfigError) else (str(error),)
    if len(problems) == 1:
        print(f"error: {label}{problems[0]}", file=sys.stderr)
    else:
        print(f"error: {label}{len(problems)} problems in the configuration", file=sys.stderr)
        print("\n".join(f"  {problem}" for problem in problems), file=sys.stderr)
    print(f"next: {next_step}", file=sys.stderr)
    log.info("exit code %d: %s", error.exit_code, error)
    return error.exit_code
