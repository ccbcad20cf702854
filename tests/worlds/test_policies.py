"""Policies in words mean to their reader what they mean to the generator."""

from __future__ import annotations

import random

import pytest

from agentbench.config.tasks import Split
from agentbench.tasks.tool_usage import TOPICS as GROUPS
from agentbench.tasks.tool_usage import Family, family_of, read_rule, topic_group
from agentbench.types import ToolKind
from agentbench.worlds.policies import FORBIDDEN, TOPICS, WORDINGS, PolicyKind, policy

OWN = ("Movies", "Geography", "Chemistry", "Shop", "Cars of France")
EVERY_WORDING = [(family, text) for family, texts in WORDINGS.items() for text in texts]


@pytest.mark.parametrize(("family", "text"), EVERY_WORDING)
@pytest.mark.parametrize("topic", OWN)
def test_every_wording_forbids_what_its_family_forbids_on_its_topic(family: Family, text: str, topic: str):
    rule = read_rule(text.format(topic=topic), topic)
    assert rule.forbids == (ToolKind.API if family.value.endswith("only_retriever") else ToolKind.RETRIEVER,)


@pytest.mark.parametrize(("family", "text"), EVERY_WORDING)
def test_every_wording_reads_as_its_family(family: Family, text: str):
    reading = family_of(text.format(topic="Food"))
    assert reading is not None and reading.family is family


@pytest.mark.parametrize("text", [text for _, text in EVERY_WORDING if "{topic}" in text])
@pytest.mark.parametrize("own", OWN)
def test_a_wording_about_another_topic_forbids_nothing(text: str, own: str):
    others = [topic for topic in TOPICS if topic_group(topic) != topic_group(own)]
    assert len(others) >= 12
    assert not [topic for topic in others if read_rule(text.format(topic=topic), own).forbids]


def test_topics_are_the_known_groups_and_those_of_the_embedded_worlds():
    assert {topic_group(topic) for topic in TOPICS} == {*map(topic_group, GROUPS), "Chemistry"}
    assert {"Movies", "Geography", "Chemistry"} <= set(TOPICS)


@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("kind", set(PolicyKind) - {PolicyKind.NONE})
def test_a_policy_is_read_as_the_generator_means_it(kind: PolicyKind, split: Split):
    rng = random.Random(0)
    for topic in OWN * 8:
        made = policy(kind, topic, split, rng)
        assert made is not None
        assert made.rule == read_rule(made.rule.text, topic)
        assert made.rule.forbids == ((FORBIDDEN[kind],) if kind in FORBIDDEN else ())


def test_there_may_be_no_policy():
    assert policy(PolicyKind.NONE, "Movies", Split.TRAIN, random.Random(0)) is None
