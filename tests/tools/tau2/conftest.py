"""Worlds of the small town."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentbench.tools.tau2.domains import read_databases
from agentbench.tools.tau2.world import World

from .town import write_town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all domains."""
    return write_town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def world(town: Path) -> Callable[[str], World]:
    """`world("retail")`: a fresh one of a domain."""
    return lambda domain: read_databases(town / domain).world()
