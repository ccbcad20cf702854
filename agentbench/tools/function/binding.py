"""A Python function behind the `Tool` protocol, found by its dotted path.

The function gets the arguments of a call by name, after they have been checked against the declared JSON Schema, and
gives anything that is JSON. It may be `async`. One that blocks for long belongs into a thread (`blocking: true`);
all episodes share it, so it should keep nothing between calls.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from agentbench.config.suggest import did_you_mean
from agentbench.errors import PreflightError, ToolError
from agentbench.tools.blocking import in_own_thread
from agentbench.types import Observation, ToolSpec

_log = logging.getLogger(__name__)

Function = Callable[..., Any]


class FunctionTool:
    """One function as a tool. What it raises is told to the agent, and nobody else is harmed."""

    def __init__(self, spec: ToolSpec, function: Function, *, blocking: bool = False) -> None:
        """`blocking`: each call runs in a thread of its own, so that other episodes go on, whatever becomes of it."""
        self.spec = spec
        self._function = function
        self._blocking = blocking

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """What the function gives, as JSON; what is no object becomes `{"result": …}`.

        Raises:
            ToolError: the function raised, or gave something that is no JSON.
        """
        try:
            found = await self._found(arguments)
            whole = found if isinstance(found, Mapping) else {"result": found}
            return Observation(orjson.dumps(whole).decode())
        except ToolError:
            raise
        except (Exception, SystemExit) as error:  # somebody's function failed: the agent reads it, the log keeps all
            _log.warning("%s failed", self.spec.name, exc_info=error)
            raise ToolError(f"{self.spec.name} failed: {type(error).__name__}: {error}") from error

    async def _found(self, arguments: dict[str, Any]) -> Any:
        if self._blocking:
            return await in_own_thread(partial(self._function, **arguments))
        found = self._function(**arguments)
        return await found if inspect.isawaitable(found) else found


def function_at(path: str) -> Function:
    """The function of a dotted path, `package.module.function`; modules in the working directory are found too.

    Raises:
        PreflightError: there is no such module or function, or importing it fails.
    """
    module_name, _, name = path.rpartition(".")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise PreflightError(f"function {path!r}: {type(error).__name__}: {error}", _ADVICE) from error
    function = vars(module).get(name)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise PreflightError(f"function {path!r}: {module_name} has no {name!r}{did_you_mean(name, known)}", _ADVICE)
    return function


def misfit(spec: ToolSpec, function: Function) -> str:
    """What a function cannot take, or needs, that its declared parameters do not say; empty where they fit."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some functions written in C do not tell
        return ""
    declared, required = set(spec.parameters.get("properties", {})), set(spec.parameters.get("required", ()))
    if not any(each.kind is each.VAR_KEYWORD for each in parameters):
        named = (each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY))
        unknown = declared - {each.name for each in named}
        if unknown:
            return f"it takes no {sorted(unknown)[0]!r}, which its schema declares"
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    needed = {each.name for each in parameters if each.default is each.empty and each.kind not in variable}
    missing = sorted(needed - required)
    return f"it needs {missing[0]!r}, which its schema does not require" if missing else ""


_ADVICE = "env.tools.<name>.function is module.function, with the module on PYTHONPATH or in the working directory"
