"""Lets every entry point meet every fault, and prints what came of it as a Markdown table.

  python -m experiments.faults
  python -m experiments.faults --only rollout,eval --faults "kill -9,full disk" --jobs 4

Ends with exit code 1 where a cell is red. What every cell came to is also appended to `<folder>/cells.jsonl`, so that
the table of several runs can be printed with `--table`.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.faults.bench import Bench, Entry, NotGreen, Whole, undisturbed
from experiments.faults.disks import NoNamespace
from experiments.faults.entries import ROWS
from experiments.faults.kitchen import Kitchen, kitchen
from experiments.faults.matrix import COLUMNS, Column, impossible
from experiments.faults.model_server import model_server
from experiments.faults.table import Cell, State, read_cells, table, write_cell

CELLS = "cells.jsonl"


def main() -> int:
    """Plays the chosen cells; 1 where one of them is red."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with Ctrl-C ignored
    asked = _arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if not asked.table:
        rows = [row for row in ROWS if not asked.only or row.row in asked.only or row.name in asked.only]
        columns = [column for column in COLUMNS if not asked.faults or column.name in asked.faults]
        made = kitchen(asked.folder / "kitchen")
        with ThreadPoolExecutor(asked.jobs) as pool:
            longest_first = sorted(rows, key=lambda row: not row.dear)
            list(pool.map(lambda row: _play(row, columns, made, asked), longest_first))
    cells = read_cells(asked.folder / CELLS)
    print(table(cells, [row.row for row in ROWS], [column.name for column in COLUMNS]))
    return int(any(cell.state is State.RED for cell in cells))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.faults", description=(__doc__ or "").partition("\n")[0]
    )
    names = lambda text: [part.strip() for part in text.split(",")]  # noqa: E731
    parser.add_argument("--only", type=names, help=f"rows, of {', '.join(row.row for row in ROWS)}")
    parser.add_argument("--faults", type=names, help=f"columns, of {', '.join(column.name for column in COLUMNS)}")
    parser.add_argument("--folder", type=Path, default=Path("outputs/faults"), help="where everything is written")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments of kills")
    parser.add_argument("--jobs", type=int, default=2, help="rows played at once")
    parser.add_argument("--missing", action="store_true", help="only cells that are not green yet in cells.jsonl")
    parser.add_argument("--table", action="store_true", help="only print what cells.jsonl holds")
    parser.add_argument("--keep", action="store_true", help="keep the folders of green cells")
    asked = parser.parse_args()
    asked.folder = asked.folder.absolute()
    return asked


def _play(row: Entry, columns: Iterable[Column], made: Kitchen, asked: argparse.Namespace) -> None:
    """A row's cells, each told and kept as soon as it is known."""
    for cell in _row(row, columns, made, asked):
        write_cell(asked.folder / CELLS, cell)
        if cell.state is not State.IMPOSSIBLE:
            line = f"{cell.state} {cell.row}, {cell.column}: {cell.note} ({cell.seconds:.0f} s)"
            print(line[:400], file=sys.stderr, flush=True)


def _row(row: Entry, columns: Iterable[Column], made: Kitchen, asked: argparse.Namespace) -> Iterator[Cell]:
    place = asked.folder / row.row.replace(" ", "_")
    shutil.rmtree(place, ignore_errors=True)
    whole: Whole | None = None
    known = read_cells(asked.folder / CELLS) if asked.missing else []
    green = {cell.column for cell in known if cell.row == row.row and cell.state is State.GREEN}
    for column in columns:
        if column.name in green:
            continue
        why = impossible(row.row, column.name)
        if why:
            yield Cell(row.row, column.name, State.IMPOSSIBLE, why)
            continue
        try:
            whole = whole or undisturbed(row, made, place / "undisturbed")
        except NotGreen as problem:
            yield Cell(row.row, column.name, State.RED, f"undisturbed: {problem}")
            continue
        folder = place / column.name.replace(" ", "_")
        yield (cell := _cell(Bench(row, made, folder, asked.seed), column, whole))
        if cell.state is State.GREEN and not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _cell(bench: Bench, column: Column, whole: Whole) -> Cell:
    started, state = time.monotonic(), State.RED
    try:
        with model_server() as server:
            bench.server = server if bench.entry.served else None
            note, state = column.meet(bench, whole), State.GREEN
    except NotGreen as problem:
        note = str(problem)
    except NoNamespace as problem:
        note, state = f"this machine makes no namespace: {problem}", State.IMPOSSIBLE
    except Exception as problem:  # the cell is red, whatever it was, and the others are played
        note = f"{type(problem).__name__}: {problem}"
        traceback.print_exc()
    return Cell(bench.entry.row, column.name, state, note, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
