"""Plots of a sweep's figures, as PNG and SVG, by matplotlib without its global state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLOT = "sweep"
"""Name of the files, without their ending."""
MOST_LINES = 10
"""With more combinations of the other settings, or one job each, jobs are dots that are not told apart by those."""
_LOG_FROM = 8.0
"""Ratio of the largest to the smallest swept value from which the axis is logarithmic."""


class Point(NamedTuple):
    """One job of a sweep."""

    settings: Mapping[str, str]
    """Overrides by key."""
    value: float | None
    """Its figure; `None` where the job has none."""
    low: float | None = None
    """95 % interval of the figure, where one is known."""
    high: float | None = None


class Measure(NamedTuple):
    """What the figures are."""

    label: str
    share: bool = False
    """Whether they are shares in [0, 1], shown in per cent."""


class Line(NamedTuple):
    """Points that differ in the swept key alone."""

    label: str
    points: tuple[Point, ...]


def varied_keys(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """The keys in which jobs differ, in the order in which they first appear."""
    keys = dict.fromkeys(key for one in settings for key in one)
    return [key for key in keys if len({one.get(key) for one in settings}) > 1]


def swept_key(settings: Sequence[Mapping[str, str]]) -> str | None:
    """The key for the horizontal axis: numbers before words, then the one with the most values; a seed comes last."""
    keys = varied_keys(settings)

    def rank(key: str) -> tuple[bool, bool, int]:
        values = {one.get(key, "") for one in settings}
        return key != "seed", all(number(value) is not None for value in values), len(values)

    return max(keys, key=rank, default=None)


def lines(points: Sequence[Point], key: str) -> tuple[Line, ...]:
    """One line per combination of the other varied settings, sorted by the swept value where that is a number."""
    others = [other for other in varied_keys([point.settings for point in points]) if other != key]
    found: dict[str, list[Point]] = {}
    for point in points:
        label = ", ".join(f"{other}={point.settings.get(other, '')}" for other in others)
        found.setdefault(label, []).append(point)
    return tuple(
        Line(label, tuple(sorted(group, key=lambda point: _order(point, key)))) for label, group in found.items()
    )


def number(text: str) -> float | None:
    """The number that a setting is; `None` for words, and for what no axis can show."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def plot_sweep(points: Sequence[Point], measure: Measure, folder: Path) -> tuple[Path, ...]:
    """Draws the figures against the swept value; the files. None where there is nothing to draw.

    Raises:
        OSError: they cannot be written.
    """
    figure = drawing(points, measure)
    if figure is None:
        return ()
    files = tuple(folder / f"{PLOT}.{ending}" for ending in ("png", "svg"))
    for file in files:
        figure.savefig(file, dpi=160)
    return files


def drawing(points: Sequence[Point], measure: Measure) -> Figure | None:
    """The figures against the swept value; `None` without two jobs that have a figure and differ."""
    drawn = [point for point in points if point.value is not None]
    key = swept_key([point.settings for point in points])
    if key is None or len(drawn) < 2:
        return None
    from matplotlib.figure import Figure as Drawing

    figure = Drawing(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    values = list(dict.fromkeys(point.settings.get(key, "") for point in sorted(points, key=lambda p: _order(p, key))))
    scale = _horizontal(axes, key, values)
    _draw(axes, lines(drawn, key), key, scale)
    _vertical(axes, measure)
    missing = len(points) - len(drawn)
    axes.set_title(f"{missing} of {len(points)} jobs have no figure" if missing else "", fontsize="small", loc="right")
    return figure


class _Scale(NamedTuple):
    """Where swept values are on the horizontal axis."""

    places: Mapping[str, float]
    log: bool

    def shifted(self, value: str, share: float) -> float:
        """A place a little beside the value's, so that intervals of several lines do not hide each other."""
        place, places = self.places[value], sorted(self.places.values())
        if self.log:
            return place * (places[-1] / places[0]) ** (share * 0.02)
        return place + share * 0.02 * (places[-1] - places[0])


def _order(point: Point, key: str) -> float:
    return number(point.settings.get(key, "")) or 0.0


def _horizontal(axes: Axes, key: str, values: Sequence[str]) -> _Scale:
    axes.set_xlabel(key)
    numbers = [value for text in values if (value := number(text)) is not None]
    if len(numbers) < len(values):
        axes.set_xticks(range(len(values)), values, rotation=20 if sum(map(len, values)) > 60 else 0)
        return _Scale({text: float(place) for place, text in enumerate(values)}, log=False)
    log = min(numbers) > 0 and max(numbers) / min(numbers) >= _LOG_FROM
    if log:
        axes.set_xscale("log")
        room = (max(numbers) / min(numbers)) ** 0.06
        axes.set_xlim(min(numbers) / room, max(numbers) * room)
    if len(values) <= 12:
        axes.set_xticks(numbers, values)
        axes.set_xticks([], minor=True)
    return _Scale(dict(zip(values, numbers, strict=True)), log)


def _draw(axes: Axes, found: Sequence[Line], key: str, scale: _Scale) -> None:
    many = len(found) > MOST_LINES or all(len(line.points) == 1 for line in found)
    for index, line in enumerate(found):
        share = 0.0 if many else index - (len(found) - 1) / 2
        places = [scale.shifted(point.settings.get(key, ""), share) for point in line.points]
        values = [point.value or 0.0 for point in line.points]
        drawn = axes.errorbar(places, values, _reach(line.points), capsize=3, fmt="C0o" if many else "o-", markersize=4)
        drawn.set_label(line.label)
    if len(found) > 1 and not many:
        axes.legend(fontsize="small")


def _reach(points: Sequence[Point]) -> list[list[float]] | None:
    """How far the intervals go down and up; `None` where none is known."""
    known = [(point.value or 0.0, point.low, point.high) for point in points]
    below = [value - low if low is not None else 0.0 for value, low, _ in known]
    above = [high - value if high is not None else 0.0 for value, _, high in known]
    return [below, above] if any(low is not None for _, low, _ in known) else None


def _vertical(axes: Axes, measure: Measure) -> None:
    axes.set_ylabel(measure.label)
    axes.grid(axis="y", alpha=0.3)
    if measure.share:
        from matplotlib.ticker import PercentFormatter

        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
