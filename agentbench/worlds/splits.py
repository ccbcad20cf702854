"""Which split a value belongs to: a fixed hash, the same for every world, seed and run.

70 % train, 10 % validation, 20 % test. Equal values in different columns fall into the same split, so a person who
directs one film and wrote another is held out as a whole. Categories (fewer than 30 values) belong to all splits.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from agentbench.config.tasks import Split
from agentbench.worlds.domain import Value


@lru_cache(maxsize=200_000)
def split_of(value: Value) -> Split:
    """The split of one value; texts that differ only in case are one value."""
    digest = hashlib.blake2b(str(value).casefold().encode(), digest_size=4).digest()
    share = int.from_bytes(digest) % 100
    if share < 70:
        return Split.TRAIN
    return Split.VALIDATION if share < 80 else Split.TEST
