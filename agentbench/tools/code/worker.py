"""The process that AppWorld runs in: a script for the interpreter that has it, with nothing of ours imported.

It loads the package once and then forks a child for every episode, so that a world opens in the time of its databases,
and no world sees another's memory. A child holds one world and does what it is told over its connection, one JSON
object a line each way:

    {"do": "open", "task": …}      what the user says, who the user is, which apps there are
    {"do": "execute", "code": …}   what the code printed; whether it failed; whether the world is completed
    {"do": "evaluate"}             AppWorld's own tests: how many, which passed and which did not

An answer with the key `error` says that it could not be done. A child ends with its connection, and with this process
however that ends (Linux). What AppWorld writes goes into a folder of the episode's own, beside a link to the data.

AppWorld's own guard is a list of forbidden names: it stops accidents, and no attack. What keeps code that a model
wrote from doing harm is what `confinement.py` takes from every child: it makes no socket, writes in the episode's
folder only, and reads there, in AppWorld's data and where Python and libraries lie. Besides, children have a limit of
memory and none of the environment variables of whoever started this.

Not covered, beside what `confinement.py` says: how many processes a world starts; CPU time but for the time limit of a
call; and the data that a world may read hold the answers to its task.
"""

import ast
import contextlib
import ctypes
import importlib
import importlib.util
import json
import os
import re
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FAILED = "Execution failed. Traceback:"
"""How AppWorld begins what it says of code that raised."""
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Loads AppWorld, says so on standard output, and serves connections to `<folder>/socket` until it is killed."""
    settings = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGTERM, lambda *_: _leave(settings["folder"]))
    told, sys.stdout = sys.stdout, sys.stderr  # AppWorld prints
    with _same_environment():
        version = _load(settings["root"])
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(Path(settings["folder"]) / "socket"))
    listening.listen(1024)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended children leave nothing behind
    told.write(json.dumps({"version": version}) + "\n")
    told.flush()
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _become_child()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                _serve(connection, settings)
            os._exit(0)
        connection.close()


@contextlib.contextmanager
def _same_environment() -> Iterator[None]:
    """Takes back what loading adds to the environment: AppWorld reads the `.env` files above its folder."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def _load(root: str) -> str:
    """Imports all that worlds need, once for all children; the version."""
    os.environ["APPWORLD_ROOT"] = root
    package = importlib.import_module("appworld")
    apps = importlib.import_module("appworld.apps")
    utils = importlib.import_module("appworld.common.utils")
    for name in apps.get_all_apps():
        utils.import_apis_module(name)
    return package.__version__


def _leave(folder: str) -> None:
    """Ends, and the children with it; nothing stays on disk, though whoever started this was killed."""
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _become_child() -> None:
    """A process group of its own, which ends with the parent."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)


def _serve(connection: socket.socket, settings: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (settings["memory_bytes"],) * 2)
    own = Path(settings["folder"]) / str(os.getpid())
    own.mkdir()
    data = Path(settings["root"]).resolve() / "data"
    (own / "data").symlink_to(data)
    os.environ.update(APPWORLD_ROOT=str(own), HOME=str(own), TMPDIR=str(own), IPYTHONDIR=str(own / "ipython"))
    _confine(own, data)
    episode = Episode(settings)
    try:
        with connection, connection.makefile("rw", encoding="utf-8") as lines:
            for line in lines:
                lines.write(json.dumps(_answer(episode, json.loads(line))) + "\n")
                lines.flush()
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _confine(own: Path, data: Path) -> None:
    """Leaves this process what a world needs."""
    place = Path(__file__).resolve().parents[1] / "confinement.py"
    found = importlib.util.spec_from_file_location("confinement", place)
    assert found is not None and found.loader is not None
    confinement = importlib.util.module_from_spec(found)
    found.loader.exec_module(confinement)
    sources = str(Path(__file__).resolve().parent)  # AppWorld's tests quote the lines that called them
    confinement.confine_files(str(own), [str(data), sources, *confinement.python_folders()])
    confinement.confine_calls(signals=False)


def _answer(episode: "Episode", told: dict[str, Any]) -> dict[str, Any]:
    try:
        match told["do"]:
            case "open":
                return episode.open(told["task"])
            case "execute":
                return episode.execute(told["code"])
            case _:
                return episode.evaluate()
    except Exception as failure:  # whoever asked is told
        return {"error": f"{type(failure).__name__}: {failure}"}


class Episode:
    """One world; every method gives the answer to one line."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._world: Any = None

    def open(self, task: str) -> dict[str, Any]:
        """Opens the task's world; without its tests where they are not there.

        Raises:
            ValueError: the id could lead out of the folder of tasks.
        """
        if not re.fullmatch(r"\w{1,100}", task, re.ASCII):
            raise ValueError(f"{task[:100]!r} is no task's id")
        judged = (Path(self._settings["root"]) / "data" / "tasks" / task / "ground_truth").is_dir()
        self._world = importlib.import_module("appworld").AppWorld(
            task_id=task,
            experiment_name="episode",
            load_ground_truth=judged,
            ground_truth_mode="minimal",
            timeout_seconds=self._settings["timeout_s"],
            max_interactions=1_000_000,
        )
        opened = self._world.task
        apis = {
            app: {name: document["description"] for name, document in documents.items()}
            for app, documents in opened.api_docs.items()
        }
        return {
            "pid": os.getpid(),
            "instruction": opened.instruction,
            "user": dict(opened.supervisor),
            "apps": dict(opened.app_descriptions),
            "apis": apis,
        }

    def execute(self, code: str) -> dict[str, Any]:
        """Runs code in the world's session."""
        text = _unreadable(code) or self._printed(code)
        completed = self._world.task_completed()
        longest = self._settings["longest_output"]
        if len(text) > longest:
            text = f"{text[:longest]}\n… ({len(text) - longest} more characters)"
        return {"text": text.rstrip(), "failed": text.startswith(_FAILED), "completed": completed}

    def _printed(self, code: str) -> str:
        try:
            return self._world.execute(code)
        except BaseException as left:
            if isinstance(left, Exception) and not isinstance(left, RecursionError):
                raise
            self._world.safety_guard.disable()  # AppWorld lets these through, its guard still up
            return f"{_FAILED}\n{type(left).__name__}: the session cannot be left."

    def evaluate(self) -> dict[str, Any]:
        """What AppWorld's tests say of the world as it stands; `tests` is 0 where it has none."""
        if self._world.task.ground_truth is None:
            return {"solved": None, "tests": 0, "passed": 0, "failed": []}
        found = self._world.evaluate()
        failed = [each["requirement"] for each in found.failures]
        return {"solved": found.success, "tests": found.num_tests, "passed": found.pass_count, "failed": failed}


def _unreadable(code: str) -> str:
    """What is wrong with text that AppWorld would stumble over: no Python at all, as with a NUL; empty where it is."""
    try:
        ast.parse(code)
    except SyntaxError:
        return ""  # it says so itself
    except (ValueError, RecursionError, MemoryError) as problem:
        return f"{_FAILED}\n{type(problem).__name__}: {problem}"
    return ""


if __name__ == "__main__":
    main()
