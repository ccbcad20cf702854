"""Chains of hops whatever a split holds."""

from __future__ import annotations

from random import Random

import pytest

from agentbench.config.tasks import Split
from agentbench.worlds import chemistry
from agentbench.worlds.chains import Chains
from agentbench.worlds.hops import Drop, FactHop, FindHop, Input
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.views import queries, views


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    """What is known about chemistry."""
    found = views(chemistry.DOMAIN)
    return Knowledge(chemistry.DOMAIN, chemistry.extract(), found, queries(chemistry.DOMAIN, found))


@pytest.mark.parametrize("split", Split)
def test_a_document_question_is_asked_again_or_dropped_whatever_was_found(knowledge: Knowledge, split: Split):
    chains = Chains(knowledge, split, Random(0))
    told: set[str] = set()
    for stated in knowledge.corpus.stated:
        for hop in (FactHop(stated, (Input("x", "?"),)), FindHop(stated, (Input("x", "?"),))):
            try:
                assert type(chains.like((hop,))) is type(hop)
            except Drop as reason:
                told.add(str(reason))
    assert told <= {"no values in this split", "asks for what was said"}
    assert "no values in this split" in told
