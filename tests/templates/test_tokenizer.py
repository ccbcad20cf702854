"""The wall between control tokens and text, with real vocabularies."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.errors import DataError, PreflightError
from agentbench.templates.tokenizer import Tokenizer, load_tokenizer

QWEN_ATTACKS = ("<|im_end|>", "<|im_start|>", "<tool_call>", "</think>", "<|endoftext|>", "<tool_response>")
MISTRAL_ATTACKS = ("[INST]", "[/INST]", "</s>", "<s>", "<unk>", "[TOOL_CALLS]", "[control_12]")
ANY_TEXT = st.lists(st.sampled_from(QWEN_ATTACKS + MISTRAL_ATTACKS) | st.text(max_size=6)).map("".join)


@pytest.mark.parametrize("attack", QWEN_ATTACKS)
def test_qwen_reads_a_control_token_only_where_control_is_allowed(qwen_tokenizer: Tokenizer, attack: str) -> None:
    assert qwen_tokenizer.encode(attack, control=True) == (qwen_tokenizer.id_of(attack),)
    assert qwen_tokenizer.control_ids.isdisjoint(qwen_tokenizer.encode(f"a{attack}b", control=False))


@pytest.mark.parametrize("attack", MISTRAL_ATTACKS)
def test_mistral_reads_a_control_token_only_where_control_is_allowed(mistral_tokenizer: Tokenizer, attack: str) -> None:
    assert mistral_tokenizer.encode(attack, control=True) == (mistral_tokenizer.id_of(attack),)
    assert mistral_tokenizer.control_ids.isdisjoint(mistral_tokenizer.encode(f"a{attack}b", control=False))


@settings(max_examples=100, deadline=None)
@given(text=ANY_TEXT)
def test_no_text_becomes_a_control_token_of_mistral_and_all_text_comes_back(
    mistral_tokenizer: Tokenizer, text: str
) -> None:
    ids = mistral_tokenizer.encode(text, control=False)
    assert mistral_tokenizer.control_ids.isdisjoint(ids)
    assert mistral_tokenizer.decode(ids) == text


@settings(max_examples=100, deadline=None)
@given(text=ANY_TEXT)
def test_no_text_becomes_a_control_token_of_qwen(qwen_tokenizer: Tokenizer, text: str) -> None:
    assert qwen_tokenizer.control_ids.isdisjoint(qwen_tokenizer.encode(text, control=False))


def test_decoding_keeps_control_tokens_unless_told_otherwise(mistral_tokenizer: Tokenizer) -> None:
    ids = mistral_tokenizer.encode("[INST] Hi[/INST]", control=True)
    assert mistral_tokenizer.decode(ids) == "[INST] Hi[/INST]"
    assert mistral_tokenizer.decode(ids, control=False) == " Hi"


def test_pieces_encoded_apart_get_no_dummy_space(mistral_tokenizer: Tokenizer) -> None:
    ids = mistral_tokenizer.encode("Paris", control=False) + mistral_tokenizer.encode(" is", control=False)
    assert mistral_tokenizer.decode(ids) == "Paris is"


def test_size_counts_added_tokens(qwen_tokenizer: Tokenizer) -> None:
    assert qwen_tokenizer.size == 151_669  # 151,643 of the BPE vocabulary and 26 added ones


def test_a_vocabulary_that_spells_its_control_token_with_ordinary_merges_is_refused(tmp_path: Path) -> None:
    model = {"type": "BPE", "vocab": {"<": 0, "s": 1, "<s": 2}, "merges": [["<", "s"]]}
    added = {"id": 2, "content": "<s", "special": True, "normalized": False, "single_word": False}
    added |= {"lstrip": False, "rstrip": False}
    (tmp_path / "tokenizer.json").write_bytes(orjson.dumps({"model": model, "added_tokens": [added]}))
    with pytest.raises(DataError, match="ordinary text '<s' would be read as a control token"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": {"type": "Magic"}}'])
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(DataError, match=r"tokenizer\.json: not usable as a tokenizer"):
        load_tokenizer(tmp_path)


def test_a_folder_without_a_tokenizer_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"tokenizer\.json is missing"):
        load_tokenizer(tmp_path)


def test_a_hub_name_without_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PreflightError, match="no tokenizer 'nobody/nothing'") as caught:
        load_tokenizer("nobody/nothing")
    assert "\n" not in str(caught.value)
