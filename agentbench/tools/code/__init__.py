"""One tool that runs code: the `python` of coding agents, and the worlds of AppWorld that stand behind it.

AppWorld's pins clash with ours, so it lives in an environment of its own and is reached as a process: `worker.py` is
the script that its interpreter runs, `appworld.py` starts it and speaks to it.
"""

from __future__ import annotations

from agentbench.types import ToolKind, ToolSpec

PYTHON = ToolSpec(
    "python",
    "Runs Python code in a session that keeps its variables, and returns what the code prints. Apps are called as"
    " apis.<app>.<api>(name=value, …).",
    {
        "type": "object",
        "properties": {"code": {"type": "string", "description": "Python source, one line or many."}},
        "required": ["code"],
        "additionalProperties": False,
    },
    ToolKind.CODE,
)
