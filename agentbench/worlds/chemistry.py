"""The chemistry domain: elements and isotopes from mendeleev's elements.db (MIT).

The database knows numbers and places in the periodic table; the cards know who discovered an element, where and when,
where its name comes from and who produces it; further documents say in prose what it is used for and where it is found.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from agentbench.worlds.documents import join, write_cards, write_prose
from agentbench.worlds.domain import Card, Content, Domain, Fact, Field, Kind, Link, QuerySpec, Role, Table, Value
from agentbench.worlds.source_files import package_file

DISTRIBUTIONS = ("mendeleev",)

_ELEMENT_FIELDS = (
    Field("element", "element", Role.NAME, description="Name of the element", values="elements"),
    Field("symbol", "symbol", Role.LABEL, description="Chemical symbol of the element"),
    Field("atomic_number", "atomic number", Role.LABEL, "INTEGER", "Number of protons of the element"),
    Field("series", "series", Role.CATEGORY, description="Series of the element, such as Halogens",
          clause="which series {} belongs to", by="in the series {}"),
    Field("period", "period", Role.CATEGORY, "INTEGER", "Period of the element, 1 to 7", by="in period {}"),
    Field("block", "block", Role.CATEGORY, description="Block of the element: s, p, d or f", by="in the {} block"),
    Field("weight", "weight", Role.NUMBER, "REAL", "Standard atomic weight of the element",
          most="heaviest", least="lightest", over="heavier than {}"),
    Field("density", "density", Role.NUMBER, "REAL", "Density in grams per cubic centimetre", clause="how dense {} is",
          most="densest", least="least dense", over="denser than {}"),
    Field("melting_point", "melting point", Role.NUMBER, "REAL", "Melting point in kelvin",
          clause="at which temperature {} melts", most="highest melting", least="lowest melting",
          over="melting above {} kelvin"),
    Field("boiling_point", "boiling point", Role.NUMBER, "REAL", "Boiling point in kelvin",
          clause="at which temperature {} boils", most="highest boiling", least="lowest boiling",
          over="boiling above {} kelvin"),
)  # fmt: skip

_ISOTOPE_FIELDS = (
    Field("isotope", "isotope", Role.NAME, description="Name of the isotope, such as C-14", values="isotopes"),
    Field("element", "element", Role.GROUP, description="Element of the isotope", values="elements", by="of {}"),
    Field("neutrons", "number of neutrons", Role.NUMBER, "INTEGER", "Neutrons in the nucleus",
          clause="how many neutrons {} has", most="richest", least="poorest", over="with more than {} neutrons"),
    Field("half_life", "half-life", Role.LABEL, description="Half-life of the isotope, with its unit"),
    Field("spin", "spin", Role.LABEL, description="Nuclear spin of the isotope"),
    Field("first_seen", "first sighting", Role.GROUP, "INTEGER", "Year the isotope was first seen",
          values="year", clause="when {} was first seen", by="first seen in {}", most="newest", least="oldest"),
    Field("abundance", "abundance", Role.NUMBER, "REAL", "Share of the element's atoms in nature, percent",
          most="most abundant", least="least abundant"),
)  # fmt: skip

_FACTS = (
    Fact("discoverer", "discoverer", "{entity} was discovered by {value}.", "person", "who discovered {}",
         "discovered by {}"),
    Fact("discovery_year", "discovery year", "The discovery year of {entity} is {value}.", "year",
         "when {} was discovered", number=True),
    Fact("discovery_place", "discovery place", "Its discovery place is {value}.", "place", "where {} was discovered"),
    Fact("name_origin", "name origin", "Its name origin is {value}.", clause="where the name of {} comes from"),
    Fact("cas", "CAS number", "Its CAS number is {value}.", "cas", by="with the CAS number {}"),
    Fact("producer", "main producer", "Its main producer is {value}.", "place",
         "which country is the main producer of {}"),
    Fact("price", "price", "Its price is {value} dollars per kilogram.", number=True,
         clause="how many dollars a kilogram of {} costs"),
)  # fmt: skip

_QUERIES = (
    *(QuerySpec(Kind.LOOKUP, "elements", ("element",), name) for name in
      ("symbol", "atomic_number", "series", "period", "block", "weight", "density", "melting_point", "boiling_point")),
    *(QuerySpec(Kind.LOOKUP, "isotopes", ("isotope",), name) for name in
      ("element", "neutrons", "half_life", "first_seen")),
    QuerySpec(Kind.LIST, "isotopes", ("element", "first_seen")),
    QuerySpec(Kind.LIST, "elements", ("series", "period")),
    QuerySpec(Kind.COUNT, "isotopes", ("element",)),
    QuerySpec(Kind.COUNT, "isotopes", ("first_seen",)),
    QuerySpec(Kind.COUNT, "isotopes", ("element",), over="neutrons"),
    QuerySpec(Kind.TOP, "elements", ("series", "period"), "density"),
    QuerySpec(Kind.BOTTOM, "elements", ("block", "period"), "melting_point"),
)  # fmt: skip

DOMAIN = Domain(
    "chemistry",
    "Chemistry",
    "Chemistry",
    "Who discovered each chemical element, where and when, the origin of its name, its uses, sources and producers.",
    "mendeleev elements.db, MIT",
    (Table("elements", "element", "elements", "element", _ELEMENT_FIELDS,
           missing=("smell", "taste", "magnetic moment", "bulk modulus", "lethal dose", "refractive index")),
     Table("isotopes", "isotope", "isotopes", "isotope", _ISOTOPE_FIELDS, (Link("element", "elements"),),
           missing=("gamma energy", "neutron cross section", "supplier", "storage rule"))),
    (Card("elements", _FACTS),),
    _QUERIES,
)  # fmt: skip

_ELEMENTS = """
SELECT e.*, s.name AS series, p.melting_point, p.boiling_point
FROM elements e JOIN series s ON s.id = e.series_id
LEFT JOIN (SELECT atomic_number, MAX(melting_point) AS melting_point, MAX(boiling_point) AS boiling_point
           FROM phasetransitions GROUP BY atomic_number) p USING (atomic_number)
