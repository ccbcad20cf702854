"""Is the answer right? Decided by the gold answer's type alone; nothing is guessed.

Text: equal after normalisation (Unicode, case, punctuation, articles; SQuAD's exact match, Rajpurkar et al. 2016).
Number: the answer holds exactly one number and it is equal, and does not refuse; for gold with a fractional part
within 0.1 %.
Items: the answer, read as a JSON list or split at semicolons, newlines or commas, is the same set of texts.
Unanswerable: the answer says that it cannot be given. "I don't know" does not say that, nor does a JSON object or a
long text, such as a tool's output, in which somebody is unable to find something.

What this does not cover: paraphrases, units converted, answers buried in a sentence. A judge does those.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import orjson

from agentbench.tasks.gold import answers
from agentbench.types import Answer, AnswerType, Score, Trajectory

RELATIVE_TOLERANCE = 1e-3
"""For gold numbers with a fractional part; whole numbers (years, counts) must be met exactly."""

LONGEST_REFUSAL = 1000
"""Characters of the longest text that is read as a refusal."""
_REFUSAL = re.compile(
    r"\b(?:can ?not|can't|could not|couldn't|unable to|not able to|impossible to)\s+(?:be\s+)?"
    r"(?:answer|determine|(?:find|look up|provide|give)(?: out)?(?: (?:this|that|it|the|an|any)\b|$))"
    r"|\b(?:do not|don't) have (?:access to )?(?:the|a|any) (?:\w+ )?tool"
    r"|\b(?:there is |there are )?no (?:\w+ )?tools? (?:is |are )?(?:available|allowed|for)"
    r"|\b(?:unanswerable|not answerable)\b",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^\s*(?:the )?(?:final )?answer(?: is)?\s*:?\s*", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?<![A-Za-z0-9_]-)"  # not inside a word: Nm52 and Ac-206 are names
    r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
)
_MINUS = re.compile(r"(?<!\w)-(?=[\d.])")
_TYPOGRAPHIC = str.maketrans({"’": "'", "−": "-"})


class AnswerScorer:
    """The score named `answer`: the share of the task's turns that were answered rightly."""

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """1.0 when every turn is right; turns that were never answered count as wrong.

        Unscored where the task holds no right answer, as in data sets that keep theirs secret.
        """
        if any(is_secret(turn.gold.answer) for turn in trajectory.task.turns):
            return (Score("answer", None, "the task gives no right answer"),)
        given = answers(trajectory.history)
        turns = trajectory.task.turns
        verdicts = [
            index < len(given) and answer_is_right(given[index], turn.gold.answer) for index, turn in enumerate(turns)
        ]
        right = sum(verdicts)
        return (Score("answer", right / len(turns), f"{right} of {len(turns)} turns right"),)


def is_secret(gold: Answer) -> bool:
    """Whether a task says nothing of what is right."""
    return gold.type is not AnswerType.UNANSWERABLE and gold.value is None


def answer_is_right(given: str, gold: Answer) -> bool:
    """Whether an answer in words is the gold answer."""
    match gold.type:
        case AnswerType.UNANSWERABLE:
            return is_refusal(given)
        case AnswerType.NUMBER:
            if not isinstance(gold.value, (int, float)) or is_refusal(given):
                return False  # who refuses and guesses at once would be right either way
            return _same_number(_LEAD.sub("", given), float(gold.value))
        case AnswerType.ITEMS:
            wanted = {normalise(item) for item in gold.value} if isinstance(gold.value, tuple) else set()
            return any(items == wanted for items in _item_readings(_LEAD.sub("", given)))
        case AnswerType.TEXT:
            wanted = normalise(str(gold.value))
            return normalise(given) == wanted or normalise(_LEAD.sub("", given)) == wanted


def is_refusal(given: str) -> bool:
    """Whether an answer says that no answer can be given with the tools at hand."""
    dumped = len(given) > LONGEST_REFUSAL or given.lstrip().startswith(("{", "["))
    return not dumped and _REFUSAL.search(given.translate(_TYPOGRAPHIC)) is not None


def normalise(text: str) -> str:
    """Compatibility form, lower case, no English articles, single spaces, and no punctuation but `+`, `#`, minus.

    A text of nothing but articles or punctuation stays what it is.
    """
    folded = _MINUS.sub("minus ", unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHIC).casefold())
    kept = "".join(char if char in "+#" or unicodedata.category(char)[0] not in "PZCS" else " " for char in folded)
    words = kept.split()
    return " ".join(word for word in words if word not in ("a", "an", "the")) or " ".join(words) or folded.strip()


def _same_number(given: str, gold: float) -> bool:
    numbers = _NUMBER.findall(given.translate(_TYPOGRAPHIC))
    if len(numbers) != 1:
        return False
    value = float(numbers[0].replace(",", ""))
    if gold.is_integer():
        return value == gold
    return abs(value - gold) <= RELATIVE_TOLERANCE * abs(gold)


def _item_readings(given: str) -> Iterator[set[str]]:
    try:
        listed = orjson.loads(given)
    except orjson.JSONDecodeError:
        listed = None
    if isinstance(listed, list):
        yield {normalise(str(item)) for item in listed}
    for separator in (r"[;\n]", r"[;\n,]|,?\s+and\s+"):
        items = {normalise(item) for item in re.split(separator, given)}
        yield items - {""}
