"""Rows in the format of xLAM's data, in words of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WEATHER = {
    "name": "get_weather",
    "description": "The forecast for a place.",
    "parameters": {
        "city": {"description": "Name of the place.", "type": "str"},
        "days": {"description": "How many days.", "type": "int, optional", "default": "1"},
    },
}
TIME = {"name": "local_time", "description": "The time.", "parameters": {"city": {"description": "", "type": "str"}}}


def call(name: str, **arguments: Any) -> dict[str, Any]:
    """A call as data files have it."""
    return {"name": name, "arguments": arguments}


def row(number: int, *calls: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A row that offers two functions; keys can be replaced."""
    made = calls or (call("get_weather", city=f"Town {number}"),)
    tools = json.dumps([WEATHER, TIME])
    asked = {"id": number, "query": f"Question {number}?", "answers": json.dumps(made), "tools": tools}
    return {**asked, **changed}


def write(path: Path, *rows: object) -> Path:
    """A file that holds the rows."""
    path.write_text(json.dumps(rows))
    return path
