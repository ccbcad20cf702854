"""Text to token ids and back, with a wall between text that may hold control tokens and text that may not.

The Rust library `tokenizers` is used directly: transformers takes seconds to import and parses special tokens in
everything it is given. Departures from the stock encoders, both so that a prompt can be put together from pieces:
no dummy space is put in front of a piece (or taken away when decoding), and nothing is added around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import tokenizers

from agentbench.errors import DataError, PreflightError


class Tokenizer:
    """Two encoders from one description: one knows the added tokens, the other was never told about them."""

    def __init__(self, description: bytes) -> None:
        """Reads the content of a `tokenizer.json`.

        Raises:
            ValueError: it is not such a description, or ordinary text would come out as one of its added tokens.
        """
        content = _free_standing(orjson.loads(description))
        try:
            self._control = tokenizers.Tokenizer.from_str(orjson.dumps(content).decode())
            self._plain = tokenizers.Tokenizer.from_str(orjson.dumps({**content, "added_tokens": []}).decode())
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(str(error)) from error
        added = {token.content: index for index, token in self._control.get_added_tokens_decoder().items()}
        self.control_ids = frozenset(index for text, index in added.items() if text.strip())
        """Ids that plain text can never become. Runs of blanks are left out: some vocabularies add them as tokens."""
        self._check_wall(added)

    @property
    def size(self) -> int:
        """Number of tokens, the added ones included."""
        return self._control.get_vocab_size(with_added_tokens=True)

    def description(self) -> str:
        """What it was made of, as the content of a `tokenizer.json`."""
        return self._control.to_str()

    def id_of(self, token: str) -> int | None:
        """The id of one token by its exact text; `None` where there is no such token."""
        return self._control.token_to_id(token)

    def encode(self, text: str, control: bool) -> tuple[int, ...]:
        """The ids of a text; control tokens are recognised in it only if `control` says so."""
        encoder = self._control if control else self._plain
        return tuple(encoder.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int], *, control: bool = True) -> str:
        """The text of ids; without `control`, control tokens are left out. Torn UTF-8 comes out as U+FFFD."""
        kept = ids if control else [index for index in ids if index not in self.control_ids]
        return self._control.decode(kept, skip_special_tokens=False)

    def _check_wall(self, added: dict[str, int]) -> None:
        for text, index in added.items():
            if index in self.control_ids and not self.control_ids.isdisjoint(self.encode(text, control=False)):
                raise ValueError(f"ordinary text {text!r} would be read as a control token")


def load_tokenizer(place: str | Path) -> Tokenizer:
    """The tokenizer of a folder that holds a `tokenizer.json`, or of a model on the hub.

    Raises:
        PreflightError: there is none, or the hub cannot be reached.
        DataError: the file is no tokenizer, or cannot keep plain text and control tokens apart.
    """
    file = Path(place) / "tokenizer.json"
    if not file.is_file():
        file = _from_hub(str(place))
    try:
        return Tokenizer(file.read_bytes())
    except ValueError as error:
        raise DataError(file, f"not usable as a tokenizer: {error}") from error


def _from_hub(name: str) -> Path:
    if Path(name).is_dir() or name.startswith((".", "/", "~")):
        raise PreflightError(f"no tokenizer in {name!r}: tokenizer.json is missing", "correct template.tokenizer")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, "tokenizer.json"))
    except (OSError, ValueError) as error:
        raise PreflightError(
            f"no tokenizer {name!r}: it is no folder here, and the hub does not give it ({type(error).__name__})",
            "set template.tokenizer to a folder with a tokenizer.json, or go online",
        ) from error


def _free_standing(description: Any) -> dict[str, Any]:
    """The description without anything that adds tokens or blanks to a piece of text, or cuts it."""
    if not isinstance(description, dict) or "model" not in description:
        raise ValueError("it describes no model")
    return {
        **description,
        **{key: _without_blank(description.get(key)) for key in ("normalizer", "pre_tokenizer", "decoder")},
        **dict.fromkeys(("post_processor", "truncation", "padding")),
    }


def _without_blank(part: dict[str, Any] | None) -> dict[str, Any] | None:
    """A part of the pipeline that neither puts a blank in front of a text nor takes one away."""
    match part:
        case {"type": "Sequence"}:
            inner = next(key for key, value in part.items() if isinstance(value, list))
            kept = [made for item in part[inner] if (made := _without_blank(item)) is not None]
            return {**part, inner: kept}
        case {"type": "Metaspace"}:
            return {**part, "prepend_scheme": "never"}
        case {"type": "ByteLevel"}:
            return {**part, "add_prefix_space": False}
        case {"type": "Prepend"} | {"type": "Strip", "content": " "}:
            return None
    return part
