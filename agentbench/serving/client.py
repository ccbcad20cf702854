"""What is asked of a vLLM server beside the episodes' completions. Blocking, and on loopback: no proxy."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import Any, NamedTuple

import orjson

from agentbench.errors import PreflightError

_LOAD_S = 600.0
"""Longest time that loading an adapter or computing a probe may take."""
_ANSWER_S = 10.0
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_LOST = (OSError, http.client.HTTPException)


class Sampled(NamedTuple):
    """A completion token by token."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Natural logarithms, at temperature 1."""


class PrefixCache(NamedTuple):
    """A server's counts since it started."""

    asked: int
    """Prompt tokens that were looked up."""
    found: int
    """Those that had been computed before."""

    def since(self, before: PrefixCache) -> PrefixCache:
        """The counts that came after earlier ones."""
        return PrefixCache(self.asked - before.asked, self.found - before.found)

    @property
    def rate(self) -> float | None:
        """Share found, in [0, 1]; `None` where nothing was looked up."""
        return self.found / self.asked if self.asked else None


class ServerClient:
    """One server, by its address without a path."""

    def __init__(self, url: str, api_key: str = "") -> None:
        self._url = url
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    def is_ready(self, name: str) -> bool:
        """Whether the server answers and serves a model of this name."""
        try:
            self._ask("/health", timeout_s=_ANSWER_S)
            return name in self.models()
        except (*_LOST, PreflightError):
            return False

    def models(self) -> tuple[str, ...]:
        """Names of the model and of the adapters that are loaded.

        Raises:
            OSError, HTTPException: the server cannot be asked.
        """
        return tuple(model["id"] for model in self._cards())

    def context(self, name: str) -> int:
        """The longest prompt with its completion, in tokens, of the base model.

        Raises:
            OSError, HTTPException: the server cannot be asked.
        """
        return next(int(model["max_model_len"]) for model in self._cards() if model["id"] == name)

    def _cards(self) -> list[dict[str, Any]]:
        return orjson.loads(self._ask("/v1/models", timeout_s=_ANSWER_S))["data"]

    def load_adapter(self, name: str, folder: str) -> None:
        """Loads a LoRA adapter under a name; one that is loaded already stays.

        Raises:
            PreflightError: the server refuses it.
        """
        if name in self.models():
            return
        try:
            self._tell("/v1/load_lora_adapter", {"lora_name": name, "lora_path": folder}, f"adapter {folder!r}")
        except PreflightError:
            if name not in self.models():  # another run may have been quicker
                raise

    def unload_adapter(self, name: str) -> None:
        """Takes an adapter away.

        Raises:
            PreflightError: the server has none of this name.
        """
        self._tell("/v1/unload_lora_adapter", {"lora_name": name}, f"adapter {name!r}")

    def greedy(self, name: str, prompt: tuple[int, ...], tokens: int) -> Sampled:
        """The likeliest next tokens.

        Raises:
            PreflightError: the server refuses or fails.
        """
        body = {"model": name, "prompt": prompt, "max_tokens": tokens, "temperature": 0.0, "ignore_eos": True}
        answer = self._tell(
            "/v1/completions", {**body, "logprobs": 1, "return_token_ids": True}, f"a probe of {name!r}"
        )
        choice = orjson.loads(answer)["choices"][0]
        return Sampled(tuple(choice["token_ids"]), tuple(choice["logprobs"]["token_logprobs"]))

    def prefix_cache(self) -> PrefixCache:
        """The counts, over all copies of the model; zeros where the server tells none."""
        try:
            lines = self._ask("/metrics", timeout_s=_ANSWER_S).decode().splitlines()
        except (*_LOST, PreflightError):
            return PrefixCache(0, 0)
        return PrefixCache(_total(lines, "vllm:prefix_cache_queries"), _total(lines, "vllm:prefix_cache_hits"))

    def _tell(self, path: str, body: dict[str, Any], what: str) -> bytes:
        try:
            return self._ask(path, orjson.dumps(body), timeout_s=_LOAD_S)
        except _LOST as error:
            raise PreflightError(f"{self._url} is lost: {error}", "see the server's log") from error
        except PreflightError as refusal:
            raise PreflightError(f"the server refuses {what}: {refusal}") from refusal

    def _ask(self, path: str, body: bytes | None = None, *, timeout_s: float) -> bytes:
        request = urllib.request.Request(self._url + path, body, self._headers)
        try:
            with _NO_PROXY.open(request, timeout=timeout_s) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise PreflightError(_told(error.read()) or f"HTTP {error.code}") from error


def _told(body: bytes) -> str:
    """What an error answer says, on one line."""
    try:
        text = orjson.loads(body)["error"]["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = body.decode("utf-8", "replace")
    return " ".join(str(text).split())[:300]


def _total(lines: list[str], name: str) -> int:
    """The sum of a counter over its labels; Prometheus' text form ends its name in `_total`."""
    values = [line.rpartition(" ")[2] for line in lines if line.startswith((f"{name}_total", f"{name}{{"))]
    return int(sum(map(float, values)))
