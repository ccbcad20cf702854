"""A package of an extra that is missing is one line that names the extra."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from agentbench.app.extras import EXTRAS, missing_extra
from agentbench.app.refusals import refusal

ROOT = Path(__file__).parents[2]


def test_a_missing_package_is_told_with_its_extra() -> None:
    with pytest.raises(ModuleNotFoundError) as raised:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    told = missing_extra(raised.value)
    assert told is not None and str(told) == "this needs the package 'torch', which is not installed"
    assert (told.next_step, told.exit_code) == ("pip install 'agentbench[train]'", 5)


def test_a_module_inside_a_package_counts_as_the_package() -> None:
    told = refusal(ModuleNotFoundError("…", name="mcp.server.lowlevel"))
    assert told is not None and told.next_step == "pip install 'agentbench[mcp]'"


@pytest.mark.parametrize("name", ["agentbench.no_such_module", "a_users_module", None])
def test_a_missing_module_of_nobodys_extra_stays_a_bug(name: str | None) -> None:
    assert refusal(ModuleNotFoundError("…", name=name)) is None


def test_every_extra_here_is_one_of_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) <= set(project["optional-dependencies"])


INSTALLED = ("worlds", "train", "dense", "mcp", "grammar", "report", "wandb", "tensorboard", "elasticsearch")
BROUGHT_ALONG = {"safetensors", "jinja2", "mcp_types", "uvicorn", "starlette"}
"""By one of the extra's own packages."""


@pytest.mark.parametrize("extra", INSTALLED)
def test_the_modules_of_an_extra_belong_to_its_packages(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {_plain(line) for line in project["optional-dependencies"][extra]}
    modules = set(EXTRAS[extra]) - BROUGHT_ALONG
    owners = importlib.metadata.packages_distributions()
    assert {module for module in modules if not asked & {_plain(name) for name in owners[module]}} == set()


def _plain(requirement: str) -> str:
    """The normalised name of a package, without extras and versions."""
    return re.sub(r"[-_.]+", "-", re.split(r"[=<>\[; ]", requirement)[0]).lower()


WITHOUT_TORCH = """
import sys
from agentbench import app

sys.modules["torch"] = None  # as if it were not installed

def run(config, folder):
    import torch

sys.exit(app.main(app.Entry("rollout", "", "RolloutConfig", run)))
"""


def test_a_run_without_torch_ends_with_one_line_and_exit_code_5(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 5, done.stderr
    assert "error: this needs the package 'torch', which is not installed" in done.stderr
    assert "next: pip install 'agentbench[train]'" in done.stderr and "Traceback" not in done.stderr
