"""The tools a task's questions speak about, where there are more tools than an agent should read.

Only API tools are ranked; retrievers and the rest are always kept, and all keep their order, so that a rank says
nothing to the agent. Tools that score alike are kept in their order, the first ones. What is ranked are names and
descriptions as the agent would read them; parameters are left out, because they say what a tool is asked with and a
question mostly says what it asks for (bench_scale.py measures what is lost). Where names are numbers and descriptions
are gone, nothing is left to rank by. Of the handle tools a shortlist can drop the one that opens data, because
questions do not speak of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import tantivy

from agentbench.types import Task, ToolKind, ToolSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agentbench.tools.retriever.encoders import Encoder

Ranking = Callable[[str], dict[str, float]]
"""Takes a query; gives each API tool's score by name, higher is better."""

K1, B = 1.2, 0.75
"""Saturation and length normalisation of BM25; Robertson and Zaragoza 2009, section 3.5, give their usual ranges."""


def bm25_ranking(specs: Sequence[ToolSpec]) -> Ranking:
    """BM25 over the words of tools, stemmed; in memory and made once for many queries."""
    import numpy as np

    analyzer = _analyzer()
    ranked = _ranked(specs)
    counts = [Counter(analyzer.analyze(tool_text(spec))) for spec in ranked]
    weights = _weights(counts)

    def scores(query: str) -> dict[str, float]:
        found = np.zeros(len(ranked))
        for word in dict.fromkeys(analyzer.analyze(_plain(query))):
            if word in weights:
                found += weights[word]
        return {spec.name: float(score) for spec, score in zip(ranked, found, strict=True)}

    return scores


def dense_ranking(specs: Sequence[ToolSpec], encoder: Encoder) -> Ranking:
    """Cosine similarity of embeddings; the tools are encoded once."""
    ranked = _ranked(specs)
    vectors = encoder.encode([tool_text(spec) for spec in ranked])

    def scores(query: str) -> dict[str, float]:
        similarity = vectors @ encoder.encode([_plain(query)])[0]
        return {spec.name: float(score) for spec, score in zip(ranked, similarity, strict=True)}

    return scores


def shortlist(specs: Sequence[ToolSpec], query: str, n: int, ranking: Ranking) -> tuple[ToolSpec, ...]:
    """The `n` API tools among `specs` that fit the query best, and all other tools, in the order given.

    `ranking` may have been made of more tools than `specs`.
    """
    candidates = [spec.name for spec in specs if spec.kind is ToolKind.API]
    if len(candidates) <= n:
        return tuple(specs)
    scores = ranking(query)
    kept = set(sorted(candidates, key=lambda name: -scores[name])[:n])
    return tuple(spec for spec in specs if spec.kind is not ToolKind.API or spec.name in kept)


def task_query(task: Task) -> str:
    """What a task's tools are ranked by: all its questions, later turns included."""
    return "\n".join([*(exchange.query for exchange in task.earlier), *(turn.query for turn in task.turns)])


def keeps_gold(task: Task, kept: Sequence[ToolSpec]) -> bool:
    """Whether every tool that the task's gold calls is among those kept."""
    names = {spec.name for spec in kept}
    calls = (call for turn in task.turns for action in turn.gold.actions for call in action.calls)
    return all(call.name in names for call in calls)


def tool_text(spec: ToolSpec) -> str:
    """What a tool is ranked by, as plain words."""
    return _plain(f"{spec.name}\n{spec.description}")


def _plain(text: str) -> str:
    """A text with names taken apart into words, and without what is no text (half of a surrogate pair)."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", text)
    return apart.encode("utf-8", "replace").decode()


def _ranked(specs: Sequence[ToolSpec]) -> list[ToolSpec]:
    return [spec for spec in specs if spec.kind is ToolKind.API]


def _weights(counts: Sequence[Counter[str]]) -> dict[str, NDArray[np.float64]]:
    """For each word what it adds to each tool's score."""
    import numpy as np

    lengths = np.array([sum(count.values()) for count in counts], dtype=float)
    norms = K1 * (1 - B + B * lengths / max(lengths.mean(), 1.0)) if counts else lengths
    weights: dict[str, NDArray[np.float64]] = {}
    for word in {word for count in counts for word in count}:
        times = np.array([count[word] for count in counts], dtype=float)
        having = np.count_nonzero(times)
        # Robertson and Zaragoza 2009, equation 3.15, with Lucene's idf, which is never negative.
        idf = np.log(1 + (len(counts) - having + 0.5) / (having + 0.5))
        weights[word] = idf * times / (times + norms)
    return weights


def _analyzer() -> tantivy.TextAnalyzer:
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
        .filter(tantivy.Filter.stemmer("english"))
        .build()
    )
