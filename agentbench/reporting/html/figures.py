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
WIDTH = 5.2
"""Inches: narrow enough that letters stay readable where a phone shrinks the drawing to its own width."""


class Bar(NamedTuple):
    """A share with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    n: int


class Part(NamedTuple):
    """One part of stacked columns."""

    name: str
    counts: Sequence[float]
    colour: str


class Place(NamedTuple):
    """A share with its 95 % interval, at what it cost."""

    name: str
    cost: float
    value: float
    low: float
    high: float


class Curve(NamedTuple):
    """Values over steps."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def shares(caption: str, groups: Mapping[str, Sequence[Bar]]) -> Figure:
    """Shares as dots with intervals, one row a name; `groups` are told apart by colour, the run's name for one."""
    names = list(dict.fromkeys(bar.name for bars in groups.values() for bar in bars))
    figure, axes = _drawing(0.6 + (0.14 + 0.16 * max(1, len(groups))) * max(1, len(names)))
    for place, (group, bars) in enumerate(groups.items()):
        offset = (place - (len(groups) - 1) / 2) * 0.7 / max(1, len(groups))
        rows = [names.index(bar.name) + offset for bar in bars]
        values = [bar.value for bar in bars]
        ends = [[bar.value - bar.low for bar in bars], [bar.high - bar.value for bar in bars]]
        colour = SERIES[place % len(SERIES)]
        axes.errorbar(values, rows, xerr=ends, fmt="o", capsize=3, color=colour, label=_short(group))
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    _per_cent(axes.xaxis, axes.set_xlim)
    axes.grid(axis="x", color=LINE, alpha=0.3)
    if len(groups) > 1:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=TEXT)
    return Figure(caption, _svg(figure, caption))


def stacked(caption: str, columns: Sequence[str], parts: Sequence[Part]) -> Figure:
    """Columns of stacked shares that add up to 100 %, a colour a part."""
    figure, axes = _drawing(3.4)
    totals = [sum(counts) or 1 for counts in zip(*(part.counts for part in parts), strict=True)]
    bottom = [0.0] * len(columns)
    for part in parts:
        shown = [count / total for count, total in zip(part.counts, totals, strict=True)]
        axes.bar(range(len(columns)), shown, bottom=bottom, color=part.colour, label=_short(part.name), width=0.85)
        bottom = [below + share for below, share in zip(bottom, shown, strict=True)]
    axes.set_xticks(range(len(columns)), columns)
    axes.set_xlabel("step")
    _per_cent(axes.yaxis, axes.set_ylim)
    axes.set_ylim(0, 1)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, labelcolor=TEXT, fontsize="small")
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


def against_cost(caption: str, places: Sequence[Place], x_label: str) -> Figure:
    """Shares against what they cost, a dot with its interval each, joined in the order of their cost."""
    figure, axes = _drawing(3.2)
    ordered = sorted(places, key=lambda place: place.cost)
    axes.plot([place.cost for place in ordered], [place.value for place in ordered], color=LINE, linewidth=1)
    for index, place in enumerate(places):
        ends = [[place.value - place.low], [place.high - place.value]]
        colour = SERIES[index % len(SERIES)]
        axes.errorbar(place.cost, place.value, ends, fmt="o", capsize=3, color=colour, label=_short(place.name))
    axes.set_xlabel(x_label)
    _per_cent(axes.yaxis, axes.set_ylim)
    axes.grid(axis="y", color=LINE, alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, labelcolor=TEXT)
    return Figure(caption, _svg(figure, caption))


def differences(caption: str, bars: Sequence[Bar]) -> Figure:
    """Differences in [-1, 1] as dots with intervals, one row a name; a line marks that there is none."""
    figure, axes = _drawing(0.9 + 0.4 * len(bars))
    rows = range(len(bars))
    ends = [[bar.value - bar.low for bar in bars], [bar.high - bar.value for bar in bars]]
    axes.errorbar([bar.value for bar in bars], rows, xerr=ends, fmt="o", capsize=3, color=SERIES[0])
    axes.axvline(0, color=TEXT, linewidth=1)
    axes.set_yticks(rows, [_short(bar.name) for bar in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    reach = 1.1 * max(0.05, *(max(abs(bar.low), abs(bar.high)) for bar in bars))
    axes.set_xlim(-reach, reach)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.0f}")
    axes.set_xlabel("points of success")
    axes.grid(axis="x", color=LINE, alpha=0.3)
    return Figure(caption, _svg(figure, caption))


def as_figure(caption: str, drawing: Drawing) -> Figure:
    """A drawing made elsewhere, in the page's colours."""
    drawing.set_size_inches(WIDTH, 3.4)
    for axes in drawing.axes:
        _in_page_colours(axes)
    return Figure(caption, _svg(drawing, caption))


def _drawing(height: float) -> tuple[Drawing, Axes]:
    from matplotlib.figure import Figure as Drawing

    figure = Drawing(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    for side in ("right", "top"):
        axes.spines[side].set_visible(False)
    _in_page_colours(axes)
    return figure, axes


def _in_page_colours(axes: Axes) -> None:
    axes.patch.set_alpha(0.0)
    axes.tick_params(which="both", colors=TEXT)
    for spine in axes.spines.values():
        spine.set_color(LINE)
    legend = axes.get_legend()
    words = [axes.xaxis.label, axes.yaxis.label, axes.title, *(legend.get_texts() if legend else ())]
    for text in words:
        text.set_color(TEXT)
    if legend:
        legend.set_frame_on(False)


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
