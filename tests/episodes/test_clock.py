"""An episode's time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from agentbench.episodes.clock import EpisodeClock, never_paused


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbench.episodes.clock._FEWEST_S", 0.01)


async def spend(seconds: float, limit_s: float, paused_s: Callable[[], float] = never_paused) -> bool:
    """Whether the clock ends a block that takes so long."""
    clock = EpisodeClock(limit_s, paused_s)
    try:
        async with clock:
            await asyncio.sleep(seconds)
    except TimeoutError:
        return clock.expired
    return False


def test_a_block_ends_once_its_time_is_over_and_not_before() -> None:
    assert asyncio.run(spend(5.0, limit_s=0.05))
    assert not asyncio.run(spend(0.01, limit_s=5.0))


def test_time_in_which_the_run_waits_does_not_count() -> None:
    started = time.monotonic()

    def paused_s() -> float:  # until 0.3 s from the start
        return min(time.monotonic() - started, 0.3)

    assert asyncio.run(spend(5.0, 0.1, paused_s))
    assert 0.4 <= time.monotonic() - started < 2.0  # 0.3 s of waiting and 0.1 s of its own


def test_a_time_out_of_the_block_itself_is_not_the_clocks() -> None:
    async def main() -> None:
        clock = EpisodeClock(5.0)
        with pytest.raises(TimeoutError):
            async with clock:
                raise TimeoutError
        assert not clock.expired

    asyncio.run(main())
