"""Passwords and certificates: a TLS proxy with authentication of its own before a real Elasticsearch-compatible server.

The server has no security itself. The proxy's certificate is signed by an authority made for the test, so a refused
password is a real 401 over real TLS and a wrong certificate a real failure of the handshake.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agentbench.config.retriever import ElasticsearchRetriever
from agentbench.errors import PreflightError, RetrieverError
from agentbench.llm.keys import ApiKey
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.elasticsearch import ElasticsearchBm25, ElasticsearchIndex
from agentbench.tools.retriever.elasticsearch_server import ElasticsearchServer

PASSWORD = "correct horse"
KEEP = ("content-type", "accept")


class Certificate(NamedTuple):
    """An authority's certificate, and a server's with its key in one file."""

    authority: Path
    server: Path


def certificate(folder: Path) -> Certificate:
    """An authority of its own and a certificate for 127.0.0.1 that it signed."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = signed("test authority", "test authority", authority_key.public_key(), authority_key, is_ca=True)
    server = signed("127.0.0.1", "test authority", server_key.public_key(), authority_key, is_ca=False)
    pem = serialization.Encoding.PEM
    key = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    found = Certificate(folder / "ca.crt", folder / "server.pem")
    found.authority.write_bytes(authority.public_bytes(pem))
    found.server.write_bytes(server.public_bytes(pem) + key)
    return found


def signed(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePublicKey,
    authority: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(issuer_key, critical=False)
        .add_extension(address, critical=False)
        .sign(authority, hashes.SHA256())
    )


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("trusted"))


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("foreign"))


@asynccontextmanager
async def proxy(target: str, pem: Path) -> AsyncIterator[str]:
    """Address of a TLS proxy that lets nobody but `elastic` with the password through to the target."""
    expected = "Basic " + base64.b64encode(f"elastic:{PASSWORD}".encode()).decode()

    async def forward(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != expected:
            return web.json_response(UNAUTHENTICATED, status=401, headers={"X-Elastic-Product": "Elasticsearch"})
        headers = {name: value for name, value in request.headers.items() if name.lower() in KEEP}
        sent = session.request(request.method, target + request.raw_path, data=await request.read(), headers=headers)
        async with sent as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() == "x-elastic-product"}
            kept["Content-Type"] = answer.headers["Content-Type"]
            return web.Response(body=await answer.read(), status=answer.status, headers=kept)

    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", forward)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    runner = web.AppRunner(app, access_log=None)
    async with aiohttp.ClientSession() as session:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        try:
            yield f"https://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


UNAUTHENTICATED = {
    "error": {
        "root_cause": [{"type": "security_exception", "reason": "unable to authenticate user [elastic]"}],
        "type": "security_exception",
        "reason": "unable to authenticate user [elastic]",
    },
    "status": 401,
}


Checked = Callable[..., None]


@pytest.fixture
def check(es_url: str, trusted: Certificate) -> Checked:
    """`check(ca_certs=…, user=…, password=…)` asks the server behind the proxy once."""

    async def asked(ca_certs: Path | None, user: str, password: str) -> None:
        async with proxy(es_url, trusted.server) as url:
            config = ElasticsearchRetriever(url=url, ca_certs=ca_certs, user=user, max_retries=0)
            server = ElasticsearchServer(config, ApiKey("ES_PASSWORD", password))
            try:
                await server.check()
            finally:
                await server.close()

    def run(ca_certs: Path | None = trusted.authority, user: str = "elastic", password: str = PASSWORD) -> None:
        asyncio.run(asked(ca_certs, user, password))

    return run


def test_user_password_and_authority_open_the_door(check: Checked) -> None:
    check()


