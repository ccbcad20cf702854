"""Which tokenizer token ids belong to, as a short text that can be compared."""

from __future__ import annotations

import hashlib

from agentbench.templates.tokenizer import Tokenizer

_PROBE = (
    'Who directed « Heat » (1995)?\n\t{"title": "Élan, déjà-vu", "n": -12.50}  日本語 <b>it\'s</b> snake_case camelCase'
)
"""Letters, digits, marks, blanks and scripts whose splitting tells merges apart."""


def tokenizer_fingerprint(tokenizer: Tokenizer) -> str:
    """16 hex digits: equal for tokenizers that give every text the same ids, however their files are written.

    Taken from behaviour: the text of every id, which ids are control tokens, and how a probe text is split. A token
    that was added afterwards changes it.
    """
    digest = hashlib.sha256()
    for index in range(tokenizer.size):
        digest.update(tokenizer.decode((index,)).encode("utf-8", "surrogatepass") + b"\0")
    digest.update(repr((sorted(tokenizer.control_ids), tokenizer.encode(_PROBE, control=False))).encode())
    return digest.hexdigest()[:16]
