from __future__ import annotations

import hashlib

from agentbench.tools.checksum import tool_list_checksum
from agentbench.types import ToolSpec

SPECS = (
    ToolSpec(
        "rivers_by_country",
        "The rivers of a country.",
        {
            "type": "object",
            "properties": {"country": {"type": "string", "description": "Country, as in Perú"}},
            "required": ["country"],
        },
    ),
    ToolSpec("lakes", "All lakes.", {"type": "object", "properties": {}, "required": []}),
)
CANONICAL = (
    '[{"inputSchema":{"properties":{},"required":[],"type":"object"},"name":"lakes"},'
    '{"inputSchema":{"properties":{"country":{"description":"Country, as in Per\\u00fa","type":"string"}},'
    '"required":["country"],"type":"object"},"name":"rivers_by_country"}]'
)
"""The list as the published algorithm writes it, by hand: names in order, keys in order, no spaces, ASCII only."""


def test_the_checksum_is_that_of_the_list_written_out_by_hand() -> None:
    assert tool_list_checksum(SPECS) == hashlib.sha256(CANONICAL.encode("ascii")).hexdigest()


def test_the_order_of_tools_and_what_they_say_of_themselves_have_no_part_in_it() -> None:
    silent = [ToolSpec(spec.name, "", spec.parameters) for spec in reversed(SPECS)]
    assert tool_list_checksum(silent) == tool_list_checksum(SPECS)


def test_a_parameter_more_is_another_list() -> None:
    other = ToolSpec("lakes", "", {"type": "object", "properties": {"a": {}}, "required": []})
    assert tool_list_checksum([SPECS[0], other]) != tool_list_checksum(SPECS)


def test_an_empty_list_has_the_checksum_of_two_brackets() -> None:
    assert tool_list_checksum(()) == hashlib.sha256(b"[]").hexdigest()
