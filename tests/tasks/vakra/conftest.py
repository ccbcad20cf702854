"""Files in VAKRA's format, of our own content, written where a test wants them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

Write = Callable[[str, Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("capability_2/input/library.json", [record])` below the test's own folder."""

    def written(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
        return path

    return written


@pytest.fixture
def question() -> dict[str, Any]:
    """An input record of one turn."""
    turn = {"turn_id": 1, "query": "Who wrote Tidal Charts?"}
    return {"uuid": "u-1", "domain": "library", "num_turns": 1, "dialogue": {"turns": [turn]}}


@pytest.fixture
def gold() -> dict[str, Any]:
    """Its ground truth."""
    call = {"name": "get_author", "arguments": {"title": "Tidal Charts"}}
    sequence = {"tool_call": [call], "tool_response": [["Ana Brod"]]}
    turn = {"turn_id": 0, "query": "Who wrote Tidal Charts?", "answer": [["Ana Brod"]], "sequence": sequence}
    return {"uuid": "u-1", "domain": "library", "output": [turn]}
