"""`search_encyclopedia` over any retriever, a quantised index of a user's dump for one."""

from __future__ import annotations

from typing import Any

import orjson

from agentbench.tools.assistant.specs import SEARCH_ENCYCLOPEDIA
from agentbench.tools.retriever import Retriever
from agentbench.types import Observation


class SearchEncyclopedia:
    """Gives the passages that fit best: `{"results": [{"title": "…", "text": "…"}]}`; episodes may share it."""

    spec = SEARCH_ENCYCLOPEDIA

    def __init__(self, retriever: Retriever, top_k: int) -> None:
        self._retriever = retriever
        self._top_k = top_k

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The passages, best first.

        Raises:
            RetrieverError: the index is damaged; ends the episode with an error.
        """
        hits = await self._retriever.search(arguments["query"], self._top_k)
        found = [{"title": hit.document.title, "text": hit.document.text} for hit in hits]
        return Observation(orjson.dumps({"results": found}).decode())
