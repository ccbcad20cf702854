"""The data card: what the rows are, where they come from, and what was left out and why."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from agentbench.errors import DataError, PreflightError
from agentbench.formats import CARD as FORMAT
from agentbench.training_data.rows import PreferenceRow, Row, RowsIdentity, SftRow
from agentbench.training_data.selection import row_length
from agentbench.types import record

BIN_EDGES = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
"""Upper ends of the length histogram's bins, in tokens; the last bin is open."""

MOST_ONE_SIDED = 10.0
"""Pairs that go on may be this many times those that stop, or the other way round, before the card warns."""


@record
class Source:
    """A file that was read."""

    path: str
    sha256: str
    trajectories: int


@record
class Lengths:
    """Lengths of rows in tokens, prompt and the longer side together."""

    shortest: int
    median: int
    p90: int
    p99: int
    longest: int
    histogram: dict[str, int]
    """Rows by `<=256`, `<=512` and so on."""


@record
class Tokens:
    """Tokens of all rows, each row counted on its own though many share a prompt."""

    prompt: int
    """Of supervised rows: those before the first that carries loss."""
    completion: int
    """All others, of both sides."""
    loss: int
    """Those with mask 1."""

    @property
    def loss_share(self) -> float:
        """Share of completion tokens that carry loss, in [0, 1]."""
        return self.loss / self.completion if self.completion else 0.0


@record
class Served:
    """How the prompts and actions of the agent compare with what its server recorded."""

    equal_prompts: int = 0
    other_prompts: int = 0
    """Steps whose recorded prompt is other tokens: another template, tokenizer or system prompt served them."""
    kept_actions: int = 0
    """Agent steps whose sampled ids stand in the rows as they were."""
    encoded_actions: int = 0
    """Agent steps whose text was encoded, because the ids were not recorded or belong to another tokenizer."""


@record
class Card:
    """Everything about a file of rows but the rows."""

    identity: dict[str, str]
    """Format, template and tokenizer fingerprint."""
    version: str
    """Of agentbench."""
    settings: dict[str, Any]
    sources: tuple[Source, ...]
    rows: int
    validation_rows: int
    tasks: int
    kinds: dict[str, int]
    domains: dict[str, int]
    splits: dict[str, int]
    """Trajectories by the split that their task names; `unnamed` where it names none."""
    actors: dict[str, int]
    """Steps of all trajectories by who took them."""
    chosen_categories: dict[str, int]
    """Rows by the reward category of the chosen side's last step, or of the only side's."""
    rejected_categories: dict[str, int]
    lengths: Lengths | None
    """`None` where rows have no ids."""
    tokens: Tokens
    loss_share: float
    """Share of completion tokens that carry loss, in [0, 1]."""
    served: Served
    dropped: dict[str, int]
    warnings: tuple[str, ...]


def read_card(path: Path) -> dict[str, Any]:
    """What a data card says, by the names of `Card`.

    Raises:
        PreflightError: it cannot be read.
        DataError: it is no card, or a newer agentbench wrote it.
    """
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as failure:
        raise PreflightError(f"{path} cannot be read: {failure.strerror}") from failure
    except orjson.JSONDecodeError as error:
        raise DataError(path, f"is no data card: {error}") from error
    if not isinstance(content, dict):
        raise DataError(path, "is no data card")
    return FORMAT.current(content, path)


