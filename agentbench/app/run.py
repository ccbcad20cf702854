"""Runs what a command line asks for through Hydra: once, or once per combination of a sweep."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

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
from agentbench.app.redaction import hide_environment, print_traceback, redact_logs
from agentbench.app.refusals import refusal, unwritable, was_ctrl_c
from agentbench.app.sweeping import RESUMED, SWEPT, is_over, resumed_sweep
from agentbench.app.terminal import plain
from agentbench.config import entry as schemas
from agentbench.config import load
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.config.report import ReportConfig
from agentbench.config.secrets import redacted, redacted_message
from agentbench.errors import AgentbenchError, ConfigError, Interrupted, PreflightError, RunFailed

log = logging.getLogger(__name__)

LOST = "sweep_error.txt"
"""In a sweep's folder: the traceback of a launcher or sweeper that gave up."""

_STOPPED = "interrupted; what is finished is on disk"
_UNREAD = "nobody reads the output any more; what is finished is on disk"
_RESUMABLE = (AgentbenchError.exit_code, RunFailed.exit_code, Interrupted.exit_code, PreflightError.exit_code)


def run(entry: Entry, arguments: Sequence[str]) -> int:
    """Everything but `--help`; gives the exit code, the largest one of a sweep.

    Raises:
        SystemExit: a run was interrupted, and with it the sweep.
    """
    hide_environment()
    codes = [0]
    try:
        line = read_command_line(arguments)
        if line.inspects:
            _show(entry.name, arguments)
        else:
            plan = check(entry.name, _schema(entry), line)
            target = _target(entry.name, line, plan)
            if plan.sweep:
                codes += _sweep(entry, line, target, plan.config)
            else:
                _hydra_run(entry.name, target.arguments, lambda tree: codes.append(_job(entry, line, tree).exit_code))
    except AgentbenchError as error:
        codes.append(_report(error, error.next_step or command(entry.name, "--help")))
    except Exception as error:
        if was_ctrl_c(error):
            raise KeyboardInterrupt from error
        refused = refusal(error)
        if refused is None:
            raise
        codes.append(_report(refused, refused.next_step))
    return max(codes)


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
        raise unwritable(error.__cause__) from error  # this is how logging tells of a file that it cannot open


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
    kind = "sweep" if plan.sweep else "run"
    if isinstance(plan.config, RolloutConfig | TrainConfig) and plan.config.resume is not None:
        earlier = plan.config.resume
        folder = resumed_sweep(earlier, plan.overrides) if plan.sweep else resumed(earlier, plan.config, entry)
        place = [f"hydra.{kind}.dir={quoted(str(folder))}", f"hydra.output_subdir={RESUMED}"]
    else:
        folder = claim(plan.folder)
        place = [f"hydra.{kind}.dir={quoted(str(folder))}"]
    flags = ["--multirun"] if plan.sweep else []
    return _Target([*flags, *line.search_path, *plan.overrides, *place], folder)


def _sweep(entry: Entry, line: CommandLine, target: _Target, first: object) -> list[int]:
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
        again = _sweep_again(entry, line, first, target.folder)
        raise Interrupted(f"interrupted; finished jobs are in {target.folder}", again) from None
    except Exception as error:  # a launcher lost a worker, a search has nothing to choose from: the jobs still count
        codes.append(_report(_lost(error, target.folder), f"read {target.folder / LOST}"))
    return [*codes, *_sum_up(entry, target.folder)]


def _lost(error: Exception, folder: Path) -> AgentbenchError:
    """What stopped Hydra's launcher or sweeper, its traceback kept in a file."""
    (folder / LOST).write_text(redacted_message(traceback.format_exc()), encoding="utf-8")
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
    typed = [str(text).removeprefix("++") for text in OmegaConf.load(path)] if path.is_file() else []
    return tuple(text for text in typed if not text.startswith("resume="))


class _Ended(NamedTuple):
    """One run, after its end."""

    exit_code: int
    objective: float | None