def test_a_wrong_password_is_named_but_not_shown(check: Checked, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(PreflightError, match=r"refuses the user 'elastic' or the password \(HTTP 401\)") as caught:
        check(password="hunter22")
    assert "ES_PASSWORD" in caught.value.next_step
    encoded = base64.b64encode(b"elastic:hunter22").decode()
    assert not any(secret in f"{caught.value} {caplog.text}" for secret in ("hunter22", encoded))


def test_a_server_that_wants_a_user_says_which_settings_name_one(check: Checked) -> None:
    with pytest.raises(PreflightError, match=r"wants a user and none is set \(HTTP 401\)") as caught:
        check(user="", password="")
    assert "set retriever.user" in caught.value.next_step and "ES_PASSWORD" in caught.value.next_step


def test_a_user_without_a_password_is_seen_before_anything_is_sent(check: Checked) -> None:
    with pytest.raises(PreflightError, match="no password for the user 'elastic'"):
        check(password="")


def test_a_certificate_of_another_authority_is_not_trusted(check: Checked, foreign: Certificate) -> None:
    with pytest.raises(PreflightError, match=r"its certificate is not trusted: .*certificate") as caught:
        check(ca_certs=foreign.authority)
    assert "retriever.ca_certs" in caught.value.next_step


def test_a_certificate_of_an_own_authority_is_not_trusted_by_itself(check: Checked) -> None:
    with pytest.raises(PreflightError, match=r"its certificate is not trusted: .*(issuer|self.signed)"):
        check(ca_certs=None)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_one_line(check: Checked, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PreflightError, match=r"ca_certs='.*ca\.pem'") as caught:
        check(ca_certs=path)
    assert "\n" not in str(caught.value)


def test_indexing_and_searching_go_through_tls_and_a_password(
    es_url: str, trusted: Certificate, four: DocumentFile, prefix: str
) -> None:
    async def played() -> list[str]:
        async with proxy(es_url, trusted.server) as url:
            config = ElasticsearchRetriever(url=url, ca_certs=trusted.authority, user="elastic")
            server = ElasticsearchServer(config, ApiKey("ES_PASSWORD", PASSWORD))
            index = ElasticsearchIndex(server, prefix, "four", four, None)
            await index.prepare(True, lambda line: None)
            hits = await ElasticsearchBm25(index).search("painting", 3)
            await server.close()
            return [hit.document.id for hit in hits]

    assert asyncio.run(played()) == ["rust"]


def test_a_password_that_changes_under_a_run_is_the_engines_fault(
    es_url: str, trusted: Certificate, four: DocumentFile, prefix: str
) -> None:
    async def played() -> None:
        async with proxy(es_url, trusted.server) as url:
            config = ElasticsearchRetriever(url=url, ca_certs=trusted.authority, user="elastic", max_retries=0)
            server = ElasticsearchServer(config, ApiKey("ES_PASSWORD", "outdated"))
            try:
                await ElasticsearchBm25(ElasticsearchIndex(server, prefix, "four", four, None)).search("iron", 3)
            finally:
                await server.close()

    with pytest.raises(RetrieverError, match="refuses the user 'elastic' or the password"):
        asyncio.run(played())


def test_a_dead_server_is_one_line_that_says_what_to_do() -> None:
    async def asked() -> None:
        server = ElasticsearchServer(ElasticsearchRetriever(url="http://127.0.0.1:1", max_retries=1), ApiKey("X"))
        try:
            await server.check()
        finally:
            await server.close()

    with pytest.raises(PreflightError, match=r"cannot reach http://127\.0\.0\.1:1: .*\(attempts: 2\)") as caught:
        asyncio.run(asked())
    assert caught.value.next_step.startswith("start the server, or correct retriever.url")


def test_a_server_that_hangs_up_on_tls_is_one_line() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.close()

    async def asked() -> None:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listener:
            url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            server = ElasticsearchServer(ElasticsearchRetriever(url=url, max_retries=0), ApiKey("X"))
            try:
                await server.check()
            finally:
                await server.close()

    with pytest.raises(PreflightError, match=r"cannot reach https://.*: the connection was closed at once \("):
        asyncio.run(asked())


@pytest.mark.parametrize("url", ["127.0.0.1:9200", "http://127.0.0.1", "nonsense"])
def test_a_url_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(PreflightError, match=f"retriever.url='{url}'"):
        ElasticsearchServer(ElasticsearchRetriever(url=url), ApiKey("X"))
