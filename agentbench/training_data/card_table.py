"""The data card as it is printed."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group
from rich.table import Table
from rich.text import Text

from agentbench.training_data.card import Card, Lengths

_WIDEST_BAR = 40
"""Characters of the histogram's longest bar."""


def card_table(card: Card) -> Group:
    """Counts by group, lengths, tokens, what was left out, and warnings last."""
    warnings = (Text(f"warning: {line}", style="bold red") for line in card.warnings)
    return Group(_counts(card), *_histogram(card.lengths), Text(_rest(card)), *warnings)


def _counts(card: Card) -> Table:
    table = Table()
    table.add_column("rows by")
    table.add_column("n", justify="right")
    groups = {
        "kind": card.kinds,
        "domain": card.domains,
        "chosen" if card.rejected_categories else "category": card.chosen_categories,
        "rejected": card.rejected_categories,
    }
    for title, counts in groups.items():
        for name, count in counts.items():
            table.add_row(f"{title} {name}", str(count))
        table.add_section()
    table.add_row("all", str(card.rows + card.validation_rows), style="bold")
    return table


def _histogram(lengths: Lengths | None) -> list[Text]:
    if lengths is None:
        return []
    most = max(lengths.histogram.values())
    bars = (
        f"{name:>8} {'█' * max(1, round(_WIDEST_BAR * count / most))} {count}"
        for name, count in lengths.histogram.items()
    )
    figures = f"median {lengths.median}, p90 {lengths.p90}, p99 {lengths.p99}, longest {lengths.longest}"
    return [Text("\n".join(["rows by length in tokens", *bars, figures]))]


def _rest(card: Card) -> str:
    read = sum(source.trajectories for source in card.sources)
    lines = [
        f"{card.rows} rows and {card.validation_rows} for validation, of {card.tasks} tasks, from {read} trajectories",
        f"steps of trajectories by actor: {_listed(card.actors)}; trajectories by split: {_listed(card.splits)}",
        f"left out: {_listed(card.dropped)}",
    ]
    if card.lengths is not None:
        served = card.served
        lines += [
            f"{card.loss_share:.1%} of {card.tokens.completion:,} completion tokens carry the loss",
            f"agent steps: {served.kept_actions} as they were sampled, {served.encoded_actions} encoded from text; "
            f"recorded prompts: {served.equal_prompts} equal, {served.other_prompts} other",
        ]
    template, tokenizer = card.identity["template"], card.identity["tokenizer"]
    return "\n".join([*lines, f"template {template}, tokenizer {tokenizer or 'none'}"])


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
