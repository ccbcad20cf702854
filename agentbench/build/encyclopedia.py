"""The index that `search_encyclopedia` searches, opened with the encoder it was made with."""

from __future__ import annotations

from agentbench.build import Report
from agentbench.config.env_assistant import EncyclopediaConfig
from agentbench.config.retriever import EncoderConfig, EncoderKind
from agentbench.tools.assistant.encyclopedia import SearchEncyclopedia


def open_encyclopedia(config: EncyclopediaConfig, report: Report) -> SearchEncyclopedia:
    """The tool over the index in a folder.

    Raises:
        PreflightError: there is no index, or its encoder is not to be had.
        DataError: a file is damaged.
    """
    from agentbench.build.search import encoder
    from agentbench.tools.retriever.quantised import open_index, read_info

    info = read_info(config.folder)
    made_with = EncoderConfig(kind=EncoderKind(info.encoder_kind), path=info.encoder_path)
    report(f"encyclopedia: {info.documents:,} passages, {info.quantisation.value}")
    return SearchEncyclopedia(open_index(config.folder, info, encoder(made_with)), config.top_k)
