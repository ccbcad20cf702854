"""Tasks of AppWorld, from the data folder of its own layout.

    data/datasets/<name>.txt                          ids of tasks, a line each
    data/tasks/<id>/specs.json                        what is asked
    data/tasks/<id>/ground_truth/metadata.json        how difficult it is
    data/tasks/<id>/ground_truth/steps.json           our own requests: gold code step by step
    data/tasks/<id>/ground_truth/compiled_solution.py AppWorld's train and dev tasks: its solution as one piece of code

Tasks whose solution is kept secret have no gold code. None has an answer in words: the world judges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentbench.config.suggest import did_you_mean
from agentbench.config.tasks import Split
from agentbench.errors import DataError, PreflightError
from agentbench.types import Answer, AnswerType, CallTools, Gold, Task, ToolCall, Turn

DATASETS = {Split.TRAIN: "train", Split.VALIDATION: "dev", Split.TEST: "test_normal"}
"""Lists that stand for a split where none is named."""
STEPS = "steps.json"
_SOLUTION = "compiled_solution.py"
_ID = re.compile(r"\w{1,100}", re.ASCII)
"""An id names a folder, so it holds nothing that leads out of one."""
_NO_ANSWER = Answer(AnswerType.TEXT, None)


def read_appworld(root: Path, dataset: str, difficulty: int | None = None) -> tuple[Task, ...]:
    """The tasks of a list, in its order; with a difficulty only those.

    Raises:
        PreflightError: the folder holds no AppWorld data, or no list of that name.
        DataError: a task of the list is not there or is broken.
    """
    folder = root / "data"
    if not (folder / "tasks").is_dir():
        advice = "fetch it with AppWorld's own command: .venv-appworld/bin/appworld download data --root FOLDER"
        raise PreflightError(f"env.root={str(root)!r} holds no AppWorld data (data/tasks)", advice)
    path = folder / "datasets" / f"{dataset}.txt"
    if not path.is_file():
        known = sorted(each.stem for each in path.parent.glob("*.txt"))
        problem = f"env.dataset={dataset!r}: no file {path}{did_you_mean(dataset, known)}"
        raise PreflightError(problem, f"there are {', '.join(known) or 'none'}")
    ids = [line.split(":")[0].strip() for line in _text(path).splitlines() if line.strip()]
    odd = next((name for name in ids if not _ID.fullmatch(name)), None)
    if odd is not None:
        raise DataError(path, f"{odd[:80]!r} is no task's id: letters, digits and underscores")
    tasks = (_task(folder / "tasks" / name, dataset) for name in ids)
    return tuple(task for task in tasks if difficulty is None or task.data.get("difficulty") == str(difficulty))


def split_of(dataset: str) -> Split:
    """Which split a list belongs to; every list that is neither train nor dev is held out."""
    return next((split for split, name in DATASETS.items() if name == dataset), Split.TEST)


def _task(folder: Path, dataset: str) -> Task:
    asked = _read(folder / "specs.json")
    if not isinstance(asked.get("instruction"), str):
        raise DataError(folder / "specs.json", "holds no instruction")
    truth = folder / "ground_truth"
    metadata = _read(truth / "metadata.json") if (truth / "metadata.json").is_file() else {}
    told = {"difficulty": str(metadata["difficulty"])} if "difficulty" in metadata else {}
    data = {"split": split_of(dataset).value, "dataset": dataset, "family": folder.name.rpartition("_")[0], **told}
    turn = Turn(asked["instruction"], Gold(_NO_ANSWER, _gold(truth)))
    return Task(folder.name, "appworld", "appworld", (turn,), data=data)


def _gold(truth: Path) -> tuple[CallTools, ...]:
    if (truth / STEPS).is_file():
        return tuple(_steps(truth / STEPS))
    if (truth / _SOLUTION).is_file():
        return (_run(_text(truth / _SOLUTION) + "\nsolution(apis, requester)", ""),)
    return ()


def _steps(path: Path) -> Iterator[CallTools]:
    steps = _read(path).get("steps")
    for step in steps if isinstance(steps, list) else [None]:
        match step:
            case {"code": str(code), "thought": str(thought)}:
                yield _run(code, thought)
            case _:
                raise DataError(path, "holds no steps of code and thought")


def _run(code: str, thought: str) -> CallTools:
    return CallTools((ToolCall("python", {"code": code}),), thought)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(path, f"is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise DataError(path, "is no JSON object")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(path, f"is no UTF-8 text: {error.reason}") from None
