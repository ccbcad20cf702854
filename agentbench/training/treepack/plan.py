"""A padded batch as packed layouts: what is computed, which of it is scored, and how scores go back into the batch.

Dimensions in names: B rows of the batch, L their padded length, N tokens of a layout, S scored sites, P scored places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agentbench.training.treepack.trie import Chain, Tokens, Trie, build_trie, runs, split_rows

IGNORED = -100
"""Label of tokens outside the loss, as in PyTorch's cross entropy."""
GAP = 32
"""Tokens between two sites up to which the last layer attends from them too rather than in two pieces."""


class Backend(StrEnum):
    """How attention over a packed layout is computed. All three give the same numbers to rounding."""

    SDPA_CHAIN = "sdpa_chain"
    """Every chain attends to its path by PyTorch's own kernels; any device."""
    DENSE = "dense"
    """A mask of all pairs of tokens: quadratic in the layout; for tests."""
    FLEX = "flex"
    """FlexAttention; CUDA."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One packed layout on a device; what the model gets as `tree` and hands down to its attention."""

    trie: Trie
    ids_N: torch.Tensor
    position_N: torch.Tensor
    rows_N: torch.Tensor
    """In how many rows each token stands, as floats: its weight where a mean over the rows' tokens is asked for."""
    site_S: torch.Tensor
    """Layout index of every scored token's predecessor; a fork is one site per next token."""
    target_S: torch.Tensor
    last: tuple[Chain, ...]
    """Chains whose queries the last layer computes: those with sites, as nobody reads the others' hidden states."""
    backend: Backend
    masks: dict[int | None, object] = field(default_factory=dict)
    """Masks of the layout by sliding window, made when first needed."""


class Packed(NamedTuple):
    """A whole batch: its layouts, and where in the batch their sites' scores belong."""

    plans: tuple[Plan, ...]
    site_P: torch.Tensor
    """For every scored place its site, counted through all layouts."""
    place_P: torch.Tensor
    """Index of every scored place in the flattened (B, L − 1)."""
    shape: tuple[int, int]
    """B and L − 1."""
    raw_tokens: int
    """Tokens of the rows, without padding."""

    @property
    def tokens(self) -> int:
        """Tokens that are computed."""
        return sum(len(plan.ids_N) for plan in self.plans)

    @property
    def sharing(self) -> float:
        """Tokens of the rows per token that is computed."""
        return self.raw_tokens / max(1, self.tokens)

    def spread(self, value_S: torch.Tensor) -> torch.Tensor:
        """Scores of the sites as (B, L − 1); 0 where nothing is scored."""
        flat = value_S.new_zeros(self.shape[0] * self.shape[1])
        return flat.index_put((self.place_P,), value_S[self.site_P]).view(self.shape)


class Layout(NamedTuple):
    """How a batch is packed."""

    backend: Backend = Backend.SDPA_CHAIN
    max_packed_tokens: int | None = None
    """Upper limit of one layout; above it the batch is computed in several. `None`: one layout whatever its size."""
    whole_rows: bool = False
    """Compute what no log-probability needs, tokens after a row's last scored one and all of the last layer, because a
    router's auxiliary loss needs it."""


def pack(ids_BL: torch.Tensor, mask_BL: torch.Tensor, labels_BL: torch.Tensor, layout: Layout) -> Packed:
    """The batch as layouts on its own device. Labels are those of the tokens themselves, not shifted.

    Raises:
        NotImplementedError: a row has a gap in its attention mask, a token is scored whose predecessor is masked, or
            nothing is scored at all.
    """
    rows = _rows(ids_BL.cpu().numpy(), mask_BL.cpu().numpy().astype(bool), labels_BL.cpu().numpy())
    if not any(len(row.label_P) for row in rows):
        raise NotImplementedError("no token of the batch is scored")
    kept = [row.tokens if layout.whole_rows else row.tokens[: int(row.site_P.max(initial=-1)) + 1] for row in rows]
    groups = split_rows(kept, layout.max_packed_tokens or sum(map(len, kept)) + 1)
    drafts = [_draft([kept[row] for row in group], [rows[row] for row in group]) for group in groups]
    offsets = np.cumsum([0, *(len(draft.target_S) for draft in drafts)])
    device = ids_BL.device
    site_P = np.concatenate([draft.site_P + offset for draft, offset in zip(drafts, offsets, strict=False)])
    place_P = np.concatenate([rows[row].place_P for group in groups for row in group])
    return Packed(
        plans=tuple(_plan(draft, layout, device) for draft in drafts if len(draft.target_S)),
        site_P=torch.from_numpy(site_P).to(device),
        place_P=torch.from_numpy(place_P).to(device),
        shape=(ids_BL.shape[0], ids_BL.shape[1] - 1),
        raw_tokens=sum(len(row.tokens) for row in rows),
    )


class _Row(NamedTuple):
    """One row without padding, and its scored places."""

    tokens: Tokens
    site_P: NDArray[np.int64]
    """Index in the row of the token before each scored one."""
    label_P: NDArray[np.int64]
    place_P: NDArray[np.int64]
    """Index in the flattened (B, L − 1)."""


def _rows(ids_BL: Tokens, mask_BL: NDArray[np.bool_], labels_BL: Tokens) -> list[_Row]:
    width = ids_BL.shape[1] - 1
    rows = []
    for number, (ids_L, mask_L, labels_L) in enumerate(zip(ids_BL, mask_BL, labels_BL, strict=True)):
        columns = np.flatnonzero(mask_L)
        first = int(columns[0]) if len(columns) else 0
        if len(columns) and int(columns[-1]) - first + 1 != len(columns):
            raise NotImplementedError("a row has a gap in its attention mask")
        scored = np.flatnonzero(labels_L[1:] != IGNORED)
        if not mask_L[scored].all():
            raise NotImplementedError("a token is scored whose predecessor is masked")
        rows.append(
            _Row(ids_L[columns].astype(np.int64), scored - first, labels_L[1:][scored], number * width + scored)
        )
    return rows


class _Draft(NamedTuple):
    """A layout before it is on a device."""

    trie: Trie
    site_S: NDArray[np.int64]
    target_S: NDArray[np.int64]
    site_P: NDArray[np.int64]


def _draft(tokens: Sequence[Tokens], rows: Sequence[_Row]) -> _Draft:
    trie = build_trie(tokens)
    node_P = np.concatenate([nodes[row.site_P] for nodes, row in zip(trie.nodes, rows, strict=True)])
    label_P = np.concatenate([row.label_P for row in rows])
    pairs_S2, site_P = np.unique(np.stack([node_P, label_P], 1), axis=0, return_inverse=True)
    return _Draft(trie, pairs_S2[:, 0], pairs_S2[:, 1], site_P.reshape(-1))


def _plan(draft: _Draft, layout: Layout, device: torch.device) -> Plan:
    rows_N = np.bincount(np.concatenate(draft.trie.nodes), minlength=len(draft.trie.token_N))
    return Plan(
        trie=draft.trie,
        ids_N=torch.from_numpy(draft.trie.token_N).to(device),
        position_N=torch.from_numpy(draft.trie.depth_N).to(device),
        rows_N=torch.from_numpy(rows_N).to(device, torch.float32),
        site_S=torch.from_numpy(draft.site_S).to(device),
        target_S=torch.from_numpy(draft.target_S).to(device),
        last=draft.trie.chains if layout.whole_rows else runs(draft.trie, draft.site_S, GAP),
        backend=layout.backend,
    )
