"""What `prepare` makes beside worlds: an index of a dump, and requests to an assistant."""

from __future__ import annotations

from pathlib import Path

from agentbench.build import Report
from agentbench.build.actors import llm_requester
from agentbench.build.fields.assistant import spec_of
from agentbench.build.search import encoder
from agentbench.config.source import AssistantSource, DumpSource
from agentbench.episodes.pool import run_async
from agentbench.errors import DataError


def made_index(source: DumpSource, folder: Path, report: Report) -> None:
    """An index of the dump, in the run's folder.

    Raises:
        PreflightError: the dump or the encoder's package is not there.
        DataError: a line of the dump is no article.
    """
    from agentbench.worlds.dump import prepare_dump

    info = prepare_dump(source, encoder(source.encoder), folder / "encyclopedia", report)
    report(f"encyclopedia: {info.documents:,} passages in {folder / 'encyclopedia'}; env.encyclopedia.folder=…")


def made_requests(source: AssistantSource, seed: int, folder: Path, cache_dir: Path, report: Report) -> None:
    """Task files with requests, in the run's folder.

    Raises:
        PreflightError: the model's server is not there.
        DataError: the model wrote no request at all.
    """
    from agentbench.worlds.assistant_requests import Made, Wish, prepare_requests, write_requests

    counts = {"train": source.tasks.train, "validation": source.tasks.validation, "test": source.tasks.test}
    wish = Wish({split: count for split, count in counts.items() if count}, source.multi_step, seed)
    actor = llm_requester(source, cache_dir)

    async def written() -> Made:
        try:
            await actor.preflight()
            specs = tuple(spec_of(tool) for tool in source.tools)
            return await prepare_requests(wish, specs, actor.ask, actor.instructions, report)
        finally:
            await actor.close()

    made = run_async(written())
    if not any(made.tasks.values()):
        raise DataError(source.endpoint.base_url, f"{source.endpoint.name} wrote no usable request")
    for split, path in write_requests(folder / "requests", made).items():
        report(f"{split}: {len(made.tasks[split])} requests in {path}; tasks.file=…")
