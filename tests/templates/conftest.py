"""Tokenizers to test with: two real ones where they are at hand, and a small one trained on the spot; histories."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer as Rust
from tokenizers import decoders, models, pre_tokenizers, trainers

from agentbench.templates.tiny import CONTROL_TOKENS
from agentbench.templates.tokenizer import Tokenizer, load_tokenizer

REAL = Path(__file__).parents[3] / "shared" / "data" / "tokenizers"
QWEN_TOKENS = ("<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "</think>")
QWEN_TOKENS += ("<tool_response>", "</tool_response>")
MISTRAL_TOKENS = ("<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]")
MISTRAL_TOKENS += ("[TOOL_RESULTS]", "[/TOOL_RESULTS]")
GRANITE_TOKENS = ("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>")
PLAIN_TOKENS = ("<|EOT|>", "<｜begin▁of▁sentence｜>", "<|endoftext|>")


def byte_level(special: tuple[str, ...]) -> Tokenizer:
    """A byte-level BPE tokenizer of 360 tokens."""
    rust = Rust(models.BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    rust.train_from_iterator(["Who directed Heat?", "assistant user system the answer is"], trainer)
    return Tokenizer(rust.to_str().encode())


def real(name: str) -> Path:
    """The folder of a real tokenizer; skips the test where it is not there."""
    folder = REAL / name
    if not folder.is_dir():
        pytest.skip(f"the real tokenizer {name} is not at hand")
    return folder


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """Small, and it knows the control tokens of every family."""
    return byte_level((*CONTROL_TOKENS, *QWEN_TOKENS, *MISTRAL_TOKENS, *GRANITE_TOKENS, *PLAIN_TOKENS))


@pytest.fixture(scope="session")
def qwen_folder() -> Path:
    """The real Qwen3 tokenizer and chat template."""
    return real("qwen3")


@pytest.fixture(scope="session")
def mistral_folder() -> Path:
    """The real tokenizer and chat template of Mistral 7B Instruct v0.3."""
    return real("mistral_7b_instruct_v0_3")


@pytest.fixture(scope="session")
def qwen_tokenizer(qwen_folder: Path) -> Tokenizer:
    """The real Qwen3 tokenizer."""
    return load_tokenizer(qwen_folder)


@pytest.fixture(scope="session")
def mistral_tokenizer(mistral_folder: Path) -> Tokenizer:
    """The real tokenizer of Mistral 7B Instruct v0.3."""
    return load_tokenizer(mistral_folder)


@pytest.fixture(scope="session")
def chat_template() -> Callable[..., str]:
    """Renders a folder's own chat template, with the settings and the JSON spelling transformers renders it with."""

    def rendered(folder: Path, messages: tuple[dict[str, Any], ...], **values: object) -> str:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
        template = environment.from_string((folder / "chat_template.jinja").read_text())
        return template.render(messages=list(messages), add_generation_prompt=True, **values)

    return rendered
