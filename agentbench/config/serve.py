"""What is served, and what computes the agent's model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.env import McpTransport
from agentbench.config.schema import schema


class ServeDtype(StrEnum):
    """Number format that a model server computes in."""

    AUTO = "auto"
    """What the weights were saved in; float32 on a CPU build."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@schema
class NoServe:
    """No server is started: the model runs where `model` says."""

    kind: Literal["none"] = "none"


@schema
class McpServe:
    """A world's tools as an MCP server; every session is an episode of its own."""

    kind: Literal["mcp"] = "mcp"
    transport: McpTransport = McpTransport.HTTP
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    """0: any free one; the address is printed."""


@schema
class VllmServe:
    """A vLLM server computes the weights that `model` names; runs that differ in their adapter only share one."""

    kind: Literal["vllm"] = "vllm"
    python: Path | None = None
    """Interpreter of the environment that has vLLM. Off: `.venv-vllm` of the working folder, else the running one."""
    host: str = "127.0.0.1"
    """Address it listens on; whoever reaches it may use it."""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """0: any free one."""
    tensor_parallel: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs that one copy of the model is spread over."""
    data_parallel: Annotated[int, Field(ge=1, le=64)] = 1
    """Copies of the model."""
    dtype: ServeDtype = ServeDtype.AUTO
    quantization: str | None = None
    """vLLM's name of a method, as fp8, awq or gptq. Off: what the weights' own configuration says."""
    max_length: Annotated[int, Field(ge=1)] | None = None
    """Longest prompt with its completion, in tokens. Off: the model's context."""
    memory_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of a GPU's memory for weights and cache."""
    cpu_cache_gib: Annotated[int, Field(ge=1)] = 1
    """Memory for the cache on a CPU build, in GiB."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Threads of a CPU build, bound to no core. Off: one per core, bound; a tiny student gets one."""
    prefix_caching: bool = True
    """Keep what was computed for a prompt's beginning for the next prompt that begins alike."""
    max_adapters: Annotated[int, Field(ge=0, le=256)] = 4
    """LoRA adapters that one batch may mix; more can be loaded. 0: the server takes none, and computes a bit faster."""
    max_adapter_rank: Annotated[int, Field(ge=1, le=512)] = 64
    arguments: tuple[str, ...] = ()
    """Further arguments of vLLM's server: `serve.arguments=["--max-num-seqs=512"]`."""
    start_timeout_s: Annotated[float, Field(gt=0)] = 1800.0
    """Longest time until it answers, in seconds."""
    parity: bool = True
    """Compare log-probabilities of fixed prompts with those of transformers, in float32, and refuse other weights."""
    parity_device: str = "cpu"
    """torch device of that comparison: `cpu`, `cuda:1`."""
    parity_tolerance: Annotated[float, Field(gt=0)] | None = None
    """Largest mean difference, in nats. Off: 0.01 in float32, 0.1 in 16 bits, 0.5 quantized."""


ServeKind = Annotated[McpServe | VllmServe, Field(discriminator="kind")]
"""What `agentbench.serve` keeps up."""
RunServe = Annotated[NoServe | VllmServe, Field(discriminator="kind")]
"""What computes the agent's model in a run."""
