"""The agent's model on a server of our own, as a run builds it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentbench.build.agent import Agent, Served, agent, serve_weights, weights_of
from agentbench.config.agent import ChatAgent
from agentbench.config.entry import RolloutConfig
from agentbench.config.env import M3Env
from agentbench.config.expert_mode import NoExpert
from agentbench.config.model import HfModel
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.serve import NoServe, VllmServe
from agentbench.config.tasks import TasksConfig
from agentbench.config.template import TemplateConfig, TemplateKind
from agentbench.errors import PreflightError, RunFailed
from agentbench.serving.folder import keeper_pid
from agentbench.serving.lease import let_go
from agentbench.serving.weights import adapter_sha256
from tests.serving.test_weights import adapter
from tests.training.conftest import make_model

Serve = Callable[..., Served]


@pytest.fixture
def config(tmp_path: Path, interpreter: Path) -> RolloutConfig:
    return RolloutConfig(
        model=HfModel(path=str(make_model(tmp_path / "base"))),
        serve=VllmServe(python=interpreter, parity=False),
        template=TemplateConfig(kind=TemplateKind.TINY),
        agent=ChatAgent(),
        env=M3Env(),
        expert_mode=NoExpert(),
        retriever=Bm25Retriever(),
        tasks=TasksConfig(),
        rewards=RewardsConfig(),
        cache_dir=tmp_path / "cache",
    )


@pytest.fixture
def served(config: RolloutConfig) -> Iterator[Serve]:
    """`served(adapter)` on an imitation of vLLM."""
    said: list[str] = []

    def make(folder: Path | None = None) -> Served:
        assert isinstance(config.serve, VllmServe) and isinstance(config.model, HfModel)
        asked = dataclasses.replace(config, model=dataclasses.replace(config.model, adapter=folder))
        return serve_weights(config.serve, weights_of(asked, (), said.append), asked, said.append)

    yield make
    let_go()


async def asked(found: Agent) -> None:
    """Whether the server is there and has the model."""
    assert found.model.preflight is not None
    try:
        await found.model.preflight()
    finally:
        await found.model.llm.close()


def test_a_run_asks_the_server_with_the_base_s_tokens(config: RolloutConfig) -> None:
    try:
        found = agent(config, (), lambda line: None)
        assert found.served is not None
        assert found.served.name == "base" and found.weights.startswith("base@")
        asyncio.run(asked(found))
    finally:
        let_go()


def test_a_model_in_this_process_is_known_by_its_weights_too(config: RolloutConfig) -> None:
    found = agent(dataclasses.replace(config, serve=NoServe()), (), lambda line: None)
    assert found.served is None and found.weights == weights_of(config, (), print).identity


def test_adapters_are_loaded_beside_each_other_from_copies(served: Serve, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "adapter")
    first = served(folder)
    sha256 = adapter_sha256(folder)
    second = served(adapter(folder, b"trained on"))
    assert first.lease is second.lease and first.name == f"adapter-{sha256[:16]}" != second.name
    assert set(first.lease.client.models()) == {"base", first.name, second.name}
    assert adapter_sha256(first.lease.folder / "adapters" / sha256) == sha256
    assert served(folder).name == second.name  # loaded already


def test_an_adapter_that_the_server_refuses_is_told_with_its_words(served: Serve, tmp_path: Path) -> None:
    up = served()
    with pytest.raises(PreflightError, match="the server refuses adapter '/nowhere': No adapter found for /nowhere"):
        up.lease.client.load_adapter("some", "/nowhere")
    up.lease.client.load_adapter("some", str(adapter(tmp_path / "adapter")))
    up.lease.client.unload_adapter("some")
    assert up.lease.client.models() == ("base",)


def test_the_end_of_a_run_tells_what_was_cached(served: Serve) -> None:
    told: list[str] = []
    up = served()
    up.lease.client.greedy("base", (1, 2, 3, 4), 1)  # before the run: of no account

    async def run() -> None:
        async with up._replace(before=up.lease.client.prefix_cache(), report=told.append).in_use():
            up.lease.client.greedy("base", tuple(range(1500)), 1)

    asyncio.run(run())
    assert told == ["prefix cache: 50.0 % of 1,500 prompt tokens were there already"]  # the imitation finds half


@pytest.mark.parametrize("failure", [None, RunFailed("8 of 8 episodes ended with an error")])
def test_a_server_that_dies_ends_the_run_with_its_reason(served: Serve, failure: RunFailed | None) -> None:
    up = served()

    async def run() -> None:
        async with up.in_use():
            os.kill(keeper_pid(up.lease.folder), signal.SIGKILL)
            while failure is None:
                await asyncio.sleep(60)
            await asyncio.sleep(0.2)
            raise failure

    with pytest.raises(PreflightError, match=r"^the model server died during the run: "):
        asyncio.run(asyncio.wait_for(run(), 20))


def test_a_run_that_fails_on_a_healthy_server_fails_as_itself(served: Serve) -> None:
    up = served()

    async def run() -> None:
        async with up.in_use():
            raise RunFailed("8 of 8 episodes ended with an error")

    with pytest.raises(RunFailed, match="8 of 8"):
        asyncio.run(run())


def test_a_server_without_adapters_refuses_one_before_it_starts(config: RolloutConfig, tmp_path: Path) -> None:
    assert isinstance(config.serve, VllmServe)
    without = dataclasses.replace(config.serve, max_adapters=0)
    asked = HfModel(path=str(tmp_path / "base"), adapter=adapter(tmp_path / "adapter"))
    with pytest.raises(PreflightError, match=r"^serve.max_adapters=0: the server takes no adapter"):
        agent(dataclasses.replace(config, serve=without, model=asked), (), lambda line: None)


def test_a_server_that_computes_other_weights_is_refused(config: RolloutConfig) -> None:
    assert isinstance(config.serve, VllmServe)
    checked = dataclasses.replace(config, serve=dataclasses.replace(config.serve, parity=True))
    try:  # the imitation finds every token as likely as exp(-0.5)
        with pytest.raises(PreflightError, match=r"^the server does not compute base@\w+: .* 0.1 is allowed"):
            agent(checked, (), lambda line: None)
    finally:
        let_go()
