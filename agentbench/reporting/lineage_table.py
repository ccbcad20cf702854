"""A lineage as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agentbench.reporting.lineage import Artefact
from agentbench.reporting.plain import harmless

HASH_CHARS = 12


def lineage_tables(found: Sequence[Artefact]) -> Group:
    """How the target came about, then what it was used for."""
    above = [artefact for artefact in found if not artefact.use]
    below = [artefact for artefact in found if artefact.use]
    parts: list[RenderableType] = [_table("how it came about", above)]
    parts.append(_table("what it was used for", below) if below else Text("no run below that folder used it"))
    changed = sum(artefact.changed for artefact in found)
    if changed:
        parts.append(Text(f"! {changed} of them hold something else by now than when they were read, or are gone"))
    return Group(*parts)


def _table(title: str, artefacts: Sequence[Artefact]) -> Table:
    table = Table(title=title, title_justify="left", show_lines=True)
    table.add_column("what", no_wrap=True)
    table.add_column("hash", no_wrap=True)
    table.add_column("where, and the command that made it", overflow="fold")
    table.add_column("when, commit", no_wrap=True)
    for artefact in artefacts:
        mark = "! " if artefact.changed else ""
        where = Text.assemble(harmless(artefact.path), *_made_by(artefact))
        when = Text(f"{artefact.started[:19].replace('T', ' ')}\n{artefact.commit}".strip())
        stage = Text(artefact.stage.replace("_", " "))
        table.add_row(stage, Text(f"{mark}{artefact.sha256[:HASH_CHARS]}"), where, when)
    return table


def _made_by(artefact: Artefact) -> tuple[Text, ...]:
    return (Text("\n$ ", style="dim"), harmless(artefact.command, "dim")) if artefact.command else ()
