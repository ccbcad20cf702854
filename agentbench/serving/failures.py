"""From the end of a server's log to one line that says why it ended, and what to do about it.

A heuristic on vLLM's words: what it does not know it answers with the log's last line that looks like an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TAIL_BYTES = 65_536
_SHOWN_CHARS = 300

_LESS_MEMORY = "lower serve.max_length or serve.memory_share, raise serve.tensor_parallel, or free the GPU"
_FEWER_BYTES = "lower serve.max_length, or raise serve.cpu_cache_gib (CPU build) or serve.memory_share"
_KNOWN = (
    (r"address already in use", "set serve.port=0, which takes any free one"),
    (r"(CUDA )?out of memory|Free memory on device|DefaultCPUAllocator: can't allocate", _LESS_MEMORY),
    (r"KV cache is needed|No available memory for the cache|larger than the maximum number of tokens", _FEWER_BYTES),
    (r"is greater than the derived max_model_len", "lower serve.max_length to the model's context"),
    (
        r"head size|head_size",
        "a CPU build has no kernel for this model's head_dim; use a GPU, or model=hf with serve=none",
    ),
    (r"unrecognized arguments|invalid choice|invalid .* value", "correct serve.arguments or serve.quantization"),
    (r"does not support LoRA", "set serve.max_adapters=0"),
    (r"World size|tensor_parallel_size|number of attention heads .* divisible", "correct serve.tensor_parallel"),
    (r"SIGILL|Illegal instruction", "this build needs instructions that this CPU lacks; make vllm-cpu"),
)
_ERROR = re.compile(r"^(\w+\.)*\w*(Error|Exception|Interrupt)\b.*:|error: ")
_PREFIX = re.compile(r"^(\([^)]*pid=\d+\)\s*)?((DEBUG|INFO|WARNING|ERROR|CRITICAL) [\d-]+ [\d:]+ \[[^\]]*\]\s*)?")


class Failure(NamedTuple):
    """Why a server is not there."""

    reason: str
    next_step: str


def failure_in(log: Path) -> Failure:
    """What a log's end says of the server's end."""
    lines = last_lines(log)
    for pattern, advice in _KNOWN:
        if found := [line for line in lines if re.search(pattern, line, re.IGNORECASE)]:
            return Failure(_short(_plainest(found)), advice)
    errors = [line for line in lines if _ERROR.search(line)]
    told = [line for line in errors if "See root cause above" not in line and "failed core proc" not in line]
    said = told or errors or lines[-1:]
    return Failure(_short(said[-1]) if said else "it said nothing", f"read {log}")


def last_lines(log: Path) -> list[str]:
    """The last lines of a log without vLLM's prefixes; none where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [plain for line in text.replace("\r", "\n").splitlines() if (plain := _PREFIX.sub("", line).strip())]


def _plainest(lines: Sequence[str]) -> str:
    """A line that is an error by itself, rather than code that a traceback quotes."""
    return next((line for line in reversed(lines) if _ERROR.search(line)), lines[-1])


def _short(line: str) -> str:
    return line if len(line) <= _SHOWN_CHARS else f"{line[:_SHOWN_CHARS]} …"
