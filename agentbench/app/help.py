"""The `--help` of an entry point, from its docstring, the file names under conf/ and the schemas' source text.

Nothing is imported for it but the standard library's small modules: the schemas are read, not executed.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.app.groups import groups, primary

_SCHEMAS = Path(__file__).parents[1] / "config"
_COLUMN = 34

_FLAGS = """\
Flags:
  -m, --multirun        one run per combination of comma-separated values: seed=0,1 expert_mode=none,informed
  --cfg job             show the composed configuration instead of running
  --config-dir FOLDER   a folder of your own with further options, laid out like conf/
  --hydra-help          further flags of Hydra"""


class _Key(NamedTuple):
    name: str
    type: str
    default: str
    """Source text; empty where a value is required."""
    meaning: str


class _Source(NamedTuple):
    """What the text of the schema modules says."""

    schemas: dict[str, list[_Key]]
    aliases: dict[str, str]
    """By name: the source text of a union."""
    choices: dict[str, str]
    """By name: the words of an enumeration."""


def help_text(entry: str, doc: str | None, schema: str) -> str:
    """Everything a user needs to write a command line.

    Args:
        entry: name of the entry point and of its primary file in conf/.
        doc: what it does, with examples.
        schema: name of its dataclass in `agentbench.config.entry`.
    """
    choices = groups(entry).values()
    lines = [(doc or "").strip(), *(["", "Choices (group=option), the default first:"] if choices else [])]
    for group in choices:
        others = [option for option in group.options if option != group.default]
        lines.append(f"  {group.name:<14} {' | '.join([group.default, *others])}")
    keys = _key_lines(schema, "", primary(entry), _read_schemas())
    return "\n".join([*lines, "", "Keys (key=value):", *keys, "", _FLAGS])


def _key_lines(schema: str, prefix: str, values: dict[str, Any], source: _Source) -> Iterator[str]:
    """One line per key; `values` are those that the primary file sets in place of the schema's defaults."""
    for key in source.schemas[schema]:
        place = f"{prefix}{key.name}"
        inner = [name for name in re.findall(r"\w+", source.aliases.get(key.type, key.type)) if name in source.schemas]
        if not inner and key.name != "kind":
            named = source.aliases.get(key.default, key.default)
            default = repr(values[key.name]) if key.name in values else named
            meaning = " ".join(filter(None, (source.choices.get(key.type, ""), key.meaning)))
            yield _described(f"{place}={_plain(default)}", meaning)
        for name in inner:
            below = list(_key_lines(name, f"{place}.", values.get(key.name, {}), source))
            if len(inner) > 1 and below:
                yield f"  with {place}={_kind(source.schemas[name])}:"
            yield from below


def _described(assignment: str, meaning: str) -> str:
    indent = " " * (_COLUMN + 3)
    text = textwrap.fill(meaning, 110, initial_indent=indent, subsequent_indent=indent)
    if len(assignment) > _COLUMN:
        return f"  {assignment}\n{text}"
    return f"  {assignment:<{_COLUMN}} {text.strip()}".rstrip()


def _plain(default: str) -> str:
    """Source text of a default as it is written on a command line."""
    if re.fullmatch(r"[A-Z]\w+\.[A-Z0-9_]+", default):
        return default.rpartition(".")[2].lower()
    words = re.sub(r"\b[A-Z]\w+\.([A-Z0-9_]+)", lambda found: found[1].lower(), default)
    listed = re.sub(r"^\((.*?),?\)$", r"[\1]", words).replace("'", "").replace(", ", ",")
    return {"None": "null", "True": "true", "False": "false", "": "…"}.get(default, listed)


def _kind(keys: list[_Key]) -> str:
    return next(_plain(key.default) for key in keys if key.name == "kind")


def _read_schemas() -> _Source:
    classes: dict[str, ast.ClassDef] = {}
    aliases: dict[str, str] = {}
    choices: dict[str, str] = {}
    for path in sorted(_SCHEMAS.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case ast.ClassDef(bases=[ast.Name(id="StrEnum")]):
                    values = [item.value for item in node.body if isinstance(item, ast.Assign)]
                    choices[node.name] = " | ".join(str(ast.literal_eval(value)) for value in values) + "."
                case ast.ClassDef(decorator_list=[ast.Name(id="schema")]):
                    classes[node.name] = node
                case ast.Assign(targets=[ast.Name(id=name)]):
                    aliases[name] = ast.unparse(node.value)
    return _Source({name: _all_keys(name, classes) for name in classes}, aliases, choices)


def _all_keys(name: str, classes: dict[str, ast.ClassDef]) -> list[_Key]:
    """The keys of a schema, those of its bases first, in whichever file these are."""
    bases = (ast.unparse(base) for base in classes[name].bases)
    inherited = [key for base in bases for key in _all_keys(base, classes)]
    return list({key.name: key for key in [*inherited, *_keys(classes[name])]}.values())


def _keys(schema: ast.ClassDef) -> Iterator[_Key]:
    for item, after in zip(schema.body, [*schema.body[1:], None], strict=True):
        if not isinstance(item, ast.AnnAssign):
            continue
        default = ast.unparse(item.value) if item.value is not None else ""
        match after:
            case ast.Expr(value=ast.Constant(value=str(meaning))):
                yield _Key(ast.unparse(item.target), ast.unparse(item.annotation), default, " ".join(meaning.split()))
            case _:
                yield _Key(ast.unparse(item.target), ast.unparse(item.annotation), default, "")
