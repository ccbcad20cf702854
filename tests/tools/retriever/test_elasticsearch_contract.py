"""What our client sends, against the API as Elasticsearch documents it, and what it makes of documented answers.

A recorder over real HTTP gives the answers that the stand-in server of the other tests never gives: refusals, full
queues, old versions. It shows what we send and how we read; how a real server ranks it cannot show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import orjson
import pytest
from aiohttp import web

from agentbench.config.retriever import ElasticsearchRetriever
from agentbench.errors import PreflightError, RetrieverError
from agentbench.llm.keys import ApiKey
from agentbench.tools.retriever import Hit
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.elasticsearch import ElasticsearchBm25, ElasticsearchIndex, ElasticsearchKnn
from agentbench.tools.retriever.elasticsearch_server import ElasticsearchServer

PRODUCT = {"X-Elastic-Product": "Elasticsearch"}


class Answer(NamedTuple):
    """What the recorder says next."""

    body: Any
    status: int = 200
    headers: dict[str, str] = PRODUCT
    after_s: float = 0.0


class Sent(NamedTuple):
    """What it was asked."""

    method: str
    path: str
    query: dict[str, str]
    lines: list[Any]
    """The body's JSON values."""


NO_HITS = {"hits": {"hits": []}}
MISSING = Answer({"error": {"type": "index_not_found_exception", "reason": "no such index [x]"}, "status": 404}, 404)
FULL = Answer({"error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}, "status": 429}, 429)


def refusal(status: int, kind: str, reason: str, **more: Any) -> Answer:
    root = {"type": kind, "reason": reason}
    return Answer({"error": {**root, "root_cause": [root], **more}, "status": status}, status)


Do = Callable[[ElasticsearchServer], Awaitable[Any]]


def recorded(answers: Sequence[Answer], do: Do, **settings: Any) -> tuple[Any, list[Sent]]:
    """What `do` gives on a server with these answers, and what it sent."""
    return asyncio.run(_recorded(list(answers), do, settings))


async def _recorded(answers: list[Answer], do: Do, settings: dict[str, Any]) -> tuple[Any, list[Sent]]:
    sent: list[Sent] = []

    async def answer(request: web.Request) -> web.Response:
        lines = [orjson.loads(line) for line in (await request.read()).splitlines()]
        sent.append(Sent(request.method, request.path, dict(request.query), lines))
        body, status, headers, after_s = answers.pop(0)
        await asyncio.sleep(after_s)
        if isinstance(body, str):
            return web.Response(text=body, status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    server = ElasticsearchServer(ElasticsearchRetriever(url=url, **settings), ApiKey("X"))
    try:
        return await do(server), sent
    finally:
        await server.close()
        await runner.cleanup()


def info(number: str) -> Answer:
    return Answer({"version": {"number": number}, "tagline": "You Know, for Search"})


def test_a_search_by_words_is_a_multi_match_over_title_and_text(four: DocumentFile) -> None:
    def search(server: ElasticsearchServer) -> Awaitable[tuple[Hit, ...]]:
        return ElasticsearchBm25(ElasticsearchIndex(server, "p", "four", four, None)).search("rusty iron", 3)

    source = {"id": "iron", "title": "Iron", "text": "A metal.", "number": 1}
    hits, (sent,) = recorded([Answer({"hits": {"hits": [{"_score": 1.5, "_source": source}]}})], search)
    assert (sent.method, sent.path.startswith("/p-four-"), sent.path.endswith("/_search")) == ("POST", True, True)
    assert sent.query == {"allow_partial_search_results": "false"}
    asked = {"query": "rusty iron", "fields": ["title^0.5", "text"], "type": "most_fields"}
    (body,) = sent.lines
    assert body["query"] == {"multi_match": asked} and body["size"] == 3
    assert body["sort"] == [{"_score": "desc"}, {"number": "asc"}]
    assert (hits[0].document.id, hits[0].score) == ("iron", 1.5)


def test_a_search_by_vector_is_a_knn_of_the_documented_form(four: DocumentFile, letters: Any) -> None:
    def search(server: ElasticsearchServer) -> Awaitable[tuple[Hit, ...]]:
        return ElasticsearchKnn(ElasticsearchIndex(server, "p", "four", four, letters), letters).search("a", 7)

    _, (sent,) = recorded([Answer(NO_HITS)], search)
    knn = sent.lines[0]["knn"]
    assert knn.pop("query_vector") == pytest.approx([0.5**0.5, 0, 0.5**0.5], abs=1e-6)
    assert knn == {"field": "vector", "k": 7, "num_candidates": 200}
    assert "query" not in sent.lines[0] and "sort" not in sent.lines[0]


def prepare(documents: DocumentFile, encoder: Any = None) -> Do:
    return lambda server: ElasticsearchIndex(server, "p", "four", documents, encoder).prepare(True, lambda line: None)


def created(*statuses: int) -> Answer:
    error = {"type": "strict_dynamic_mapping_exception", "reason": "no"}
    items = [{"create": {"_id": str(n), "status": status, "error": error}} for n, status in enumerate(statuses)]
    return Answer({"errors": False, "items": items})


OK = Answer({"acknowledged": True})
COUNT = Answer({"count": 4})


def test_indexing_creates_fills_refreshes_counts_and_marks(four: DocumentFile, letters: Any) -> None:
    answers = [MISSING, OK, created(201, 201, 201, 201), OK, COUNT, OK]
    _, sent = recorded(answers, prepare(four, letters))
    name = sent[1].path[1:]
    assert [(one.method, one.path) for one in sent] == [
        ("GET", f"/{name}/_mapping"),
        ("PUT", f"/{name}"),
        ("PUT", f"/{name}/_bulk"),
        ("POST", f"/{name}/_refresh"),
        ("POST", f"/{name}/_count"),
        ("PUT", f"/{name}/_mapping"),
    ]
    assert sent[5].lines == [{"_meta": {"agentbench": {"form": 1, "complete": True}}}]


def test_a_new_index_has_one_shard_typed_fields_and_no_mark(four: DocumentFile, letters: Any) -> None:
    _, sent = recorded([MISSING, OK, created(201, 201, 201, 201), OK, COUNT, OK], prepare(four, letters))
    (body,) = sent[1].lines
    assert body["settings"]["number_of_shards"] == 1
    assert body["settings"]["analysis"]["analyzer"]["words"]["filter"] == ["lowercase", "asciifolding", "stems"]
    assert body["mappings"]["_meta"]["agentbench"]["complete"] is False
    fields = body["mappings"]["properties"]
    assert fields["vector"] == {"type": "dense_vector", "dims": 3, "index": True, "similarity": "cosine"}
    assert {name: field["type"] for name, field in fields.items() if name != "vector"} == {
        **{"id": "keyword", "number": "integer"},
        **{"title": "text", "text": "text"},
    }


def test_bulk_lines_are_an_action_and_a_document_in_turns(four: DocumentFile) -> None:
    _, sent = recorded([MISSING, OK, created(201, 201, 201, 201), OK, COUNT, OK], prepare(four))
    lines = sent[2].lines
    assert lines[0::2] == [{"create": {"_id": str(number)}} for number in range(4)]
    assert [line["id"] for line in lines[1::2]] == ["café", "iron", "neon", "rust"]
    assert set(lines[1]) == {"id", "title", "text", "number"}


def test_documents_that_are_there_already_are_no_failure(four: DocumentFile) -> None:
    recorded([MISSING, OK, created(201, 409, 409, 201), OK, COUNT, OK], prepare(four))


def test_documents_that_find_the_queue_full_are_sent_again(four: DocumentFile) -> None:
    answers = [MISSING, OK, created(201, 429, 429, 201), created(409, 201, 201, 409), OK, COUNT, OK]
    _, sent = recorded(answers, prepare(four))
    assert [one.path.rpartition("/")[2] for one in sent].count("_bulk") == 2


def test_a_document_that_is_refused_is_named(four: DocumentFile) -> None:
    with pytest.raises(PreflightError, match="document 1 is refused: strict_dynamic_mapping_exception: no"):
        recorded([MISSING, OK, created(201, 400, 201, 201)], prepare(four))


def test_a_run_that_was_faster_in_making_the_index_is_no_failure(four: DocumentFile) -> None:
    exists = refusal(400, "resource_already_exists_exception", "index [x] already exists")
    recorded([MISSING, exists, created(409, 409, 409, 409), OK, COUNT, OK], prepare(four))


def check(server: ElasticsearchServer) -> Awaitable[None]:
    return server.check()


@pytest.mark.parametrize("number", ["8.4.0", "8.19.3", "9.2.0-SNAPSHOT", "10.0.0"])
def test_servers_from_8_4_on_are_used(number: str) -> None:
    recorded([info(number)], check)


OLD = "Accept version must be either version 8 or 7, but found 9"
FAILURES = {
    "version 7": (info("7.17.0"), r"is Elasticsearch 7\.17\.0; 8\.4 or newer is needed"),
    "version 8.3": (info("8.3.3"), r"is Elasticsearch 8\.3\.3; 8\.4 or newer is needed"),
    "older than the client": (
        refusal(400, "media_type_header_exception", "Invalid media-type value", caused_by={"reason": OLD}),
        rf"too old for the installed client \d+\.\d+\.\d+: media_type_header_exception: Invalid .*{OLD}",
    ),
    "older than media types": (Answer({"error": "Content-Type [x] is not supported"}, 406), "is too old for the"),
    "another product": (Answer({"version": {"number": "9.0.0"}}, headers={}), "is no Elasticsearch server"),
    "a web page": (Answer("<html>", headers={"Content-Type": "text/html"}), "is no Elasticsearch server"),
    "no version": (Answer({"hello": "world"}), "is no Elasticsearch server"),
    "a user without rights": (
        refusal(403, "security_exception", "action [cluster:monitor/main] is unauthorized"),
        "lacks a privilege: security_exception: action",
    ),
    "an index that is closed": (refusal(403, "cluster_block_exception", "blocked"), "HTTP 403 cluster_block_exception"),
}


@pytest.mark.parametrize(("answer", "problem"), FAILURES.values(), ids=FAILURES)
def test_a_server_that_cannot_be_used_is_one_line(answer: Answer, problem: str) -> None:
    with pytest.raises(PreflightError, match=problem) as caught:
        recorded([answer], check)
    assert "\n" not in str(caught.value) and caught.value.next_step


BAD_GATEWAY = Answer("<html>Bad Gateway</html>", 502, {"Content-Type": "text/html"})


def test_what_may_pass_is_asked_again(four: DocumentFile) -> None:
    unavailable = refusal(503, "no_shard_available_action_exception", "starting")
    _, sent = recorded([FULL, unavailable, BAD_GATEWAY, info("9.0.0")], check, max_retries=3)
    assert len(sent) == 4


def test_what_does_not_pass_is_told_with_the_attempts() -> None:
    with pytest.raises(
        PreflightError, match=r"HTTP 429 es_rejected_execution_exception: queue is full \(attempts: 2\)"
    ):
        recorded([FULL, FULL, info("9.0.0")], check, max_retries=1)


def test_a_refusal_is_not_asked_again(four: DocumentFile) -> None:
    def search(server: ElasticsearchServer) -> Awaitable[tuple[Hit, ...]]:
        return ElasticsearchBm25(ElasticsearchIndex(server, "p", "four", four, None)).search("iron", 3)

    with pytest.raises(RetrieverError, match="HTTP 400 parsing_exception: unknown query"):
        recorded([refusal(400, "parsing_exception", "unknown query"), Answer(NO_HITS)], search)
    with pytest.raises(RetrieverError, match="answers a search in no known form"):
        recorded([Answer({"hits": []})], search)


def test_an_answer_that_takes_too_long_is_not_asked_again() -> None:
    late = info("9.0.0")._replace(after_s=0.5)
    with pytest.raises(PreflightError, match=r"gave no answer within 0\.05 s$"):
        recorded([late, info("9.0.0")], check, timeout_s=0.05)