def _job(entry: Entry, line: CommandLine, tree: DictConfig) -> _Ended:
    """One run, recorded from start to end.

    Raises:
        SystemExit: the run was interrupted; nothing but this ends a sweep of Hydra's early.
    """
    redact_logs()
    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir)
    sweep = Path(settings.sweep.dir).name if settings.mode is RunMode.MULTIRUN else ""
    typed = command(entry.name, *line.arguments)
    try:
        config = load(tree, _schema(entry))
        if sweep and _goes_on(config) and is_over(folder, config, entry.name):
            return _Ended(0, None)
    except PreflightError as error:
        return _Ended(_report(error, error.next_step, _label()), None)
    except ConfigError as error:  # a search tries values that nobody could judge before
        return _refused(error, RunRecord(folder, entry.name, typed, None, sweep=sweep))
    record = RunRecord(folder, entry.name, typed, config.seed, config=config, sweep=sweep)
    objective: list[float | None] = []
    failure = _failure(record.start) or _failure(lambda: objective.append(entry.run(config, folder)))
    unrecorded = _failure(partial(record.end, failure.exit_code if failure else 0, str(failure or "")))
    failure = failure or unrecorded
    if failure is None:
        return _Ended(0, objective[0])
    ends_sweep = sweep and isinstance(failure, Interrupted)
    again = (
        _sweep_again(entry, line, config, folder.parent)
        if ends_sweep
        else _again(entry, line, config, failure.exit_code)
    )
    _report(failure, "\nthen: ".join(filter(None, (failure.next_step, again))), _label() if sweep else "")
    if isinstance(failure, Interrupted):
        raise SystemExit(failure.exit_code)
    return _Ended(failure.exit_code, None)


def _refused(error: ConfigError, record: RunRecord) -> _Ended:
    record.start()
    record.end(error.exit_code, str(error))
    return _Ended(_report(error, "leave such values out of the search", _label()), None)


def _failure(work: Callable[[], None]) -> AgentbenchError | None:
    """What stopped the work; `None` when nothing did. The boundary at which every failure becomes an exit code."""
    try:
        work()
    except AgentbenchError as error:
        return error
    except KeyboardInterrupt:
        return Interrupted(_STOPPED)
    except BrokenPipeError:
        return Interrupted(_UNREAD)
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        return Interrupted(_UNREAD)  # this is how rich takes it
    except Exception as error:
        if was_ctrl_c(error):
            return Interrupted(_STOPPED)
        refused = refusal(error)
        if refused is not None:
            return refused
        log.exception("a bug of agentbench")
        print_traceback()
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


def _goes_on(config: object) -> TypeGuard[RolloutConfig | TrainConfig]:
    """Whether a job belongs to a sweep that is gone on with."""
    return isinstance(config, RolloutConfig | TrainConfig) and config.resume is not None


def _sweep_again(entry: Entry, line: CommandLine, config: object, folder: Path) -> str:
    """The command that goes on with a whole sweep: what ended well is left alone where the entry point can do that."""
    typed = [text for text in line.arguments if not text.startswith("resume=")]
    resumes = isinstance(config, RolloutConfig | TrainConfig) and (folder / SWEPT).is_file()
    return command(entry.name, *typed, *([f"resume={os.path.relpath(folder)}"] if resumes else []))


def _label() -> str:
    """Which run of a sweep a message is about."""
    return f"{' '.join(text for text in _plain_overrides() if not text.startswith('resume='))}: "


def _plain_overrides() -> list[str]:
    """The overrides of the present run as a user types them."""
    return [text.removeprefix("++") for text in HydraConfig.get().overrides.task]


def _report(error: AgentbenchError, next_step: str, label: str = "") -> int:
    """Says on stderr what is wrong and how to go on; gives the exit code."""
    problems = error.problems if isinstance(error, ConfigError) else (redacted_message(str(error)),)
    if len(problems) == 1:
        print(plain(f"error: {label}{problems[0]}"), file=sys.stderr)
    else:
        print(plain(f"error: {label}{len(problems)} problems in the configuration"), file=sys.stderr)
        print(plain("\n".join(f"  {problem}" for problem in problems)), file=sys.stderr)
    print(plain(f"next: {redacted(next_step)}"), file=sys.stderr)
    log.info("exit code %d: %s", error.exit_code, error)
    return error.exit_code
