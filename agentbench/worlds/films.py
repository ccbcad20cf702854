"""The films domain: the 3,000 most reviewed usable films from bokeh-sampledata's movies.db (CC0).

The database knows who directed a film, when, how long it is and how it was received; the cards know who wrote it,
who stars in it, and where, in which language and by whom it was made. Films whose director also wrote or stars in
them are left out, so that no card names a director.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from typing import Any

from agentbench.worlds.documents import write_cards
from agentbench.worlds.domain import Card, Content, Domain, Fact, Field, Kind, QuerySpec, Role, Table, Value
from agentbench.worlds.source_files import is_latin, package_file

DISTRIBUTIONS = ("bokeh-sampledata",)
FILMS = 3000

_FIELDS = (
    Field("title", "title", Role.NAME, description="Title of the film", values="films"),
    Field("director", "director", Role.GROUP, description="Director of the film", values="person",
          clause="who directed {}", by="directed by {}"),
    Field("year", "year", Role.GROUP, "INTEGER", "Year the film came out", "year",
          clause="when {} came out", by="from {}", most="newest", least="oldest"),
    Field("genre", "genre", Role.CATEGORY, description="Main genre of the film", by="in the {} genre"),
    Field("runtime", "runtime", Role.NUMBER, "INTEGER", "Runtime of the film in minutes",
          clause="how many minutes {} lasts", most="longest", least="shortest", over="longer than {} minutes"),
    Field("rating", "rating", Role.NUMBER, "INTEGER", "Rating of the film by critics, 0 to 100",
          most="best rated", least="worst rated", over="rated above {}"),
    Field("reviews", "number of reviews", Role.NUMBER, "INTEGER", "Number of reviews of the film",
          clause="how many reviews {} has", most="most reviewed", least="least reviewed",
          over="with more than {} reviews"),
)  # fmt: skip

_FACTS = (
    Fact("writer", "writer", "{entity} was written by {value}.", "person", "who wrote {}", "written by {}"),
    Fact("star", "star", "It stars {value}.", "person", "who stars in {}", "starring {}"),
    Fact("company", "production company", "It was produced by {value}.", "company", "which company produced {}",
         "produced by {}"),
    Fact("country", "country", "It was made in {value}.", "country", "which country {} was made in"),
    Fact("language", "language", "Its language is {value}.", "language", "which language is spoken in {}"),
    Fact("box_office", "box office", "Its box office was {value} million dollars.", number=True,
         clause="how many million dollars {} earned"),
    Fact("oscars", "number of Oscars", "The number of Oscars it won is {value}.", number=True,
         clause="how many Oscars {} won"),
)  # fmt: skip

_QUERIES = (
    *(QuerySpec(Kind.LOOKUP, "films", ("title",), name) for name in
      ("director", "year", "genre", "runtime", "rating", "reviews")),
    QuerySpec(Kind.LIST, "films", ("director",)),
    QuerySpec(Kind.LIST, "films", ("director", "year")),
    QuerySpec(Kind.LIST, "films", ("genre", "year")),
    QuerySpec(Kind.COUNT, "films", ("director",)),
    QuerySpec(Kind.COUNT, "films", ("year",)),
    QuerySpec(Kind.COUNT, "films", ("year",), over="runtime"),
    QuerySpec(Kind.TOP, "films", ("director",), "runtime"),
    QuerySpec(Kind.BOTTOM, "films", ("director",), "runtime"),
    QuerySpec(Kind.TOP, "films", ("director",), "rating"),
    QuerySpec(Kind.TOP, "films", ("genre", "year"), "reviews"),
    QuerySpec(Kind.BOTTOM, "films", ("director",), "year"),
    QuerySpec(Kind.MEAN, "films", ("director",), "rating"),
    QuerySpec(Kind.SUM, "films", ("director",), "reviews"),
    QuerySpec(Kind.MAX, "films", ("year",), "runtime"),
)  # fmt: skip

DOMAIN = Domain(
    "films",
    "Films",
    "Movies",
    "Who wrote each film, who stars in it, and where, in which language and by which company it was made.",
    "bokeh-sampledata movies.db (Wikidata and Rotten Tomatoes figures), CC0-1.0",
    (Table("films", "film", "films", "title", _FIELDS, quoted=True,
           missing=("budget", "composer", "film editor", "camera operator", "costume designer", "stunt double")),),
    (Card("films", _FACTS),),
    _QUERIES,
)  # fmt: skip

_SELECT = """
SELECT o.Title, o.Year, CAST(o.Runtime AS INTEGER) AS Runtime, o.Genre, o.Director, o.Writer, o."Cast" AS Stars,
       o.Language, o.Country, o.Oscars, t.Meter, t.Reviews, t.BoxOffice, t.Production
FROM omdb o JOIN tomatoes t ON o.ID = t.ID
WHERE o.Runtime > 0 AND o.Genre <> '' AND o.Director <> '' AND o.Writer <> '' AND o."Cast" <> ''
  AND o.Language <> '' AND o.Country <> '' AND t.Meter NOT NULL AND t.Reviews NOT NULL AND t.Production <> ''
ORDER BY t.Reviews DESC, o.Title
"""


def extract() -> Content:
    """Rows and cards of the films.

    Raises:
        PreflightError: the package with the data is not installed.
    """
    path = package_file("bokeh-sampledata", "bokeh_sampledata/_data/movies.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        titles = Counter(row[0].casefold() for row in connection.execute("SELECT Title FROM omdb"))
        films = [dict(row) for row in connection.execute(_SELECT)]
    fame = Counter(name for film in films for name in film["Stars"].split(", "))
    kept = [film for film in films if titles[film["Title"].casefold()] == 1 and _usable(film)][:FILMS]
    facts = {film["Title"]: _facts(film, fame) for film in kept}
    rows = {film["Title"]: _row(film) for film in kept}
    return Content({"films": list(rows.values())}, write_cards("films", DOMAIN.cards[0], facts, rows))


def _usable(film: dict[str, Any]) -> bool:
    director, title = film["Director"], film["Title"]
    others = f"{film['Writer']}, {film['Stars']}, {film['Production']}"
    return (
        len(title) <= 30 and is_latin(title) and '"' not in title
        and "," not in director and len(director) <= 30 and is_latin(director) and director not in others
    )  # fmt: skip


def _row(film: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": film["Title"],
        "director": film["Director"],
        "year": film["Year"],
        "genre": film["Genre"].split(", ")[0],
        "runtime": film["Runtime"],
        "rating": film["Meter"],
        "reviews": film["Reviews"],
    }


def _facts(film: dict[str, Any], fame: Counter[str]) -> dict[str, tuple[Value, ...]]:
    stars = sorted(film["Stars"].split(", "), key=lambda name: (-fame[name], name))[:2]
    earned = film["BoxOffice"]
    return {
        "writer": _short(film["Writer"], 2),
        "star": _short(", ".join(stars), 2),
        "company": _short(film["Production"], 1),
        "country": _short(film["Country"], 2),
        "language": _short(film["Language"], 2),
        "box_office": (round(earned / 1e6, 1),) if earned and earned >= 1e5 else (),
        "oscars": (film["Oscars"],) if film["Oscars"] else (),
    }


def _short(listed: str, most: int) -> tuple[Value, ...]:
    names = listed.split(", ")[:most]
    return tuple(name for name in names if len(name) <= 30 and is_latin(name))
