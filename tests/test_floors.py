"""Who may import whom. Imports point down the floors of agentbench, or stay inside one package."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "agentbench"

FLOORS = (
    {"errors", "types"},
    {"config", "formats"},
    {"app"},
    {"tasks", "llm"},
    {"tools", "templates"},
    {"envs", "policies", "scoring"},
    {"worlds", "episodes", "training_data"},
    {"serving", "training", "reporting"},
    {"build"},
    {"prepare", "rollout", "build_prefs", "train", "eval", "serve", "report", "doctor"},
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
ENTRY_FLOOR = len(FLOORS) - 1

HEAVY = {
    *("torch", "transformers", "trl", "peft", "vllm", "datasets"),
    *("matplotlib", "tensorboardX", "ray"),
    *("wandb", "elasticsearch", "deepspeed", "accelerate", "mcp", "mcp_types", "uvicorn", "starlette"),
}
MAY_BE_HEAVY = ("training/", "llm/hf")
"""Beginnings of files that may load heavy packages; nothing else may load these files."""


class Import(NamedTuple):
    """One imported module, as `agentbench.tools.sql` or `torch.nn`."""

    module: str
    line: int
    at_load: bool
    """Whether importing the file imports it: neither inside a function nor for type checkers only."""


def violations(package: Path) -> list[str]:
    """Every broken rule of a package laid out like agentbench, as `file:line: what`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{file}:{line}: {problem}" for line, problem in _problems(file, tree)]
    return found


def _problems(file: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    own = file.split("/")[0].removesuffix(".py")
    if own == "__init__":
        return
    if own not in FLOOR:
        yield 1, f"{own} has no floor; give it one in FLOORS"
        return
    for node in _imports(tree):
        yield from ((node.line, problem) for problem in _import_problems(file, own, node))
    if FLOOR[own] < ENTRY_FLOOR and own != "app":
        yield from ((line, "sys.argv belongs to app and the entry points") for line in _argv(tree))


def _import_problems(file: str, own: str, node: Import) -> Iterator[str]:
    if node.module.startswith("."):
        yield "relative import; write it from agentbench on"
        return
    top, _, below = node.module.partition(".")
    other = below.split(".")[0]
    if top == "agentbench" and other != own and other in FLOOR and FLOOR[other] >= FLOOR[own]:
        yield f"{own} (floor {FLOOR[own]}) imports {node.module} (floor {FLOOR[other]})"
    heavy = top in HEAVY or (top == "agentbench" and below.replace(".", "/").startswith(MAY_BE_HEAVY))
    if heavy and node.at_load and not file.startswith(MAY_BE_HEAVY):
        yield f"imports {node.module} when it is loaded; import it inside the function that needs it"
    if top == "hydra" and own not in ("app", "config") and FLOOR[own] < ENTRY_FLOOR:
        yield "hydra belongs to app and config"
    if FLOOR[own] == 0 and top not in sys.stdlib_module_names:
        yield f"imports {node.module}; the lowest floor has only the standard library"


def _imports(node: ast.AST, at_load: bool = True) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            yield from (Import(alias.name, node.lineno, at_load) for alias in names)
        case ast.ImportFrom(names=names):
            module = "." * node.level + (node.module or "")
            yield from (Import(f"{module}.{alias.name}", node.lineno, at_load) for alias in names)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            at_load = False
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, at_load)


def _argv(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="sys"), attr="argv"):
                yield node.lineno
            case ast.ImportFrom(module="sys", names=names) if any(alias.name == "argv" for alias in names):
                yield node.lineno


def test_every_import_points_down() -> None:
    assert violations(PACKAGE) == []


PLANTED = {
    "upwards": ("tools/sql.py", "from agentbench.envs import tool_env", "floor 4) imports agentbench.envs.tool_env"),
    "upwards inside a function": ("llm/openai.py", "def f():\n    import agentbench.build", "imports agentbench.build"),
    "upwards for type checkers": (
        "llm/a.py",
        "if TYPE_CHECKING:\n    from agentbench import build",
        "agentbench.build",
    ),
    "sideways": ("scoring/answers.py", "from agentbench.policies.chat import ChatAgent", "imports agentbench.policies"),
    "a heavy package": ("templates/tiny.py", "class A:\n    import torch.nn", "imports torch.nn when it is loaded"),
    "a module that loads one": (
        "build/models.py",
        "from agentbench.llm.hf import HfLlm",
        "imports agentbench.llm.hf.HfLlm when",
    ),
    "sys.argv": ("worlds/films.py", "import sys\nx = sys.argv", "sys.argv belongs"),
    "hydra": ("episodes/pool.py", "def f():\n    from hydra import compose", "hydra belongs to app and config"),
    "more than the standard library": ("types.py", "import pydantic", "only the standard library"),
    "relatively": ("tools/sql.py", "from . import spec", "relative import"),
    "from nowhere": ("utils.py", "x = 1", "utils has no floor"),
}


@pytest.mark.parametrize(("file", "source", "complaint"), PLANTED.values(), ids=PLANTED)
def test_a_planted_import_is_found(tmp_path: Path, file: str, source: str, complaint: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(source)
    (found,) = violations(tmp_path)
    assert found.startswith(f"{file}:{len(source.splitlines())}: ") and complaint in found


ALLOWED = {
    "training may load torch": ("training/sft.py", "import torch"),
    "so may the modules that run transformers": ("llm/hf.py", "from transformers import AutoModelForCausalLM"),
    "a function may load torch": ("llm/other.py", "async def f():\n    import torch"),
    "type checkers may": ("templates/a.py", "if TYPE_CHECKING:\n    from transformers import PreTrainedTokenizer"),
    "a package may import from itself": ("tools/sql/rest.py", "from agentbench.tools.sql.spec import Endpoint"),
    "an entry point may read its arguments": ("serve.py", "import sys\nx = sys.argv\nimport hydra"),
}


@pytest.mark.parametrize(("file", "source"), ALLOWED.values(), ids=ALLOWED)
def test_a_rightful_import_is_not_found(tmp_path: Path, file: str, source: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(source)
    assert violations(tmp_path) == []
