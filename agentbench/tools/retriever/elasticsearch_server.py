"""The connection to an Elasticsearch server: the official client, with attempts, limits and one-line errors of its own.

The client's own repetition asks again at once; here 429, 5xx and connection faults are asked again after growing random
pauses, and an attempt that ran out of time is not, since the server may still be at it. A request takes a slot before
its clock starts, so that waiting for a slot is never a time-out.

Needs a server from 8.4 on. Servers of version 8 refuse a client of version 9; one of version 8 speaks to both.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import re
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from agentbench.config.retriever import ElasticsearchRetriever
from agentbench.errors import PreflightError, RetrieverError
from agentbench.llm.keys import ApiKey

if TYPE_CHECKING:
    from elasticsearch import ApiError, AsyncElasticsearch, TransportError

    Call = Callable[[AsyncElasticsearch], Awaitable[Any]]
    """One request on the client given."""

CONNECTIONS = 100
"""Most requests under way at once."""
OLDEST = (8, 4)
"""First version that answers `knn` in a search."""
FIRST_PAUSE_S = 0.2
"""Longest pause before the second attempt; it doubles with each further one, up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 10.0
_OLD_CLIENT = "pip install 'elasticsearch[async]>=8.19,<9', or use a server of version 9"


class Fault(NamedTuple):
    """What is wrong, what to do, and whether another attempt may mend it."""

    problem: str
    next_step: str
    passing: bool = False


class ElasticsearchServer:
    """One server. All its methods belong to one event loop; the password is in no error, log or record."""

    def __init__(self, config: ElasticsearchRetriever, password: ApiKey) -> None:
        """Sends nothing yet.

        Raises:
            PreflightError: the client is not installed, the URL is none, the CA file is none, or a password is missing.
        """
        self.url = config.url.rstrip("/")
        self._user = config.user
        self._password = password
        self._max_retries = config.max_retries
        self._timeout_s = config.timeout_s
        self._slots = asyncio.Semaphore(CONNECTIONS)
        if config.user and not password.value:
            raise PreflightError(f"{self.url}: no password for the user {config.user!r}", self._place_of_password())
        self._client = _client(config, password)

    async def check(self) -> None:
        """Asks the server who it is.

        Raises:
            PreflightError: it cannot be reached, refuses the user, has a certificate that is not trusted, is too old
                or is something else than Elasticsearch.
        """
        try:
            found = await self.ask(lambda client: client.info())
            number = str(found["version"]["number"])
            older = tuple(int(part) for part in re.findall(r"\d+", number)[:2]) < OLDEST
        except RetrieverError as error:
            raise PreflightError(str(error), error.next_step) from error
        except (KeyError, TypeError) as error:
            raise PreflightError(f"{self.url} is no Elasticsearch server", "correct retriever.url") from error
        if older:
            needed = ".".join(str(part) for part in OLDEST)
            raise PreflightError(f"{self.url} is Elasticsearch {number}; {needed} or newer is needed", "update it")

    async def ask(self, call: Call, *, timeout_s: float | None = None) -> Any:
        """The body of the answer to a request, over all attempts; each has `timeout_s` where given.

        Raises:
            RetrieverError: there was none, or a refusal.
        """
        from elasticsearch import ApiError, TransportError

        limit_s = max(self._timeout_s, timeout_s or 0.0)
        client = self._client.options(request_timeout=limit_s)
        for attempt in itertools.count():
            try:
                async with self._slots:
                    return (await call(client)).body
            except (ApiError, TransportError) as error:
                fault = self._explained(error, limit_s)
                if not fault.passing or attempt == self._max_retries:
                    tried = f" (attempts: {attempt + 1})" if fault.passing else ""
                    raise RetrieverError(self._shown(fault.problem) + tried, fault.next_step) from error
            await asyncio.sleep(random.uniform(0, min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)))

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.close()

    def _explained(self, error: ApiError | TransportError, limit_s: float) -> Fault:
        from elasticsearch import ApiError, ConnectionTimeout, SSLError

        match error:
            case ApiError():
                return self._refused(error)
            case SSLError():
                problem = f"{self.url}: its certificate is not trusted: {_reason(error)}"
                return Fault(problem, "set retriever.ca_certs to the PEM file of the authority that signed it")
            case ConnectionTimeout():
                return Fault(f"{self.url} gave no answer within {limit_s:g} s", "raise retriever.timeout_s")
            case _:
                problem = f"cannot reach {self.url}: {_reason(error)}"
                return Fault(problem, "start the server, or correct retriever.url (http or https, port)", passing=True)

    def _refused(self, error: ApiError) -> Fault:
        from elasticsearch.exceptions import UnsupportedProductError

        status, said = error.status_code, _said(error)
        if isinstance(error, UnsupportedProductError):
            return Fault(f"{self.url} is no Elasticsearch server, or one before 7.14", "correct retriever.url")
        if status == 401:
            return self._unauthorised()
        if status == 403 and "security_exception" in said:
            problem = f"{self.url}: the user {self._user!r} lacks a privilege: {said}"
            return Fault(problem, "give the user create_index, write, read and view_index_metadata on <index_prefix>-*")
        if status == 406 or "media_type_header" in said:
            spoken = version("elasticsearch")
            return Fault(f"{self.url} is too old for the installed client {spoken}: {said}", _OLD_CLIENT)
        if "index_not_found" in said:
            return Fault(f"{self.url} has lost an index: {said}", "run again; it is indexed anew")
        passing = status in (408, 429) or status >= 500
        return Fault(f"{self.url} refuses a request: HTTP {status} {said}", "see the server's log", passing)

    def _unauthorised(self) -> Fault:
        if not self._user:
            step = f"set retriever.user, and {self._place_of_password()}"
            return Fault(f"{self.url} wants a user and none is set (HTTP 401)", step)
        return Fault(
            f"{self.url} refuses the user {self._user!r} or the password (HTTP 401)", self._place_of_password()
        )

    def _place_of_password(self) -> str:
        name = self._password.variable
        return f"put the right one into the environment variable {name}, or a line {name}=… into .env"

    def _shown(self, text: str) -> str:
        line = " ".join(text.split())[:400]
        return line.replace(self._password.value, "***") if self._password.value else line


