"""A sweep's figures against what was swept."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentbench.reporting.plots import Measure, Point, lines, plot_sweep, swept_key

SUCCESS = Measure("success (95 % interval, n = 40)", share=True)


def points(**swept: str) -> list[Point]:
    """`points(horizon="2 4", tools="rest rest")`: one job per word, of rising success."""
    columns = [[(key, word) for word in words.split()] for key, words in swept.items()]
    return [Point(dict(settings), 0.1 * index, 0.0, 0.5) for index, settings in enumerate(zip(*columns, strict=True))]


@pytest.mark.parametrize(
    ("swept", "key"),
    [
        ({"sweep": "horizon horizon", "env.horizon": "2 4"}, "env.horizon"),
        ({"interface": "plain reduced plain", "lora.rank": "4 4 8"}, "lora.rank"),
        ({"env.tools": "rest rest selection", "interface": "plain reduced distracted"}, "interface"),
        ({"seed": "0 1 2", "stage.beta": "0.1 0.1 0.3"}, "stage.beta"),
        ({"seed": "0 1"}, "seed"),
        ({"seed": "0 0"}, None),
    ],
)
def test_numbers_are_swept_before_words_and_a_seed_last(swept: dict[str, str], key: str | None) -> None:
    assert swept_key([point.settings for point in points(**swept)]) == key


def test_a_line_holds_the_jobs_that_differ_in_the_swept_key_alone_in_its_order() -> None:
    found = lines(points(horizon="20 4 20", tools="rest rest selection"), "horizon")
    assert [line.label for line in found] == ["tools=rest", "tools=selection"]
    assert [point.settings["horizon"] for point in found[0].points] == ["4", "20"]


@pytest.mark.parametrize("values", ["2 3 4 20", "0.001 0.1 1 1", "plain reduced distracted plain", "1 2 null 3"])
def test_a_plot_is_written_twice_and_names_axes_and_values(tmp_path: Path, values: str) -> None:
    png, svg = plot_sweep(points(swept=values, seed="0 0 0 1"), SUCCESS, tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    words = svg.read_text()  # matplotlib draws letters, and writes each text beside them as a comment
    assert all(f"<!-- {text} -->" in words for text in (*values.split(), "swept", "100%", SUCCESS.label))


def test_a_plot_says_how_many_jobs_it_lacks(tmp_path: Path) -> None:
    failed = Point({"swept": "9"}, None)
    _, svg = plot_sweep([*points(swept="1 2"), failed], SUCCESS, tmp_path)
    assert "<!-- 1 of 3 jobs have no figure -->" in svg.read_text() and "<!-- 9 -->" in svg.read_text()


@pytest.mark.parametrize("swept", ["1", "1 1"])
def test_without_two_jobs_that_differ_there_is_nothing_to_draw(tmp_path: Path, swept: str) -> None:
    assert plot_sweep(points(swept=swept), SUCCESS, tmp_path) == () and not list(tmp_path.iterdir())
