"""The end of a log becomes one line and one piece of advice."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentbench.serving.failures import failure_in, last_lines

ENGINE = "(EngineCore pid=71) ERROR 01-31 12:00:00 [core.py:1093] "
TRACEBACK = f"{ENGINE}Traceback (most recent call last):\n{ENGINE}  File a.py, line 1\n"
ROOT = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n"

LOGS = {
    "memory": (
        f"{TRACEBACK}{ENGINE}torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n{ROOT}",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        "serve.memory_share",
    ),
    "cache": (
        f"{TRACEBACK}{ENGINE}ValueError: To serve at least one request, 9.00 GiB KV cache is needed.\n{ROOT}",
        "ValueError: To serve at least one request, 9.00 GiB KV cache is needed.",
        "serve.max_length",
    ),
    "port": ("OSError: [Errno 98] Address already in use\n", "Address already in use", "serve.port=0"),
    "argument": ("api_server.py: error: unrecognized arguments: --nonsense\n", "--nonsense", "serve.arguments"),
    "unknown": (f"{TRACEBACK}{ENGINE}KeyError: 'lm_head'\n{ROOT}", "KeyError: 'lm_head'", "read "),
    "no error": ("INFO 01-31 12:00:00 [launcher.py:27] almost there\n", "almost there", "read "),
    "nothing": ("", "it said nothing", "read "),
}


@pytest.mark.parametrize(("log", "reason", "advice"), LOGS.values(), ids=LOGS)
def test_the_first_cause_is_told_with_what_to_do(log: str, reason: str, advice: str, tmp_path: Path) -> None:
    file = tmp_path / "server.log"
    file.write_text(log)
    failure = failure_in(file)
    assert reason in failure.reason and advice in failure.next_step
    assert "\n" not in failure.reason and "pid=" not in failure.reason


def test_a_progress_bar_is_as_many_lines_as_it_was_drawn(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text("INFO 01-31 12:00:00 [a.py:1] Loading\rweights: 50%\rweights: 100%\n")
    assert last_lines(tmp_path / "server.log") == ["Loading", "weights: 50%", "weights: 100%"]


def test_a_server_that_left_no_log_said_nothing(tmp_path: Path) -> None:
    assert failure_in(tmp_path / "server.log").reason == "it said nothing"
