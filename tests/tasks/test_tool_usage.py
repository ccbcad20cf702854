"""Policies in words are understood, whatever the words, and never guessed at."""

from __future__ import annotations

import pytest

from agentbench.tasks.tool_usage import LONGEST, TOPICS, Family, Reading, family_of, read_rule, readings, topic_group
from agentbench.types import Rule, ToolKind
from agentbench.worlds.policies import TOPICS as OWN_TOPICS
from agentbench.worlds.policies import WORDINGS

OWN = [(family, wording) for family, wordings in WORDINGS.items() for wording in wordings]

UNDERSTOOD = """
only_retriever | Please rely exclusively on document retrievers.
only_retriever | Use retrievers to find every answer. No other kind of tool may be called.
only_retriever | Answer by calling nothing but document retrievers.
only_retriever | No tool other than the retrievers may be used.
only_retriever | Do not use any tool except document search.
only_retriever | Except for retrievers, no tool is permitted.
only_retriever | API calls are forbidden.
only_retriever | The database is off-limits for every question.
only_retriever | APIs mustn't be called; passages are your only source.
only_retriever | Don't touch the API.
only_retriever | Use the documents, not the API.
only_retriever | Use documents rather than API tools.
only_retriever | Instead of the API, use the document collections.
only_retriever | Answer without making any API calls.
only_retriever | Never, under any circumstances, call the API.
only_retriever | Non-retriever tools are prohibited.
only_retriever | Document retrievers are the only tools that you are allowed to call.
only_retriever | Consult documents and nothing else.
never_retriever | Document retrievers must not be used.
never_retriever | Please avoid every retriever.
never_retriever | Refrain from searching documents.
never_retriever | You cannot use the retrievers. Work with the other tools.
never_retriever | Any tool except document retrievers may be called.
never_retriever | Stick to API calls.
never_retriever | Only the retrievers are off limits.
never_retriever | When answering questions, never search the documents.
never_retriever | Never call query_hockey or any other retriever.
never_retriever | Neither retrievers nor document collections may be consulted.
topic_only_retriever: Sports | If a question is about Sports & Athletics, answer with document retrievers exclusively.
topic_only_retriever: Movies/TV | Questions on Movies, TV & Entertainment, Social Media: only retrievers are allowed.
topic_only_retriever: Retail | Is it about Retail, Sales & Commerce? Then use retrievers. Do not use other tools.
topic_only_retriever: Food | For food, answer with retrievers. The API must not be called.
topic_only_retriever: Government, Law | In the Government, Law & Public Services domain you may only search documents.
topic_never_retriever: Literature | For Literature, Language & Publishing questions do not use document retrievers.
topic_never_retriever: Education | Queries about Education & Students must be answered without document retrievers.
topic_never_retriever: Health | Health-related questions: never search documents.
topic_never_retriever: Technology, Finance | Do not call retrievers for questions about technology or finance.
topic_never_retriever: Food | Questions about Food will come. In that case never use retrievers.
topic_never_retriever: pottery | For questions about pottery, use the API only.
topic_only_retriever: pottery | Never call the API for pottery questions.
topic_only_retriever: birds | For birds, only document search is allowed.
"""
NOT_UNDERSTOOD = """
Answer in one short sentence.
Use document retrievers to answer questions.
Prefer documents over the API.
Search documents first.
Use the API if the documents do not hold the answer.
If a retriever returns nothing, do not use the API.
Only documents and the API may be used.
Use not only documents but also the API.
Never use only the API.
Use the retrievers only when the API fails.
Do not use both the API and documents.
Never use document search except for questions about Food.
For questions not about Sports, use the API only.
Use document search only, but for Sports questions use the API only.
Do not reveal the API key.
Do not mention the API in the answer.
The documents are not complete.
Only the API returns dates.
Never use tools.
"""


def cases(table: str) -> list[tuple[str, ...]]:
    """The lines of a table, its columns stripped."""
    return [tuple(cell.strip() for cell in line.split(" | ")) for line in table.strip().splitlines()]


@pytest.mark.parametrize(("family", "wording"), OWN)
def test_every_wording_of_our_worlds_is_read_as_its_family(family: str, wording: str) -> None:
    for topic in OWN_TOPICS:
        topics = (topic_group(topic),) if family.startswith("topic_") else ()
        assert readings(wording.format(topic=topic)) == (Reading(Family(family), topics),)


@pytest.mark.parametrize("topic", OWN_TOPICS)
def test_a_policy_of_our_worlds_binds_on_its_own_topic_alone(topic: str) -> None:
    for other in OWN_TOPICS:
        rule = read_rule(f"You must not search documents for questions about {other}.", topic)
        assert rule.forbids == ((ToolKind.RETRIEVER,) if topic == other else ())


@pytest.mark.parametrize(("wanted", "text"), cases(UNDERSTOOD))
def test_a_policy_is_understood_in_words_of_all_sorts(wanted: str, text: str) -> None:
    (reading,) = readings(text)
    assert ": ".join(part for part in (reading.family, ", ".join(reading.topics)) if part) == wanted


@pytest.mark.parametrize("text", ["", *(line for (line,) in cases(NOT_UNDERSTOOD))])
def test_a_text_of_no_family_forbids_nothing_and_says_so(text: str) -> None:
    assert family_of(text) is None
    assert read_rule(text, "Movies") == Rule(text, ())


def test_a_long_text_is_not_read() -> None:
    text = "Never use the API. "
    assert family_of(text * (LONGEST // len(text))) is not None
    assert family_of(text * (LONGEST // len(text) + 1)) is None


def test_contradictory_sentences_forbid_both_kinds() -> None:
    text = "Never use the API. Never use document search."
    assert read_rule(text, "Food").forbids == (ToolKind.API, ToolKind.RETRIEVER)
    assert family_of(text) == Reading(Family.ONLY_RETRIEVER)


def test_two_topics_of_one_text_bind_apart() -> None:
    text = "For Sports, use the API only; for Food, use document search only."
    assert read_rule(text, "Sports").forbids == (ToolKind.RETRIEVER,)
    assert read_rule(text, "Food").forbids == (ToolKind.API,)
    assert read_rule(text, "Health").forbids == ()


@pytest.mark.parametrize(
    ("topic", "group"),
    [
        ("hockey", "Sports"),
        ("movies_4", "Movies/TV"),
        ("law_episode", "Movies/TV"),
        ("codebase_community", "Technology"),
        ("Retail, Sales & Commerce", "Retail"),
        ("Transport", "Transportation"),
        ("Movies", "Movies/TV"),
        ("Chemistry", "Chemistry"),
        ("my_food_database", "Food"),
        ("Roman  pottery", "roman pottery"),
        ("", ""),
    ],
)
def test_a_topic_or_a_database_belongs_to_a_group(topic: str, group: str) -> None:
    assert topic_group(topic) == group


def test_the_twelve_groups_are_groups_of_themselves() -> None:
    assert [topic_group(topic) for topic in TOPICS] == list(TOPICS) and len(set(TOPICS)) == 12


def test_a_policy_about_a_topic_does_not_bind_a_task_without_one() -> None:
    assert read_rule("Never use the API for questions about Food.", "").forbids == ()
