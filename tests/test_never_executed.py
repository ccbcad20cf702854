"""Text of models and files is never run in our process: no code of ours calls what could."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "agentbench"

IN_A_PROCESS_OF_ITS_OWN = {"tools/assistant/sandbox.py": {"exec", "compile"}}
"""Scripts that are never imported, and what they may call: running a program is what they are for."""
BUILT_IN = {"eval", "exec", "compile", "__import__"}
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "code",
    "codeop",
    "runpy",
}
FORBIDDEN = {
    "os.system",
    "os.popen",
    "yaml.unsafe_load",
    "yaml.full_load",
    "yaml.load_all",
    "torch.hub.load",
    "subprocess.getoutput",
}
SAFE_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader", "_Loader"}


def problems(source: str, allowed: AbstractSet[str] = frozenset()) -> Iterator[tuple[int, str]]:
    """Lines that could run text, and how."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if hit := {name.name.split(".")[0] for name in names} & MODULES:
                yield node.lineno, f"import of {hit}"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in MODULES:
                yield node.lineno, f"import from {module}"
            case ast.Call(func=function):
                yield from (
                    (node.lineno, problem)
                    for problem in _of_call(node, ast.unparse(function))
                    if problem not in allowed
                )


def _of_call(call: ast.Call, name: str) -> Iterator[str]:
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    ours = bool(call.args) and isinstance(call.args[0], ast.Constant)  # a text that stands in our own code
    if (name in BUILT_IN and not ours) or name in FORBIDDEN:
        yield name
    if given.get("shell", "False") != "False":
        yield "shell=True"
    if given.get("trust_remote_code", "False") != "False" or given.get("allow_pickle", "False") != "False":
        yield f"{name} with foreign code or pickles"
    if (
        name == "yaml.load"
        and ast.unparse(call.args[1] if len(call.args) > 1 else call.keywords[0].value) not in SAFE_LOADERS
    ):
        yield "yaml.load without a safe loader"
    if name == "torch.load" and given.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if name.endswith(".from_pretrained") and name.startswith("Auto") and given.get("trust_remote_code") != "False":
        yield f"{name} without trust_remote_code=False"


def test_no_code_of_ours_runs_text_or_reads_pickles() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        allowed = IN_A_PROCESS_OF_ITS_OWN.get(place, set())
        found += [f"{place}:{line}: {problem}" for line, problem in problems(path.read_text(encoding="utf-8"), allowed)]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        *(
            "eval(x)",
            "exec(x)",
            "import pickle",
            "from joblib import load",
            "os.system('x')",
            "yaml.load(x, yaml.Loader)",
        ),
        *(
            "subprocess.run(x, shell=True)",
            "torch.load(x)",
            "torch.load(x, weights_only=False)",
            "np.load(x, allow_pickle=True)",
        ),
        *(
            "AutoModel.from_pretrained(x)",
            "AutoTokenizer.from_pretrained(x, trust_remote_code=True)",
            "yaml.unsafe_load(x)",
        ),
    ],
)
def test_each_of_these_would_be_found(source: str) -> None:
    assert list(problems(source))


def test_scripts_that_run_programs_are_imported_by_nobody() -> None:
    modules = {place.removesuffix(".py").replace("/", ".") for place in IN_A_PROCESS_OF_ITS_OWN}
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    assert not [module for module in modules if any(f"agentbench.{module} import" in source for source in sources)]
