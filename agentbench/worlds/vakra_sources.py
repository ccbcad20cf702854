"""Where a VAKRA domain's database, documents and REST endpoints lie, and what they hold.

Databases: `<domain>.sqlite` (`.db`, `.sqlite3`) anywhere below the folder. Documents: `<domain>_docs.json`,
`<domain>_docs.jsonl`, `<domain>.jsonl`, or a folder `<domain>` of .txt, .md, .json and .jsonl files below a folder of
documents. Endpoints: `<domain>.json` or `.yaml` in a folder of OpenAPI documents, `<domain>_openapi.*`, or one document
`openapi.*` for all, of which a domain takes the paths that have its name as a part (`/v1/films/…`).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.config.source import VakraSource
from agentbench.config.yaml_text import read_yaml
from agentbench.errors import DataError, PreflightError
from agentbench.tools.http.openapi import read_openapi
from agentbench.tools.http.spec import HttpEndpoint
from agentbench.tools.retriever import Document
from agentbench.worlds.building import Report
from agentbench.worlds.own_documents import SUFFIXES as TEXT_SUFFIXES
from agentbench.worlds.own_documents import read_passages

_DATABASES = (".sqlite", ".db", ".sqlite3")
_LISTS = (".json", ".jsonl")
_OPENAPI = (".json", ".yaml", ".yml")


class Endpoints(NamedTuple):
    """A domain's endpoints and what published gold calls each of them."""

    endpoints: tuple[HttpEndpoint, ...]
    by_operation: dict[str, str]
    """Tool names by the document's operationId."""


class Sources:
    """Everything beside records that a source may hold; folders are listed once."""

    def __init__(self, source: VakraSource, report: Report) -> None:
        """Lists the folders.

        Raises:
            PreflightError: a folder or file that the source names is not there.
        """
        self._report = report
        self._databases = _listed(source.databases or source.data_dir, "databases")
        self._documents = _listed(source.documents or source.data_dir, "documents")
        self._named_documents = source.documents is not None
        self._openapi = _listed(source.openapi or source.data_dir, "openapi")
        self._named_openapi = source.openapi is not None
        self._read: dict[Path, Mapping[str, Any]] = {}

    def database(self, domain: str) -> Path | None:
        """The domain's database; `None` where there is none.

        Raises:
            PreflightError: there are several.
        """
        names = {f"{domain}{suffix}" for suffix in _DATABASES}
        found = [path.resolve() for path in self._databases if path.name in names]
        nested = [path for path in found if path.parent.name == domain]
        found = nested or found
        if len(set(found)) > 1:
            raise PreflightError(f"two databases for {domain!r}: {found[0]} and {found[1]}", "source.databases=FOLDER")
        return found[0] if found else None

    def documents(self, domain: str) -> tuple[Document, ...]:
        """The domain's documents; none where no file of them is found.

        One that stands there twice is taken once; another text under the same id gets a number behind it.

        Raises:
            DataError: a file of documents holds something else.
        """
        names = {f"{domain}{middle}{suffix}" for middle in ("_docs", "_documents") for suffix in _LISTS}
        names |= {f"{domain}.jsonl"} | ({f"{domain}.json"} if self._named_documents else set())
        files = [path for path in self._documents if path.name in names]
        found = [document for path in files for document in _read_list(path)]
        if not files:
            for folder in self._folders(domain):
                found += self._read_folder(folder)
        return tuple(_told_apart(dict.fromkeys(found)))

    def endpoints(self, domain: str) -> Endpoints:
        """The domain's REST endpoints; none where no document speaks of them.

        Raises:
            DataError: a document cannot be read, or is no OpenAPI.
        """
        names = {f"{domain}{middle}{suffix}" for middle in ("_openapi", ".openapi") for suffix in _OPENAPI}
        if self._named_openapi:
            names |= {f"{domain}{suffix}" for suffix in _OPENAPI}
        own = next((path for path in self._openapi if path.name in names), None)
        shared = [path for path in self._openapi if path.stem.lower() == "openapi" and path.suffix in _OPENAPI]
        if self._named_openapi and len(self._openapi) == 1:
            shared = list(self._openapi)
        path = own or (shared[0] if shared else None)
        if path is None:
            return Endpoints((), {})
        return self._endpoints(path, None if own else domain)

    def _endpoints(self, path: Path, domain: str | None) -> Endpoints:
        if path not in self._read:
            self._read[path] = _openapi(path)
        document = dict(self._read[path])
        paths = document.get("paths")
        if domain is not None and isinstance(paths, dict):
            document["paths"] = {key: value for key, value in paths.items() if domain in str(key).split("/")}
        if not document.get("paths"):
            return Endpoints((), {})
        endpoints = read_openapi(document, str(path))
        names = {(endpoint.path, endpoint.method.value.lower()): endpoint.name for endpoint in endpoints}
        operations = dict(_operations(document["paths"]))
        return Endpoints(endpoints, {name: names[place] for place, name in operations.items() if place in names})

    def _folders(self, domain: str) -> Iterator[Path]:
        """Folders of the domain's name that hold documents; databases lie in folders of that name as well."""
        folders = dict.fromkeys(path.parent for path in self._documents if path.parent.name == domain)
        for folder in folders:
            if self._named_documents or any("doc" in above.name.lower() for above in folder.parents):
                yield folder

    def _read_folder(self, folder: Path) -> list[Document]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        lists = [document for path in files if path.suffix in _LISTS for document in _read_list(path)]
        if not any(path.suffix.lower() in TEXT_SUFFIXES for path in files):
            return lists
        return [*lists, *(passage.document for passage in read_passages(folder, self._report))]


