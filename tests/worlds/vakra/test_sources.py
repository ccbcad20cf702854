"""Where a domain's database, documents and endpoints are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from agentbench.config.source import VakraSource
from agentbench.errors import DataError, PreflightError
from agentbench.worlds.vakra_sources import Sources

OK = {"200": {"description": "The values."}}
BOATS = {"operationId": "boats", "responses": OK}
OPENAPI = {"openapi": "3.0.0", "info": {"title": "t", "version": "1"}, "paths": {"/boats": {"get": BOATS}}}


def put(path: Path, content: bytes | Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))


def sources(tmp_path: Path, databases: Path | None = None, openapi: Path | None = None) -> Sources:
    source = VakraSource(data_dir=tmp_path, databases=databases, openapi=openapi)
    return Sources(source, list[str]().append)


def test_nothing_is_found_where_nothing_lies(tmp_path: Path) -> None:
    found = sources(tmp_path)
    assert (found.database("port"), found.documents("port"), found.endpoints("port").endpoints) == (None, (), ())


def test_the_database_in_a_folder_of_its_name_goes_before_others(tmp_path: Path) -> None:
    put(tmp_path / "port.sqlite", b"")
    put(tmp_path / "db/port/port.sqlite", b"")
    assert sources(tmp_path).database("port") == tmp_path / "db/port/port.sqlite"


def test_documents_of_a_list_take_any_of_the_published_names(tmp_path: Path) -> None:
    listed = [{"doc_id": 7, "text": "a"}, {"id": "x", "title": "T", "text": "b", "metadata": {}}, {"text": "c"}]
    put(tmp_path / "port_docs.json", listed)
    found = [(document.id, document.title, document.text) for document in sources(tmp_path).documents("port")]
    assert found == [("7", "", "a"), ("x", "T", "b"), ("port_docs-000003", "", "c")]


def test_another_text_under_the_same_id_gets_a_number(tmp_path: Path) -> None:
    lines = b'{"id": "a", "text": "one"}\n{"id": "a", "text": "two"}\n{"id": "a", "text": "one"}\n'
    put(tmp_path / "docs.folder/port.jsonl", lines)
    assert [document.id for document in sources(tmp_path).documents("port")] == ["a", "a#2"]


def test_a_folder_of_documents_holds_lists_and_texts(tmp_path: Path) -> None:
    put(tmp_path / "documents/port/one.json", {"id": "one", "text": "A list of one."})
    put(tmp_path / "documents/port/harbours.md", b"# Alta\nThe harbour of Alta is deep.\n")
    found = {document.id: document.text for document in sources(tmp_path).documents("port")}
    assert found == {"one": "A list of one.", "harbours-md-001": "The harbour of Alta is deep."}


def test_the_folder_of_a_database_is_no_folder_of_documents(tmp_path: Path) -> None:
    put(tmp_path / "databases/port/port.sqlite", b"")
    put(tmp_path / "databases/port/readme.txt", b"Made in May.")
    assert sources(tmp_path).documents("port") == ()


def test_a_document_without_text_is_named(tmp_path: Path) -> None:
    put(tmp_path / "port_docs.json", [{"text": "a"}, {"id": "b"}])
    with pytest.raises(DataError, match=r"port_docs\.json: document 2 has no text"):
        sources(tmp_path).documents("port")


@pytest.mark.parametrize("name", ["port_openapi.json", "openapi/port.yaml"])
def test_a_document_of_the_domains_own_gives_all_its_endpoints(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, yaml.safe_dump(OPENAPI).encode() if name.endswith("yaml") else OPENAPI)
    found = sources(tmp_path, openapi=tmp_path / "openapi" if "/" in name else None).endpoints("port")
    assert ([endpoint.name for endpoint in found.endpoints], found.by_operation) == (["boats"], {"boats": "boats"})


def test_one_document_for_all_gives_a_domain_its_own_paths(tmp_path: Path) -> None:
    paths = {f"/v1/{name}/boats": {"get": {**BOATS, "operationId": name}} for name in ("port", "port_2")}
    put(tmp_path / "all.json", {**OPENAPI, "paths": paths})
    found = sources(tmp_path, openapi=tmp_path / "all.json")
    assert [endpoint.name for endpoint in found.endpoints("port").endpoints] == ["port"]
    assert found.endpoints("sea").endpoints == ()


def test_a_place_that_is_not_there_is_told_by_its_key(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="nothing at") as error:
        sources(tmp_path, databases=tmp_path / "nowhere")
    assert error.value.next_step == "source.databases=PATH"


def test_a_broken_document_of_endpoints_is_named(tmp_path: Path) -> None:
    put(tmp_path / "openapi.json", b"{")
    with pytest.raises(DataError, match=r"openapi\.json, line 1: no JSON"):
        sources(tmp_path).endpoints("port")
