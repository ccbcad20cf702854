"""The file itself: figures and tables in front, trajectories behind them, packed so that thousands open at once.

Trajectories lie in the file as compressed chunks. The browser unpacks the index when the page opens and a chunk when
somebody opens a trajectory of it, so the time to open does not grow with what the trajectories hold.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from agentbench.errors import PreflightError
from agentbench.reporting.html.entries import detail, index_entry
from agentbench.types import Trajectory, record

CHUNK = 40
"""Trajectories that are packed together: small enough to unpack at once, large enough to compress well."""

PAGE = "report.html"

_HERE = Path(__file__).parent


@record
class Link:
    """A cell that leads to a place in the page."""

    text: str
    address: str
    """Begins with `#`."""


@record
class Table:
    """A table of texts; the first column names the row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Link, ...], ...]
    right: tuple[int, ...] = ()
    """Indexes of the columns that hold figures, which stand at the right."""


@record
class Tile:
    """One figure that is to be seen first."""

    label: str
    value: str
    note: str = ""
    """Its interval, or what it is of."""


@record
class Figure:
    """A picture, as SVG made by a plotting library, with the same in words for who cannot see it."""

    caption: str
    svg: str


@record
class Section:
    """A headline with what belongs under it."""

    title: str
    text: str = ""
    """One paragraph a line."""
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    tiles: tuple[Tile, ...] = ()


@record
class Pair:
    """Two episodes of a task that belong side by side; the page opens the one at index i by the address `#pair=i`."""

    task: str
    first: tuple[int, int]
    """Index of its run in `Page.runs`, and its sample."""
    second: tuple[int, int]
    step: int
    """Number of the first step at which they differ, from 1; 0 where none does."""


@record
class Page:
    """A report without its trajectories."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    runs: tuple[str, ...]
    """Names of the runs whose trajectories follow, in that order."""
    command: str = ""
    """What made the run; empty where the page is of several."""
    pairs: tuple[Pair, ...] = ()


def write_page(path: Path, page: Page, trajectories: Sequence[Iterable[Trajectory]]) -> int:
    """Writes the file, and gives the number of trajectories in it.

    `trajectories` has one iterable per name in `page.runs`; they are read once and not kept. A reader of `path` sees
    the old file or the new one.

    Raises:
        PreflightError: the file cannot be written.
    """
    index, chunks = _packed(trajectories)
    draft = path.with_name(f"{path.name}.part")
    try:
        draft.write_text(_document(page, index, chunks), encoding="utf-8")
        os.replace(draft, path)
    except OSError as failure:
        raise PreflightError(f"{path} cannot be written: {failure.strerror}", "choose another folder") from failure
    return len(index)


def _packed(trajectories: Sequence[Iterable[Trajectory]]) -> tuple[list[dict[str, Any]], list[str]]:
    index: list[dict[str, Any]] = []
    chunks: list[str] = []
    waiting: list[dict[str, Any]] = []
    for run, episodes in enumerate(trajectories):
        for trajectory in episodes:
            index.append(index_entry(trajectory, run))
            waiting.append(detail(trajectory))
            if len(waiting) == CHUNK:
                chunks.append(_pack(waiting))
                waiting = []
    return index, [*chunks, _pack(waiting)] if waiting else chunks


def _document(page: Page, index: list[dict[str, Any]], chunks: list[str]) -> str:
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    facts = {"runs": page.runs, "chunk": CHUNK, "pairs": page.pairs}
    tags = (f'<script type="text/plain" class="chunk">{chunk}</script>' for chunk in chunks)
    parts = {
        "POLICY": _policy(script),
        "TITLE": html.escape(page.title),
        "SUBTITLE": html.escape(page.subtitle),
        "COMMAND": f'<code class="command">{html.escape(page.command)}</code>' if page.command else "",
        "STYLE": style,
        "SECTIONS": "\n".join(_section(section) for section in page.sections),
        "FACTS": _pack(facts),
        "INDEX": _pack(index),
        "BROWSER": "" if index else "hidden",
        "CHUNKS": "\n".join(tags),
        "SCRIPT": script,
    }
    pieces = (_HERE / "page.html").read_text(encoding="utf-8").split("@@")
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _policy(script: str) -> str:
    """Content security policy: our one script by its hash, no other, and no connection to anywhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:"


def _pack(value: Any) -> str:
    """JSON, compressed, in letters that mean nothing to HTML."""
    try:
        text = orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, as a trajectory of somebody else's may hold
        text = json.dumps(value).encode()
    return base64.b64encode(zlib.compress(text, 9)).decode()


def _section(section: Section) -> str:
    tiles = "".join(map(_tile, section.tiles))
    paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in section.text.splitlines())
    tables = "".join(map(_table, section.tables))
    figures = "".join(map(_figure, section.figures))
    parts = {"dl": ("tiles", tiles), "div": ("notes", paragraphs)}
    head = "".join(f'<{tag} class="{name}">{text}</{tag}>' for tag, (name, text) in parts.items() if text)
    body = "".join(
        f'<div class="{name}">{text}</div>' for name, text in (("tables", tables), ("figures", figures)) if text
    )
    return f"<section><h2>{html.escape(section.title)}</h2>{head}{body}</section>"


def _tile(tile: Tile) -> str:
    label, value, note = (html.escape(text) for text in (tile.label, tile.value, tile.note))
    return f'<div class="tile"><dt>{label}</dt><dd><strong>{value}</strong> <span>{note}</span></dd></div>'


def _table(table: Table) -> str:
    caption = html.escape(table.caption)
    head = "".join(_heading(name, place in table.right) for place, name in enumerate(table.columns))
    body = "".join(_row(row, table.right) for row in table.rows)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{caption}"><table><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _heading(name: str, right: bool) -> str:
    return f'<th scope="col"{_side(right)}>{html.escape(name)}</th>' if name else "<td></td>"


def _row(row: tuple[str | Link, ...], right: tuple[int, ...]) -> str:
    first, *rest = row
    cells = "".join(f"<td{_side(place in right)}>{_cell(cell)}</td>" for place, cell in enumerate(rest, 1))
    return f'<tr><th scope="row">{_cell(first)}</th>{cells}</tr>'


def _side(right: bool) -> str:
    return ' class="figure"' if right else ""


def _cell(cell: str | Link) -> str:
    if isinstance(cell, Link):
        return f'<a href="{html.escape(cell.address)}">{html.escape(cell.text)}</a>'
    return html.escape(cell)


def _figure(figure: Figure) -> str:
    caption = html.escape(figure.caption)
    picture = f'<div role="img" aria-label="{caption}">{figure.svg}</div>'
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"
