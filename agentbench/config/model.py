"""Which model answers, and where it runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from agentbench.config.schema import schema


class Dtype(StrEnum):
    """Number format of weights and activations."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Quantization(StrEnum):
    """How weights of linear layers are kept while a model answers; computed with is `dtype`."""

    INT8 = "int8"
    """8 bits, with outlier columns apart (LLM.int8, Dettmers et al. 2022)."""
    NF4 = "nf4"
    """4 bits, doubly quantized (Dettmers et al. 2023)."""


class ApiMode(StrEnum):
    """Which endpoint of an OpenAI-compatible server is used."""

    CHAT = "chat"
    """/chat/completions with messages and tool declarations."""
    COMPLETIONS = "completions"
    """/completions with the template's own prompt."""


def _addresses(given: object) -> object:
    """One address, or several that differ."""
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list | tuple) or not listed or not all(isinstance(url, str) and url for url in listed):
        raise PydanticCustomError("addresses", "must be an address or a list of addresses")
    if len(set(listed)) < len(listed):
        raise PydanticCustomError("addresses", "must name every server once")
    return given if isinstance(given, str) else tuple(listed)


Addresses = Annotated[str | tuple[str, ...], BeforeValidator(_addresses)]


@schema
class Price:
    """What a model server charges, in US dollars per million tokens; 0 where it costs nothing."""

    prompt: Annotated[float, Field(ge=0)] = 0.0
    cached: Annotated[float, Field(ge=0)] = 0.0
    """Prompt tokens that the server had cached."""
    completion: Annotated[float, Field(ge=0)] = 0.0


@schema
class TinyModel:
    """A Qwen3-architecture student of well under a million parameters, trained here from scratch."""

    kind: Literal["tiny"] = "tiny"
    path: Path | None = None
    """Folder of a trained student. Off: the cached one of these settings, trained first if it is not there."""
    hidden_size: Annotated[int, Field(ge=16, le=1024)] = 96
    layers: Annotated[int, Field(ge=1, le=16)] = 2
    heads: Annotated[int, Field(ge=1, le=32)] = 4
    vocab_size: Annotated[int, Field(ge=512, le=65536)] = 2048
    """Size of the student's own byte-level BPE vocabulary, control tokens included."""
    max_batch: Annotated[int, Field(ge=1, le=1024)] = 64
    """Requests answered together."""
    max_tokens: Annotated[int, Field(ge=1)] = 80
    """Longest completion, in tokens, if `agent.max_tokens` is larger: its actions are short, its ramblings are not."""


@schema
class HfModel:
    """A transformers causal language model run in this process."""

    kind: Literal["hf"] = "hf"
    path: str
    """Folder, or name on the hub."""
    adapter: Path | None = None
    """Folder of a LoRA adapter for this base model."""
    dtype: Dtype = Dtype.FLOAT32
    device: str = "cpu"
    """torch device: `cpu`, `cuda`, `cuda:1`."""
    quantization: Quantization | None = None
    """Fewer bits per weight while the model answers; needs bitsandbytes. Off: all of `dtype`. Trained in 4 bits is with
    lora=qlora, and a served model has serve.quantization."""
    max_batch: Annotated[int, Field(ge=1, le=1024)] = 32
    """Requests answered together."""
    prefix_cache_gib: Annotated[float, Field(ge=0)] = 1.0
    """Memory on the device for what was computed for prompts, in GiB: an episode's next prompt goes on with it."""


@schema
class OpenAIModel:
    """A model behind an OpenAI-compatible HTTP server."""

    kind: Literal["openai"] = "openai"
    base_url: Addresses
    """Address up to and including the version: `http://127.0.0.1:8000/v1`. Several servers with the same model share
    the episodes: `[http://a:8000/v1,http://b:8000/v1]`; one that goes away is left out until it is back."""
    name: str
    """Model name the server knows."""
    mode: ApiMode = ApiMode.CHAT
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable (or line in `.env`) that holds the key; the key itself is never a value here."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Limit for one attempt, in seconds."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 4
    """Further attempts after 408, 429, 5xx, cut connections, time-outs and garbage (these two: twice at most)."""
    down_timeout_s: Annotated[float, Field(ge=0)] = 300.0
    """Longest time for which a server that went away is waited for, in seconds: requests are held back, clocks of
    episodes stand still, and the run goes on once it is back. Past it the run ends and can be resumed. 0: do not wait.
    """
    max_connections: Annotated[int, Field(ge=1)] | None = None
    """Requests under way at once, at each server. Off: as many as `concurrency`."""
    price: Price = Price()


ModelConfig = Annotated[TinyModel | HfModel | OpenAIModel, Field(discriminator="kind")]
