"""Invented weather for real cities, the same for everybody and at any time: no network, no measurement.

A year's course per city, plus a little that depends on city and date alone.
"""

from __future__ import annotations

import datetime
import hashlib
import math
from typing import Any, NamedTuple

from agentbench.config.suggest import did_you_mean
from agentbench.errors import ToolError


class Climate(NamedTuple):
    """A city's year."""

    mean_c: float
    """Mean temperature of the year."""
    swing_c: float
    """Half of what the warmest and coldest days differ; negative where July is winter."""
    wet: float
    """Share of days with rain or snow."""


CITIES = {
    "Amsterdam": Climate(10.5, 8.0, 0.50),
    "Athens": Climate(18.5, 10.0, 0.20),
    "Bangkok": Climate(28.5, 2.0, 0.40),
    "Berlin": Climate(10.0, 10.0, 0.40),
    "Bogota": Climate(13.5, 1.0, 0.55),
    "Buenos Aires": Climate(18.0, -7.0, 0.30),
    "Cairo": Climate(22.0, 8.0, 0.05),
    "Cape Town": Climate(17.0, -4.5, 0.25),
    "Chicago": Climate(10.0, 14.0, 0.35),
    "Delhi": Climate(25.0, 10.0, 0.25),
    "Dublin": Climate(9.8, 5.5, 0.60),
    "Helsinki": Climate(6.0, 12.0, 0.45),
    "Istanbul": Climate(14.5, 9.5, 0.35),
    "Lima": Climate(19.5, -4.0, 0.03),
    "Lisbon": Climate(17.0, 6.0, 0.30),
    "London": Climate(11.0, 7.0, 0.45),
    "Madrid": Climate(15.0, 10.5, 0.20),
    "Melbourne": Climate(15.0, -6.0, 0.40),
    "Moscow": Climate(6.0, 14.0, 0.45),
    "Nairobi": Climate(19.0, -1.5, 0.30),
    "New York": Climate(13.0, 12.5, 0.35),
    "Oslo": Climate(6.5, 11.5, 0.45),
    "Paris": Climate(12.5, 8.5, 0.40),
    "Reykjavik": Climate(5.0, 5.5, 0.60),
    "Rome": Climate(16.0, 9.0, 0.25),
    "Seoul": Climate(12.5, 14.0, 0.30),
    "Singapore": Climate(27.5, 0.8, 0.50),
    "Stockholm": Climate(7.5, 10.5, 0.45),
    "Sydney": Climate(18.5, -5.0, 0.35),
    "Tokyo": Climate(16.0, 10.5, 0.35),
    "Toronto": Climate(9.0, 13.0, 0.40),
    "Vienna": Climate(11.0, 10.5, 0.35),
}


def weather(city: str, date: str) -> dict[str, Any]:
    """Temperature, sky and wind of a city on a day (`YYYY-MM-DD`).

    Raises:
        ToolError: the city is not known, or the date is none.
    """
    known = {name.casefold(): name for name in CITIES}
    name = known.get(city.strip().casefold())
    if name is None:
        raise ToolError(f"no weather for {city!r}{did_you_mean(city, CITIES)}; there are {', '.join(CITIES)}")
    try:
        day = datetime.date.fromisoformat(date)
    except ValueError as error:
        raise ToolError(f"{date!r} is no date; write it as 2026-01-31") from error
    return {"city": name, "date": date, **_on(CITIES[name], name, day)}


def _on(climate: Climate, city: str, day: datetime.date) -> dict[str, Any]:
    chance = hashlib.blake2b(f"{city} {day}".encode(), digest_size=4).digest()
    course = math.cos(2 * math.pi * (day.timetuple().tm_yday - 200) / 365.25)
    celsius = round(climate.mean_c + climate.swing_c * course + (chance[0] - 127.5) / 40)
    wet = chance[1] / 256 < climate.wet
    sky = ("snow" if celsius < 1 else "rain") if wet else ("sunny", "cloudy")[chance[2] % 2]
    return {"temperature_c": celsius, "sky": sky, "wind_km_h": chance[3] // 6}
