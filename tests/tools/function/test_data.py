"""Weather and search answer alike for everybody."""

from __future__ import annotations

import datetime

import pytest

from agentbench.errors import ToolError
from agentbench.tools.function.search import search, texts
from agentbench.tools.function.weather import CITIES, weather


def test_the_weather_of_a_day_is_always_the_same() -> None:
    day = weather("paris", "2026-07-14")
    assert day == weather(" Paris ", "2026-07-14") and day["city"] == "Paris"
    assert day["sky"] in ("sunny", "cloudy", "rain", "snow")


def test_a_year_has_its_course_on_both_sides_of_the_equator() -> None:
    def mean(city: str, month: int) -> float:
        days = [datetime.date(2026, month, day) for day in range(1, 29)]
        return sum(weather(city, str(day))["temperature_c"] for day in days) / len(days)

    assert mean("Moscow", 7) - mean("Moscow", 1) > 20  # twice a swing of 14 degrees, less some chance
    assert mean("Sydney", 1) - mean("Sydney", 7) > 6


@pytest.mark.parametrize(
    ("city", "date", "problem"), [("Pariss", "2026-01-01", "did you mean 'Paris'"), ("Rome", "tomorrow", "is no date")]
)
def test_a_question_about_no_weather_says_what_there_is(city: str, date: str, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        weather(city, date)


def test_the_text_about_the_words_comes_first() -> None:
    assert search("Who discovered penicillin?", top_k=1)["results"][0]["title"] == "Penicillin"
    assert search("xyzzy") == {"results": []}


def test_rarer_words_weigh_more() -> None:
    found = [each["title"] for each in search("the year of the Eiffel Tower")["results"]]
    assert found[0] == "Eiffel Tower"


def test_every_city_and_text_is_there_once() -> None:
    assert len({each.title for each in texts()}) == len(texts()) and len(CITIES) > 25
