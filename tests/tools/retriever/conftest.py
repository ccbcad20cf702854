"""Four documents, an encoder whose vectors can be worked out by hand, and an Elasticsearch-compatible server."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from agentbench.tools.retriever import Document, Retriever
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.encoders import Vectors

DOCUMENTS = (
    Document("iron", "Iron", "A metal that rusts in damp air."),
    Document("neon", "Neon", "A noble gas that glows in red signs."),
    Document("rust", "Corrosion", "Iron is eaten away by oxygen; painting it helps."),
    Document("café", "Café Müller", "A dance piece about doors and chairs."),
)
"""Nobody but the third speaks of painting; `café` comes first in the order of ids."""


class LetterEncoder:
    """How often a text has an a and a b, and one for its being a text, scaled to length 1."""

    dimensions = 3

    def __init__(self, identity: str = "letters 1") -> None:
        self.identity = identity
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded += texts
        counts = np.array([[text.count("a"), text.count("b"), 1] for text in texts], np.float32).reshape(-1, 3)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


Write = Callable[[Sequence[Document]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(documents)` is the path of a file with them."""

    def written(documents: Sequence[Document]) -> Path:
        path = tmp_path / "documents.jsonl"
        path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
        return path

    return written


@pytest.fixture
def four(write: Write) -> DocumentFile:
    """The four documents."""
    return DocumentFile(write(DOCUMENTS))


@pytest.fixture
def letters() -> LetterEncoder:
    """A fresh encoder, which remembers what it encoded."""
    return LetterEncoder()


@pytest.fixture
def make_letters() -> Callable[[str], LetterEncoder]:
    """`make_letters(identity)`."""
    return LetterEncoder


class EsServer:
    """An Elasticsearch-compatible server of its own folder and port, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = str(files("noida_db") / "noida-db")
        options = ["--data-dir", str(self._folder), "--host", "127.0.0.1", "--only", "elasticsearch"]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "start", *options, "--elasticsearch-port", str(self._port)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline and self._process.poll() is None, (
                self._folder / "server.log"
            ).read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@pytest.fixture(scope="session")
def es_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that all tests share; each needs index names of its own."""
    server = EsServer(tmp_path_factory.mktemp("es"))
    server.start()
    yield server.url
    server.kill()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EsServer]:
    """A server that the test may kill."""
    folder = tmp_path / "es"
    folder.mkdir()
    server = EsServer(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """An index prefix that no other test has."""
    return f"t{abs(hash(request.node.nodeid)):x}"


@pytest.fixture
def ids() -> Callable[..., list[str]]:
    """`ids(retriever, query, top_k)`."""

    def found(retriever: Retriever, query: str, top_k: int = 10) -> list[str]:
        return [hit.document.id for hit in asyncio.run(retriever.search(query, top_k))]

    return found


Raw = Callable[[str, Callable[[Any], Awaitable[Any]]], Any]


@pytest.fixture
def raw() -> Raw:
    """`raw(url, call)`: what the official client gets for a call of its own."""

    async def asked(url: str, call: Callable[[Any], Awaitable[Any]]) -> Any:
        from elasticsearch import AsyncElasticsearch

        async with AsyncElasticsearch(url) as client:
            return (await call(client)).body

    return lambda url, call: asyncio.run(asked(url, call))
