"""Who sees whom in a packed layout, as a mask of all pairs and as FlexAttention's block mask.

A token sees another where that stands on its path, not after it, and inside the sliding window if there is one. Paths
are compared by chains: for every pair of chains it is known up to which depth the second lies on the first one's path.

Dimensions in names: C chains, N tokens, Q and K two tokens' layout indices.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from agentbench.training.treepack.trie import Trie

EVERYTHING = np.iinfo(np.int32).max


def reach(trie: Trie) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`limit_CC`, `chain_N`, `depth_N`: token q sees k if depth k is below their chains' limit and at most depth q.

    `limit_CC[c, d]` is the depth up to which (not included) the path of chain c runs through chain d.
    """
    count = len(trie.chains)
    starts = np.array([chain.span.start for chain in trie.chains])
    limit_CC = np.zeros((count, count), np.int32)
    chain_N = np.zeros(len(trie.token_N), np.int32)
    for number, chain in enumerate(trie.chains):
        chain_N[slice(*chain.span)] = number
        limit_CC[number, number] = EVERYTHING
        for span in chain.prefix:
            other = int(np.searchsorted(starts, span.start, side="right")) - 1
            limit_CC[number, other] = trie.chains[other].depth + span.stop - starts[other]
    return torch.from_numpy(limit_CC), torch.from_numpy(chain_N), torch.from_numpy(trie.depth_N.astype(np.int32))


def dense_mask(trie: Trie, window: int | None) -> torch.Tensor:
    """(N, N), true where the row's token sees the column's."""
    limit_CC, chain_N, depth_N = reach(trie)
    depth_Q1, depth_1K = depth_N[:, None], depth_N[None, :]
    seen_QK = (depth_1K < limit_CC[chain_N[:, None], chain_N[None, :]]) & (depth_1K <= depth_Q1)
    return seen_QK if window is None else seen_QK & (depth_Q1 - depth_1K < window)


def block_mask(trie: Trie, window: int | None, device: torch.device) -> BlockMask:
    """The same for FlexAttention, which skips blocks of tokens that do not see each other."""
    limit_CC, chain_N, depth_N = (tensor.to(device) for tensor in reach(trie))
    reaches = EVERYTHING if window is None else window

    def sees(batch: torch.Tensor, head: torch.Tensor, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        below = depth_N[k] < limit_CC[chain_N[q], chain_N[k]]
        return below & (depth_N[k] <= depth_N[q]) & (depth_N[q] - depth_N[k] < reaches)

    size = len(depth_N)
    # Compiled, the mask of all pairs is never in memory.
    return create_block_mask(sees, 1, None, size, size, device=str(device), _compile=device.type == "cuda")
