"""Names of foreign tools, as model servers take them."""

from __future__ import annotations

import re

from agentbench.tools.mcp.names import Listed, legal_names


def test_a_name_that_will_do_is_kept_and_prefixed_only_among_several_servers() -> None:
    assert legal_names([Listed("shop", "get-price"), Listed("shop", "find_2")]) == ("get-price", "find_2")
    assert legal_names([Listed("shop", "find"), Listed("web", "find")]) == ("shop_find", "web_find")


def test_every_name_is_legal_and_none_is_used_twice() -> None:
    odd = ["a/b", "a.b", "a_b", "é", "", " ", "x" * 64, "x" * 65, "x" * 66, "日本"]
    names = legal_names([Listed("s", name) for name in odd])
    assert len(set(names)) == len(odd)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)
    assert names[6] == "x" * 64


def test_a_prefix_does_not_make_two_tools_one() -> None:
    names = legal_names([Listed("a", "b_c"), Listed("a_b", "c")])
    assert len(set(names)) == 2 and all(name.startswith("a_b_c_") for name in names)


def test_a_name_does_not_hang_on_the_order_of_the_list() -> None:
    listed = [Listed("s", name) for name in ("a/b", "a.b", "plain", "y" * 90)]
    assert dict(zip(listed, legal_names(listed), strict=True)) == dict(
        zip(listed[::-1], legal_names(listed[::-1]), strict=True)
    )
