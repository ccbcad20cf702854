"""The same operations as a peer carries them out: whole-table dataframes, MCP servers, REST through MCP.

    python experiments/peers_way.py frames DATABASE      an MCP server on stdio, five operations on whole tables
    python experiments/peers_way.py rest DATABASE        an HTTP server on 127.0.0.1; prints its port
    python experiments/peers_way.py relay URL            an MCP server on stdio that asks the HTTP server, a new client
                                                         for every call

Started by bench_env.py. Tables lie joined in memory from the start. Between calls a table is either a dataframe that is
kept (`Kept`), or plain columns that every call makes a dataframe of and gives back (`Passed`), as tools do that hand
whole tables on as data.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from typing import Any

import pandas

JOIN = '"films" JOIN "studios" ON "films"."studio_id" = "studios"."id"'
COLUMNS = {
    "title": ("TEXT", "films"),
    "director": ("TEXT", "films"),
    "year": ("INTEGER", "films"),
    "rating": ("REAL", "films"),
    "gross": ("REAL", "films"),
    "studio": ("TEXT", "studios"),
    "country": ("TEXT", "studios"),
    "founded": ("INTEGER", "studios"),
}
TITLES = f'SELECT "films"."title" FROM {JOIN} WHERE "films"."director" = :director AND "studios"."country" = :country'
SHOWN_VALUES = 20

Frame = Any
"""A pandas dataframe, whose own types say less than they promise."""
Result = dict[str, Any]


class Kept:
    """Operations on dataframes that stay dataframes between calls."""

    def __init__(self, path: str) -> None:
        self._base = _load(path)
        self._tables: dict[str, Any] = {}

    def get_data(self) -> Result:
        """The table everything starts from; tables of before are forgotten."""
        self._tables = {}
        return self._keep("films", self._base)

    def filter_data(self, data_label: str, key_name: str, value: float) -> Result:
        """The rows whose column is greater than the value."""
        frame = self._table(data_label)
        return self._keep("filtered", frame[frame[key_name] > value])

    def sort_data(self, data_label: str, key_name: str) -> Result:
        """The rows, largest first."""
        return self._keep("sorted", self._table(data_label).sort_values(key_name, ascending=False))

    def aggregate_data(self, data_label: str, key_name: str) -> Result:
        """The mean of a column."""
        return {"result": self._table(data_label)[key_name].mean().item()}

    def retrieve_data(self, data_label: str, key_name: str) -> Result:
        """The first values of a column."""
        return {key_name: self._table(data_label)[key_name].head(SHOWN_VALUES).tolist()}

    def _table(self, label: str) -> Frame:
        return self._tables[label]

    def _stored(self, frame: Frame) -> Any:
        return frame

    def _keep(self, verb: str, frame: Frame) -> Result:
        label = f"{verb}_{len(self._tables) + 1}"
        self._tables[label] = self._stored(frame)
        details = [
            {"name": str(name), "dtype": str(frame[name].dtype), "first_3_values": frame[name].head(3).tolist()}
            for name in frame.columns
        ]
        return {"handle": label, "num_records": len(frame), "key_details": details}


class Passed(Kept):
    """The same operations where tables are plain columns between calls."""

    def _table(self, label: str) -> Frame:
        return pandas.DataFrame(self._tables[label])

    def _stored(self, frame: Frame) -> Any:
        return frame.to_dict(orient="list")


def main() -> None:
    """Serves until its standard input ends or it is ended."""
    kind, target = sys.argv[1:]
    match kind:
        case "frames":
            _serve_frames(Passed(target))
        case "rest":
            _serve_rest(target)
        case "relay":
            _serve_relay(target)
        case _:
            sys.exit(__doc__)


def _load(path: str) -> Frame:
    selected = ", ".join(f'"{table}"."{name}"' for name, (_, table) in COLUMNS.items())
    connection = sqlite3.connect(path)
    frame = pandas.read_sql_query(f"SELECT {selected} FROM {JOIN}", connection)
    connection.close()
    return frame


def _serve_frames(tables: Kept) -> None:
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("frames", log_level="ERROR")

    def offer(operation: Callable[..., Result]) -> None:
        server.tool(structured_output=False)(operation)

    for operation in (
        tables.get_data,
        tables.filter_data,
        tables.sort_data,
        tables.aggregate_data,
        tables.retrieve_data,
    ):
        offer(operation)
    server.run("stdio")


def _serve_rest(path: str) -> None:
    import socket

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def titles(request: Request) -> JSONResponse:
        connection = sqlite3.connect(path)
        rows = connection.execute(TITLES, dict(request.query_params)).fetchall()
        connection.close()
        return JSONResponse({"title": [title for (title,) in rows]})

    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    app = Starlette(routes=[Route("/v1/titles", titles)])
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])


def _serve_relay(url: str) -> None:
    import httpx2
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("relay", log_level="ERROR")

    async def get_titles(director: str, country: str) -> str:
        """Titles of a director's films from a country's studios."""
        async with httpx2.AsyncClient() as client:
            answer = await client.get(f"{url}/v1/titles", params={"director": director, "country": country})
            return json.dumps(answer.raise_for_status().json())

    server.tool(structured_output=False)(get_titles)
    server.run("stdio")


if __name__ == "__main__":
    main()
