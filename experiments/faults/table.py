"""What came of the cells, as lines of a file and as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import orjson


class State(StrEnum):
    """What a cell is."""

    GREEN = "✓"
    RED = "✗"
    IMPOSSIBLE = "–"


class Cell(NamedTuple):
    """One entry point that met one fault."""

    row: str
    column: str
    state: State
    note: str
    seconds: float = 0.0


def write_cell(path: Path, cell: Cell) -> None:
    """Appends a cell to a file."""
    with path.open("ab") as file:
        file.write(orjson.dumps(cell._asdict()) + b"\n")


def read_cells(path: Path) -> list[Cell]:
    """The last word on every cell."""
    lines = path.read_bytes().splitlines() if path.is_file() else []
    found = {(one["row"], one["column"]): one for one in map(orjson.loads, lines)}
    return [Cell(**{**one, "state": State(one["state"])}) for one in found.values()]


def table(cells: Sequence[Cell], rows: Sequence[str], columns: Sequence[str]) -> str:
    """A column for each entry point, a line for each fault; below it what was seen, and why some cells are empty."""
    known = {(cell.row, cell.column): cell for cell in cells}
    ordered = [known[row, column] for column in columns for row in rows if (row, column) in known]
    whys = list(dict.fromkeys(cell.note for cell in ordered if cell.state is State.IMPOSSIBLE))
    lines = [f"| fault | {' | '.join(rows)} |", f"|---|{':-:|' * len(rows)}"]
    for column in columns:
        signs = [_sign(known.get((row, column)), whys) for row in rows]
        lines.append(f"| {column} | {' | '.join(signs)} |")
    lines += ["", *(f"–{number}: {why}" + "  " for number, why in enumerate(whys, 1)), ""]
    lines += ["| fault | entry point | seen |", "|---|---|---|"]
    lines += [_line(cell) for cell in ordered if cell.state is not State.IMPOSSIBLE]
    return "\n".join(lines)


def _sign(cell: Cell | None, whys: list[str]) -> str:
    if cell is None:
        return " "
    return f"–{whys.index(cell.note) + 1}" if cell.state is State.IMPOSSIBLE else str(cell.state)


def _line(cell: Cell) -> str:
    sign = "**red** " if cell.state is State.RED else ""
    return f"| {cell.column} | {cell.row} | {sign}{_escaped(cell.note)} |"


def _escaped(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())[:300]
