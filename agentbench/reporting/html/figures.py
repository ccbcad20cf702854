"""Figures of a report as SVG, by matplotlib. Lines and letters take the page's colours, light or dark."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from agentbench.reporting.html.page import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

TEXT, LINE = "#010203", "#010204"
"""Stand for the page's own colours until the drawing is written."""
SERIES = ("#3d84c6", "#d9822b", "#3f9c5f", "#b5567d", "#8c6cc9", "#7d838c", "#b59b1d", "#2f9e9e", "#c25450", "#5b6ee1")
"""Mid-tones that stand out from a white ground and from a dark one."""
LONGEST_NAME = 40


class Bar(NamedTuple):
    """A share with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    n: int


class Curve(NamedTuple):
    """Values over steps."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def shares(caption: str, groups: Mapping[str, Sequence[Bar]]) -> Figure:
    """Shares as dots with intervals, one row a name; `groups` are told apart by colour, the run's name for one."""
    names = list(dict.fromkeys(bar.name for bars in groups.values() for bar in bars))
    figure, axes = _drawing(0.6 + 0.3 * max(1, len(groups)) * max(1, len(names)))
    for place, (group, bars) in enumerate(groups.items()):
        offset = (place - (len(groups) - 1) / 2) * 0.7 / max(1, len(groups))
        rows = [names.index(bar.name) + offset for bar in bars]
        values = [bar.value for bar in bars]
        ends = [[bar.value - bar.low for bar in bars], [bar.high - bar.value for bar in bars]]
        colour = SERIES[place % len(SERIES)]
        axes.errorbar(values, rows, xerr=ends, fmt="o", capsize=3, color=colour, label=group)
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    _per_cent(axes.xaxis, axes.set_xlim)
    axes.grid(axis="x", color=LINE, alpha=0.3)
    if len(groups) > 1:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=TEXT)
    return Figure(caption, _svg(figure, caption))


def stacked(caption: str, columns: Sequence[str], counts: Mapping[str, Sequence[float]], y_label: str) -> Figure:
    """Columns of stacked counts, one colour a name."""
    figure, axes = _drawing(3.4)
    bottom = [0.0] * len(columns)
    for place, (name, values) in enumerate(counts.items()):
        hatch = "//" if place >= len(SERIES) else None
        colour = SERIES[place % len(SERIES)]
        axes.bar(range(len(columns)), values, bottom=bottom, color=colour, label=_short(name), hatch=hatch, width=0.8)
        bottom = [below + value for below, value in zip(bottom, values, strict=True)]
    axes.set_xticks(range(len(columns)), columns)
    axes.set_xlabel("step")
    axes.set_ylabel(y_label)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, labelcolor=TEXT)
    return Figure(caption, _svg(figure, caption))


def over_steps(caption: str, bars: Sequence[Bar]) -> Figure:
    """Shares with intervals against the step's number."""
    figure, axes = _drawing(2.8)
    places = range(1, len(bars) + 1)
    values = [bar.value for bar in bars]
    ends = [[bar.value - bar.low for bar in bars], [bar.high - bar.value for bar in bars]]
    axes.errorbar(places, values, yerr=ends, fmt="o-", capsize=3, color=SERIES[0])
    axes.set_xticks(list(places), [bar.name for bar in bars])
    axes.set_xlabel("step")
    _per_cent(axes.yaxis, axes.set_ylim)
    axes.grid(axis="y", color=LINE, alpha=0.3)
    return Figure(caption, _svg(figure, caption))


def curves(caption: str, found: Sequence[Curve], x_label: str) -> Figure:
    """Lines over steps, of losses for one."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _drawing(3.0)
    for place, curve in enumerate(found):
        mark = "o" if len(curve.x) < 30 else None
        axes.plot(curve.x, curve.y, color=SERIES[place % len(SERIES)], label=_short(curve.name), marker=mark, ms=3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(x_label)
    axes.grid(axis="y", color=LINE, alpha=0.3)
    if len(found) > 1:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=TEXT)
    return Figure(caption, _svg(figure, caption))


def _drawing(height: float) -> tuple[Drawing, Axes]:
    from matplotlib.figure import Figure as Drawing

    figure = Drawing(figsize=(6.5, height), layout="constrained")
    axes = figure.add_subplot()
    axes.patch.set_alpha(0.0)
    axes.tick_params(colors=TEXT)
    for side, spine in axes.spines.items():
        spine.set_color(LINE)
        spine.set_visible(side in ("left", "bottom"))
    axes.xaxis.label.set_color(TEXT)
    axes.yaxis.label.set_color(TEXT)
    return figure, axes


def _per_cent(axis: Any, set_limits: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    set_limits(-0.02, 1.02)
    axis.set_major_formatter(PercentFormatter(1))


def _short(name: str) -> str:
    """A name on one line, with dollar signs that mean nothing."""
    return textwrap.shorten(name, LONGEST_NAME, placeholder="…").replace("$", r"\$") or "…"


def _svg(figure: Drawing, salt: str) -> str:
    """The drawing without its XML head; `salt` keeps its ids apart from those of other drawings."""
    import matplotlib as mpl

    written = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt, "font.family": "sans-serif", "font.size": 10}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    return text[text.index("<svg") :].replace(TEXT, "currentColor").replace(LINE, "var(--soft)")
