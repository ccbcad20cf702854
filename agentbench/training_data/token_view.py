"""A token audit as people read it: the table of its checks, and a dialogue with its tokens in colours.

Texts come from users, tools and models: whatever a terminal would obey is shown as an escape.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

from rich.console import Group
from rich.table import Table
from rich.text import Text

from agentbench.templates import Span
from agentbench.templates.tokenizer import Tokenizer
from agentbench.training_data.token_figures import Check, Pair, TokenAudit
from agentbench.types import History

_UNDER_LOSS = ("bold green", "bold black on green")
_NO_LOSS = ("bright_black", "white on bright_black")
_CONTROL = "bold magenta"


def audit_table(audit: TokenAudit) -> Group:
    """Every check with our figure and the stock one, then what each means and its first example."""
    table = Table(title=f"{audit.template} (thinking={str(audit.thinking).lower()}) × {_shown(audit.tokenizer)}")
    for heading in ("check", "right", "ours", "stock"):
        table.add_column(heading)
    for check in audit.checks:
        stock = check.stock.text if check.stock else "–"
        table.add_row(check.name, "yes" if check.ok else "NO", check.ours.text, stock)
    return Group(table, Text("\n".join([_shares(audit), *(line for check in audit.checks for line in _lines(check))])))


def _shares(audit: TokenAudit) -> str:
    share = 100 * audit.under_loss / audit.tokens
    lines = [
        f"{audit.made_up} made-up and {audit.given} given episodes; "
        f"{share:.1f} % of {audit.tokens} tokens are an actor's own and carry loss"
    ]
    if audit.first_prompts is not None:
        example = f" ({_shown(audit.first_prompts.example)})" if audit.first_prompts.example else ""
        lines.append(f"{audit.first_prompts.text}{example}")
    return "\n".join(lines)


def _lines(check: Check) -> Iterator[str]:
    yield f"{check.name}: {check.explanation}"
    if check.ours.example:
        yield f"  ours: {_shown(check.ours.example)}"
    if check.stock and check.stock.example:
        yield f"  stock: {_shown(check.stock.example)}"
    if check.refusal:
        yield f"  stock: {_shown(check.refusal)}"


def coloured_dialogue(pair: Pair, history: History) -> Table:
    """An episode as it is trained on: one row per stretch, tokens in alternating shades.

    Green carries loss, grey does not, control tokens are magenta. The first column says the same without colours.
    """
    table = Table(title="tokens as they are trained on", show_lines=True)
    table.add_column("loss")
    table.add_column("tokens", justify="right")
    table.add_column("text")
    for span in pair.template.spans(history):
        label = "" if span.step is None else f"step {span.step + 1}"
        table.add_row(label, str(len(span.ids)), _coloured(pair.tokenizer, span))
    return table


def _coloured(tokenizer: Tokenizer, span: Span) -> Text:
    text = Text()
    shades = cycle(_NO_LOSS if span.step is None else _UNDER_LOSS)
    for ids in _letters(tokenizer, span.ids):
        style = _CONTROL if tokenizer.control_ids.issuperset(ids) else next(shades)
        text.append(_shown(tokenizer.decode(ids)), style)
    return text


def _letters(tokenizer: Tokenizer, ids: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Tokens one by one, those that share a letter together."""
    torn: tuple[int, ...] = ()
    for token in ids:
        torn = (*torn, token)
        if "\ufffd" not in tokenizer.decode(torn) or len(torn) == 4:
            yield torn
            torn = ()
    if torn:
        yield torn


def _shown(text: str) -> str:
    """The text with everything that is neither printable nor a line break escaped."""
    return "".join(letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text)
