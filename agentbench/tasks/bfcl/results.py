"""Result files as the official program reads them, for its decoder of tagged JSON calls.

    bfcl/Qwen_Qwen3-8B-FC/non_live/BFCL_v4_simple_python_result.json        {"id": …, "result": …} per line

The model's name is one that the official program knows and whose decoder fits; whose results they are says the folder
around them. That program runs `eval()` on calls of dialogues, so only calls that were executed stand there, and no text
of a model can be read as a call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from agentbench.app.writing import write_whole
from agentbench.errors import DataError
from agentbench.types import Action, CallTools, EndReason, Final, Malformed, Step, ToolCall, Trajectory

RESULT = "result"
"""Where evidence holds what stands in the file: a text, or texts by turn and step."""
FOLDER = "bfcl"
MODEL = "Qwen/Qwen3-8B-FC"
MODEL_FOLDER = MODEL.replace("/", "_")
"""Where the official program looks for results of that model."""
_TAG = re.compile(r"<(/?)tool_call>")


def calls_text(calls: Sequence[ToolCall]) -> str:
    """Calls as the official decoder reads them; a line break in an argument is an escape: none ends a call."""
    texts = (json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False) for call in calls)
    return "\n".join(f"<tool_call>\n{text}\n</tool_call>" for text in texts)


def spoken(action: Action) -> str:
    """What was said beside calls, with nothing in it that could be read as one."""
    match action:
        case Final(answer=text) | Malformed(text=text):
            return _TAG.sub(r"<\1tool call>", text)
        case CallTools():
            return ""


def write_results(folder: Path, trajectories: Iterable[Trajectory]) -> tuple[str, ...]:
    """Writes a file for each category; gives the categories. An episode that failed has no line; of several samples of
    a task the first one counts."""
    lines: dict[str, list[dict[str, Any]]] = {}
    for trajectory in trajectories:
        if trajectory.end is not EndReason.ERROR and trajectory.sample == 0:
            lines.setdefault(_category(trajectory), []).append(_line(trajectory))
    for category, found in lines.items():
        path = folder / FOLDER / MODEL_FOLDER / _group(category) / f"BFCL_v4_{category}_result.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, b"".join(orjson.dumps(line) + b"\n" for line in sorted(found, key=_number)))
    return tuple(sorted(lines))


def _category(trajectory: Trajectory) -> str:
    """The task's domain, which names a file here.

    Raises:
        DataError: it could lead out of the folder, so it is no category of BFCL's.
    """
    domain = trajectory.task.domain
    if not re.fullmatch(r"\w{1,60}", domain, re.ASCII):
        raise DataError(f"task {trajectory.task.id!r}", f"its domain {domain[:80]!r} is no category of BFCL's")
    return domain


def _group(category: str) -> str:
    return next((group for group in ("multi_turn", "live") if category.startswith(group)), "non_live")


def _number(line: dict[str, Any]) -> int:
    return int(re.findall(r"\d+", line["id"])[0])


def _line(trajectory: Trajectory) -> dict[str, Any]:
    """The line of an episode; tokens and seconds by turn and step where the result is."""
    steps = trajectory.history.steps
    turns = _by_turn(steps) if trajectory.task.domain.startswith("multi_turn") else None

    def told(figures: Sequence[float]) -> Any:
        return [[figures[index] for index in turn] for turn in turns] if turns is not None else sum(figures)

    return {
        "id": trajectory.task.id,
        "result": trajectory.evidence[RESULT],
        "input_token_count": told(
            [sum(each.usage.prompt_tokens for each in step.decision.generations) for step in steps]
        ),
        "output_token_count": told(
            [sum(each.usage.completion_tokens for each in step.decision.generations) for step in steps]
        ),
        "latency": told([sum(each.seconds for each in step.decision.generations) for step in steps]),
    }


def _by_turn(steps: Sequence[Step]) -> list[list[int]]:
    """Indices of the steps of each turn; an answer is its turn's last step."""
    turns: list[list[int]] = [[]]
    for index, step in enumerate(steps):
        turns[-1].append(index)
        if isinstance(step.decision.action, Final):
            turns.append([])
    return [turn for turn in turns if turn]
