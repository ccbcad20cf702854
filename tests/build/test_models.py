"""The agent's model as a configuration names it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.build.models import model
from agentbench.config.entry import RolloutConfig
from agentbench.llm import Prompt, Request, Sampling
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.types import Generation
from tests.training.conftest import make_model


def asked(choice: dict[str, object], tokenizer: Path) -> Generation:
    """What a rollout's model makes of a completions server that always answers so."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.json_response({"choices": [choice]})

    async def main() -> Generation:
        runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        words = ["model=openai", "model.mode=completions", f"model.base_url={url}", "model.name=student"]
        words += ["template=tiny", f"template.tokenizer='{tokenizer}'"]
        made = model(check("rollout", RolloutConfig, read_command_line(words)).config, (), print)
        try:
            return await made.llm.generate(Request(Prompt(ids=(1, 2)), Sampling(), 0, stop=made.template.stop))
        finally:
            await made.llm.close()
            await runner.cleanup()

    return asyncio.run(main())


def test_somebody_s_completions_server_is_read_by_its_ids(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "student")
    tokenizer = load_tokenizer(folder)
    said = tokenizer.encode("Heat 1995", control=False)
    end = tokenizer.id_of("<|end|>")
    found = asked({"text": "what the server makes of it", "token_ids": [*said, end]}, folder)
    assert (found.completion, found.completion_ids) == ("Heat 1995", (*said, end))
    assert asked({"text": "all it gives"}, folder).completion == "all it gives"
