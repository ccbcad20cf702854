"""What of a result an agent gets to read."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import types

from agentbench.tools.mcp.results import LONGEST_RESULT, one_line, result_text, without


def text(*texts: str, structured: Any = None, others: tuple[types.ContentBlock, ...] = ()) -> str:
    content = [*(types.TextContent(type="text", text=each) for each in texts), *others]
    return result_text(types.CallToolResult(content=content, structured_content=structured))


def test_text_blocks_stand_below_each_other() -> None:
    assert text("one", "two") == "one\ntwo"
    assert text() == ""


@pytest.mark.parametrize("block", ['{"n":5}', '{\n  "n": 5\n}'])
def test_structured_content_that_a_text_block_says_already_is_not_repeated(block: str) -> None:
    assert text(block, structured={"n": 5}) == block


def test_a_single_value_in_a_wrapper_counts_as_said() -> None:
    assert text("5", structured={"result": 5}) == "5"
    assert text("five", structured={"result": "five"}) == "five"


def test_other_structured_content_follows_as_json() -> None:
    assert text("Found one.", structured={"n": [1]}) == 'Found one.\n{"n":[1]}'
    assert text(structured={"n": [1]}) == '{"n":[1]}'


def test_what_is_no_text_is_named_and_not_passed_on() -> None:
    link = types.ResourceLink(type="resource_link", uri="file:///a", name="a")
    blob = types.BlobResourceContents(uri="file:///b", blob="QUFBQQ==")
    page = types.TextResourceContents(uri="file:///c", text="a page")
    others = (
        types.ImageContent(type="image", data="QUFBQQ==", mime_type="image/png"),
        types.AudioContent(type="audio", data="QUFBQQ==", mime_type="audio/wav"),
        link,
        types.EmbeddedResource(type="resource", resource=blob),
        types.EmbeddedResource(type="resource", resource=page),
    )
    named = ["[image image/png, not shown]", "[audio audio/wav, not shown]", "[link to resource file:///a, not shown]"]
    assert text(others=others).split("\n") == [*named, "[resource file:///b, not shown]", "a page"]


def test_a_very_long_result_is_cut_and_says_so() -> None:
    cut = text("x" * (LONGEST_RESULT + 7))
    assert cut == "x" * LONGEST_RESULT + " … (7 characters left out)"


def test_a_line_is_one_line_of_bounded_length() -> None:
    assert one_line(" a\n\tb  c ") == "a b c"
    assert one_line("abcdef", 3) == "abc …"


def test_secrets_are_blotted_out_unless_they_are_so_short_that_they_might_be_any_word() -> None:
    assert (
        without("key hunter2hunter2, again hunter2hunter2; on", ["hunter2hunter2", "on", ""])
        == "key ***, again ***; on"
    )