def _client(config: ElasticsearchRetriever, password: ApiKey) -> AsyncElasticsearch:
    try:
        from elasticsearch import AsyncElasticsearch
    except ModuleNotFoundError as error:
        problem = "the package 'elasticsearch' is not installed"
        raise PreflightError(problem, "pip install 'agentbench[elasticsearch]'") from error
    # The client logs every request, and each fault beside the error that we raise.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    authority: dict[str, Any] = {"ca_certs": str(config.ca_certs)} if config.ca_certs else {}
    try:
        return AsyncElasticsearch(
            config.url,
            basic_auth=(config.user, password.value) if config.user else None,
            connections_per_node=CONNECTIONS,
            max_retries=0,
            **authority,
        )
    except (ValueError, OSError) as error:
        settings = f"retriever.url={config.url!r} ca_certs={str(config.ca_certs) if config.ca_certs else None!r}"
        raise PreflightError(f"{settings}: {error}", "give scheme, host and port; a CA file only for https") from error


def _said(error: ApiError) -> str:
    """`type: reason` of an error body in Elasticsearch's form, else its beginning."""
    match error.body:
        case {"error": {"type": str(kind), **rest}}:
            caused = rest.get("caused_by")
            cause = f" ({caused['reason']})" if isinstance(caused, dict) and "reason" in caused else ""
            return f"{kind}: {rest.get('reason', '')}{cause}"
        case body:
            return str(body)[:200]


def _reason(error: TransportError) -> str:
    """Why there was no connection, without the client's wrapping."""
    text = str(error.message)
    verify = re.search(r"certificate verify failed: (.*?) \(_ssl", text)
    inner = re.search(r"\[(.+)\]", text)
    if inner is not None and inner[1] == "None":  # what the client says of a server that hangs up on a TLS greeting
        return "the connection was closed at once"
    return verify[1] if verify else inner[1] if inner else text or type(error).__name__
