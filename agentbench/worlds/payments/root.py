"""Payment requests, prepared: task files for function calling, and a data folder for AppWorld's engine."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from agentbench.config.source import PaymentsSource, TaskCounts
from agentbench.config.tasks import Split
from agentbench.errors import PreflightError
from agentbench.tasks.appworld import DATASETS
from agentbench.tasks.files import write_tasks
from agentbench.tasks.payments.functions import function_task
from agentbench.tasks.payments.requests import payment_requests
from agentbench.tasks.payments.wording import PEOPLE
from agentbench.tools.code.appworld import ADVICE, BUILT_BY_MAKE, environment, last_line
from agentbench.worlds.building import Report
from agentbench.worlds.payments.scenarios import EVERYBODY, scenario_tasks

ROOT = "appworld"
CALLS = "calls"
_BUILDER = Path(__file__).parent / "builder.py"
_LONGEST_S = 3600.0


def prepare_payments(source: PaymentsSource, seed: int, folder: Path, report: Report) -> None:
    """Writes `calls/<split>.jsonl`, and with `source.appworld` the data folder `appworld`.

    Raises:
        PreflightError: AppWorld's engine is asked for and is not there, or could not write its data.
    """
    for split in Split:
        requests = payment_requests(_count(source.requests, split), split, PEOPLE, seed)
        tasks = [function_task(request, number, split) for number, request in enumerate(requests, 1)]
        path = folder / CALLS / f"{split.value}.jsonl"
        write_tasks(path, tasks)
        report(f"{path}: {len(tasks):,} requests; env=function_call tasks.file={path}")
    if source.appworld:
        write_root(source.python, folder / ROOT, source.scenarios, seed)
        report(f"{folder / ROOT}: data for AppWorld's engine; env=appworld env.root={folder / ROOT}")


def write_root(python: Path | None, root: Path, scenarios: TaskCounts, seed: int) -> None:
    """A data folder with so many scenarios, of three tasks each, in every split.

    Raises:
        PreflightError: the interpreter is not there or has no AppWorld, or it failed.
    """
    tasks = {split: list(scenario_tasks(split, _count(scenarios, split), seed)) for split in Split}
    told = {
        "root": str(root.resolve()),
        "people": [person.told() for person in EVERYBODY],
        "tasks": [task for found in tasks.values() for task in found],
        "datasets": {DATASETS[split]: [task["id"] for task in found] for split, found in tasks.items()},
    }
    with tempfile.TemporaryDirectory() as home:
        _build(python or BUILT_BY_MAKE, told, Path(home))


def _build(python: Path, told: dict[str, Any], home: Path) -> None:
    log = home / "log"
    try:
        with log.open("wb") as said:
            done = subprocess.run(
                [python.absolute(), "-sP", str(_BUILDER)],
                input=json.dumps(told).encode(),
                stdout=subprocess.DEVNULL,
                stderr=said,
                cwd=home,
                env=environment(home),
                timeout=_LONGEST_S,
            )
    except OSError as error:
        raise PreflightError(f"source.python={str(python)!r}: {error.strerror}", ADVICE) from error
    if done.returncode != 0:
        problem = f"the interpreter {str(python)!r} could not write worlds for AppWorld: {last_line(log)}"
        raise PreflightError(problem, ADVICE)


def _count(counts: TaskCounts, split: Split) -> int:
    return {Split.TRAIN: counts.train, Split.VALIDATION: counts.validation, Split.TEST: counts.test}[split]