def _listed(place: Path, key: str) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise PreflightError(f"nothing at {place}", f"source.{key}=PATH")
    files = (path for path in sorted(place.rglob("*")) if path.is_file())
    return [path for path in files if not any(part.startswith(".") for part in path.relative_to(place).parts)]


def _told_apart(documents: Iterable[Document]) -> Iterator[Document]:
    times: Counter[str] = Counter()
    for document in documents:
        times[document.id] += 1
        number = times[document.id]
        yield document if number == 1 else dataclasses.replace(document, id=f"{document.id}#{number}")


def _read_list(path: Path) -> Iterator[Document]:
    for number, value in enumerate(_values(path), 1):
        match value:
            case {"text": str(text)} if text.strip():
                given = next((value[key] for key in ("id", "doc_id", "chunk_id") if value.get(key) is not None), "")
                yield Document(str(given) or f"{path.stem}-{number:06d}", str(value.get("title") or ""), text)
            case _:
                raise DataError(path, f"document {number} has no text: {str(value)[:80]!r}")


def _values(path: Path) -> list[Any]:
    content = path.read_bytes()
    try:
        if path.suffix == ".jsonl":
            return [orjson.loads(line) for line in content.splitlines() if line.strip()]
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise DataError(path, f"no JSON: {error.msg}") from None
    if isinstance(value, dict):
        return value["documents"] if isinstance(value.get("documents"), list) else [value]
    return value if isinstance(value, list) else [value]


def _openapi(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_bytes()
        value = orjson.loads(text) if path.suffix == ".json" else read_yaml(text)
    except orjson.JSONDecodeError as error:
        raise DataError(path, f"no JSON: {error.msg}", error.lineno) from None
    except ValueError as error:
        raise DataError(path, f"no YAML: {error}") from None
    if not isinstance(value, dict):
        raise DataError(path, "no OpenAPI document: not an object")
    return value


def _operations(paths: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for path, item in paths.items():
        for method, operation in item.items() if isinstance(item, dict) else ():
            if isinstance(operation, dict) and isinstance(operation.get("operationId"), str):
                yield (str(path), str(method).lower()), operation["operationId"]
