"""A shorter soak: 500 episodes with 10 % faults are counted exactly, and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import ROOT


@pytest.mark.slow
def test_five_hundred_episodes_with_faults_are_counted_exactly() -> None:
    sizes = ("--tasks", "100", "--samples", "5", "--timeout", "10")
    command = [sys.executable, str(ROOT / "experiments" / "soak.py"), *sizes]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout
    assert "| episodes | 500 | 500 |" in done.stdout and "all counts are exact" in done.stdout