ORDER BY atomic_number
"""
_ISOTOPES = (
    "SELECT i.*, e.name AS element, e.symbol FROM isotopes i JOIN elements e USING (atomic_number) ORDER BY i.id"
)


def extract() -> Content:
    """Rows, cards and prose of the elements.

    Raises:
        PreflightError: the package with the data is not installed.
    """
    path = package_file("mendeleev", "mendeleev/elements.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        elements = [dict(row) for row in connection.execute(_ELEMENTS)]
        isotopes = [dict(row) for row in connection.execute(_ISOTOPES)]
    rows = {item["name"]: _element_row(item) for item in elements}
    facts = {item["name"]: _facts(item) for item in elements}
    prose = {item["name"]: tuple(_prose(item)) for item in elements}
    corpus = join([
        write_cards("chemistry", DOMAIN.cards[0], facts, rows),
        write_prose("chemistry", "elements", prose, rows),
    ])  # fmt: skip
    return Content({"elements": list(rows.values()), "isotopes": [_isotope_row(item) for item in isotopes]}, corpus)


def _element_row(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "element": item["name"],
        "symbol": item["symbol"],
        "atomic_number": item["atomic_number"],
        "series": item["series"],
        "period": item["period"],
        "block": item["block"],
        "weight": _rounded(item["atomic_weight"]),
        "density": _rounded(item["density"]),
        "melting_point": _rounded(item["melting_point"]),
        "boiling_point": _rounded(item["boiling_point"]),
    }


def _isotope_row(item: dict[str, Any]) -> dict[str, Any]:
    half_life, unit = item["half_life"], item["half_life_unit"]
    return {
        "isotope": f"{item['symbol']}-{item['mass_number']}",
        "element": item["element"],
        "neutrons": item["mass_number"] - item["atomic_number"],
        "half_life": f"{half_life:g} {unit}" if half_life and unit and 0.01 <= half_life < 1e5 else None,
        "spin": item["spin"] or None,
        "first_seen": item["discovery_year"],
        "abundance": _rounded(item["abundance"]),
    }


def _rounded(value: float | None) -> float | None:
    return round(value, 2) if value is not None and round(value, 2) else None


def _facts(item: dict[str, Any]) -> dict[str, tuple[Value, ...]]:
    names = [name.strip(" .") for name in re.split(r",| and |&|;|\bet al\b", item["discoverers"] or "")]
    people = tuple(name for name in names if " " in name and 4 < len(name) <= 30 and "ancient" not in name)
    producers = re.findall(r"\d\) *([A-Z][A-Za-z ]+?)(?=  |$| *\d\))", item["top_3_producers"] or "")
    origin = (item["name_origin"] or "").strip(" .").replace('"', "'")
    price = item["price_per_kg"]
    return {
        "discoverer": people[:3],
        "discovery_year": (item["discovery_year"],) if item["discovery_year"] else (),
        "discovery_place": (item["discovery_location"],) if item["discovery_location"] else (),
        "name_origin": (origin,) if 0 < len(origin) <= 40 else (),
        "cas": (item["cas"],),
        "producer": tuple(producers[:1]),
        "price": (round(price, 2),) if price and round(price, 2) == price else (),
    }


def _prose(item: dict[str, Any]) -> Iterator[str]:
    """Sentences on uses and sources that name neither the element nor anything the database or the card knows."""
    told = re.compile(rf"\b({re.escape(item['symbol'])}|discover\w*|isolated|isotopes?)\b|\d")
    text = f"{item['uses'] or ''} {item['sources'] or ''}"
    for sentence in re.split(r"(?<=[.!?])\s+", re.sub(r"\s+", " ", text).strip()):
        words = sentence.split()
        if 4 <= len(words) <= 20 and not told.search(sentence) and sentence.endswith("."):
            yield sentence