class Counts:
    """Running sums over rows; `card` puts them together."""

    def __init__(self) -> None:
        self.splits: Counter[str] = Counter()
        self.actors: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self._rows = 0
        self._validation = 0
        self._tasks: set[str] = set()
        self._kinds: Counter[str] = Counter()
        self._domains: Counter[str] = Counter()
        self._chosen: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._lengths = array("q")
        self._tokens: Counter[str] = Counter()

    def add(self, row: Row, validation: bool) -> None:
        """Takes a kept row into the sums."""
        self._rows += 1
        self._validation += validation
        self._tasks.add(row.task)
        self._kinds[row.kind] += 1
        self._domains[row.domain] += 1
        self._lengths.append(row_length(row))
        match row:
            case PreferenceRow():
                self._chosen[row.chosen_category] += 1
                self._rejected[row.rejected_category] += 1
                self._tokens["prompt"] += len(row.prompt_ids)
                self._tokens["completion"] += len(row.chosen_ids) + len(row.rejected_ids)
                self._tokens["loss"] += sum(row.chosen_mask) + sum(row.rejected_mask)
            case SftRow():
                start = next((place for place, mark in enumerate(row.completion_mask) if mark), 0)
                self._chosen[row.category] += 1
                self._tokens["prompt"] += start
                self._tokens["completion"] += len(row.input_ids) - start
                self._tokens["loss"] += sum(row.completion_mask)

    def card(
        self,
        identity: RowsIdentity,
        sources: Iterable[Source],
        dropped: Mapping[str, int],
        *,
        settings: dict[str, Any],
        version: str,
    ) -> Card:
        """The sums as they stand."""
        tokens = Tokens(self._tokens["prompt"], self._tokens["completion"], self._tokens["loss"])
        served = Served(**self.served)
        return Card(
            identity=identity._asdict(),
            version=version,
            settings=settings,
            sources=tuple(sources),
            rows=self._rows - self._validation,
            validation_rows=self._validation,
            tasks=len(self._tasks),
            kinds=_largest_first(self._kinds),
            domains=_largest_first(self._domains),
            splits=_largest_first(self.splits),
            actors=_largest_first(self.actors),
            chosen_categories=_largest_first(self._chosen),
            rejected_categories=_largest_first(self._rejected),
            lengths=_lengths(self._lengths) if identity.tokenizer and self._rows else None,
            tokens=tokens,
            loss_share=tokens.loss_share,
            served=served,
            dropped=_largest_first(dropped),
            warnings=(*_balance_warnings(self._kinds), *_served_warnings(identity, served)),
        )


def _largest_first(counts: Mapping[str, int]) -> dict[str, int]:
    return {str(name): count for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))}


def _lengths(lengths: array[int]) -> Lengths:
    ordered = sorted(lengths)

    def quantile(share: float) -> int:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    bins = Counter(
        next((f"<={edge}" for edge in BIN_EDGES if length <= edge), f">{BIN_EDGES[-1]}") for length in ordered
    )
    names = [*(f"<={edge}" for edge in BIN_EDGES), f">{BIN_EDGES[-1]}"]
    histogram = {name: bins[name] for name in names if bins[name]}
    return Lengths(ordered[0], quantile(0.5), quantile(0.9), quantile(0.99), ordered[-1], histogram)


def _balance_warnings(kinds: Mapping[str, int]) -> list[str]:
    """Step pairs that never or hardly ever prefer one direction of the decision to stop.

    Pairs that always prefer a call over an answer teach a student never to answer at all, and the reverse.
    """
    if not any("_over_" in kind and kind.split("_")[0] in ("call", "final") for kind in kinds):
        return []
    stop, go_on = kinds.get("final_over_call", 0), kinds.get("call_over_final", 0)
    if not stop and not go_on:
        return ["no pair is about the decision to stop: neither final_over_call nor call_over_final"]
    if not stop:
        return [f"no pair prefers to stop: {go_on} call_over_final, no final_over_call; a student may never answer"]
    if not go_on:
        return [f"no pair prefers to go on: {stop} final_over_call, no call_over_final; a student may answer too soon"]
    if max(stop, go_on) > MOST_ONE_SIDED * min(stop, go_on):
        return [f"the decision to stop is one-sided: {stop} final_over_call, {go_on} call_over_final"]
    return []


def _served_warnings(identity: RowsIdentity, served: Served) -> list[str]:
    if not identity.tokenizer:
        return ["rows hold messages only: template=teacher has no tokens, so there are no ids, masks or lengths"]
    if not served.other_prompts:
        return []
    steps = served.other_prompts + served.equal_prompts
    return [
        f"{served.other_prompts} of {steps} recorded prompts are other tokens than the rows': "
        "another template, tokenizer or system prompt served them"
    ]
