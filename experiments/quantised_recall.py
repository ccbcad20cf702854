"""What do few bits cost a dense index? Recall with int8 and with binary codes against exact search.

    python experiments/quantised_recall.py FOLDER …

Each folder holds a collection in BEIR's layout: corpus.jsonl, queries.jsonl and a file in qrels/. Encoder: the packaged
one (`pip install 'agentbench[dense]'`). Printed are, over all queries with a relevant document, the share of exact
search's best ten that are found, and recall at 10 by the judgements.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agentbench.tools.retriever import Document
from agentbench.tools.retriever.encoders import PackagedEncoder, Vectors, embedded_text
from agentbench.tools.retriever.quantised import Quantisation, nearest, quantised

TOP = 10
BATCH = 64


class Collection(NamedTuple):
    """Documents and questions as vectors."""

    ids: list[str]
    documents: Vectors
    questions: Vectors
    relevant: list[set[str]]
    """For each question."""


def main() -> None:
    """Prints a line for each collection and form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    encoder = PackagedEncoder()
    for folder in parser.parse_args().folders:
        found = collection(folder, encoder)
        print(f"{folder.name}: {len(found.ids)} documents, {len(found.relevant)} questions")
        for kind in (None, *Quantisation):
            agreement, recall = figures(found, kind)
            print(f"  {kind or 'exact'}: {agreement:.4f} of the exact best {TOP}, recall@{TOP} {recall:.4f}")


def collection(folder: Path, encoder: PackagedEncoder) -> Collection:
    """A folder's documents and judged questions."""
    documents = [json.loads(line) for line in (folder / "corpus.jsonl").open(encoding="utf-8")]
    questions = {
        each["_id"]: each["text"] for each in map(json.loads, (folder / "queries.jsonl").open(encoding="utf-8"))
    }
    relevant: dict[str, set[str]] = {}
    (judgements,) = (folder / "qrels").iterdir()
    for line in judgements.read_text(encoding="utf-8").splitlines()[1:]:
        question, document, grade = line.split("\t")
        if int(grade) > 0 and question in questions:
            relevant.setdefault(question, set()).add(document)
    texts = [embedded_text(Document(each["_id"], each.get("title") or "", each["text"])) for each in documents]
    asked = [questions[question] for question in relevant]
    ids = [each["_id"] for each in documents]
    return Collection(ids, encoded(encoder, texts), encoded(encoder, asked), list(relevant.values()))


def encoded(encoder: PackagedEncoder, texts: list[str]) -> Vectors:
    """One row for each text."""
    return np.concatenate([encoder.encode(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)])


def figures(found: Collection, kind: Quantisation | None) -> tuple[float, float]:
    """Agreement with exact search, and recall."""
    codes = quantised(found.documents, kind) if kind is not None else None
    agreements, recalls = [], []
    for question, relevant in zip(found.questions, found.relevant, strict=True):
        exact = np.argsort(-(found.documents @ question), kind="stable")[:TOP].tolist()
        numbers = exact if codes is None else nearest(codes, question, TOP)[0]
        agreements.append(len(set(numbers) & set(exact)) / TOP)
        recalls.append(len({found.ids[number] for number in numbers} & relevant) / len(relevant))
    return float(np.mean(agreements)), float(np.mean(recalls))


if __name__ == "__main__":
    main()
