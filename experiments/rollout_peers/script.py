"""What the benchmark's model says in completions mode: its texts as token ids of a small tokenizer made for this.

python script.py <folder>          writes tokenizer/tokenizer.json and script.json
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
from model_server import ANSWER, CALLS
from tokenizers import Tokenizer as Rust
from tokenizers import decoders, models, pre_tokenizers, trainers

from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.tokenizer import Tokenizer, load_tokenizer
from agentbench.types import CallTools, Final, ToolCall

CONTROL = ("<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
CONTROL += ("<think>", "</think>")


def write_tokenizer(folder: Path) -> Path:
    """A byte-level BPE with Qwen3's control tokens, trained on this repository's README: words are a few tokens."""
    rust = Rust(models.BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=4096, special_tokens=list(CONTROL), initial_alphabet=alphabet, show_progress=False
    )
    rust.train_from_iterator(Path(__file__).parents[2].joinpath("README.md").read_text().splitlines(), trainer)
    folder.mkdir(parents=True, exist_ok=True)
    rust.save(str(folder / "tokenizer.json"))
    return folder


def write_script(tokenizer_folder: Path, path: Path) -> Path:
    """The completions that `model_server` gives, in order, and the token that opens a tool's result."""
    tokenizer, layout = load_tokenizer(tokenizer_folder), StudentQwen3(thinking=False)
    actions = [CallTools((ToolCall("add", {"number": number + 1}),)) for number in range(CALLS)]
    texts = ["".join(piece.text for piece in layout.action(action)) for action in (*actions, Final(ANSWER))]
    said = [_said(tokenizer, text) for text in texts]
    path.write_bytes(orjson.dumps({"result_id": tokenizer.id_of("<tool_response>"), "completions": said}))
    return path


def _said(tokenizer: Tokenizer, text: str) -> dict[str, object]:
    ids = tokenizer.encode(text, control=True)
    return {"text": text.removesuffix("<|im_end|>"), "ids": ids, "logprobs": [-0.123456] * len(ids)}


if __name__ == "__main__":
    place = Path(sys.argv[1])
    write_script(write_tokenizer(place / "tokenizer"), place / "script.json")
