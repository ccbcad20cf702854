"""BFCL's questions as an environment, and which of its categories are played."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agentbench.config.branching import Branching
from agentbench.config.env_played import PlayedEnv
from agentbench.config.schema import schema
from agentbench.config.suggest import did_you_mean

if TYPE_CHECKING:
    from agentbench.config.audit import TokensConfig
    from agentbench.config.env import EnvConfig
    from agentbench.config.stage import StageConfig

NON_LIVE = (
    "simple_python",
    "simple_java",
    "simple_javascript",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
)
LIVE = (
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_irrelevance",
    "live_relevance",
)
MULTI_TURN = ("multi_turn_base", "multi_turn_miss_func", "multi_turn_miss_param", "multi_turn_long_context")
GROUPS = {
    "non_live": NON_LIVE,
    "live": LIVE,
    "single_turn": (*NON_LIVE, *LIVE),
    "multi_turn": MULTI_TURN,
    "all": (*NON_LIVE, *LIVE, *MULTI_TURN),
}
"""Names for several categories."""

_TODAY = {
    "simple": "simple_python, simple_java and simple_javascript",
    "python": "simple_python",
    "java": "simple_java",
    "javascript": "simple_javascript",
    "ast": "non_live",
    "multiturn": "multi_turn",
    "multuturn": "multi_turn",
    "parallel_function": "parallel",
    "multiple_function": "multiple",
    "parallel_multiple_function": "parallel_multiple",
    "relevance": "live_relevance (calls) and irrelevance, live_irrelevance (no call)",
    "multi_turn_miss_function": "multi_turn_miss_func",
    "multi_turn_miss_parameter": "multi_turn_miss_param",
    "multi_turn_long": "multi_turn_long_context",
}
"""What categories of earlier versions are called now."""
_GONE = ("exec", "rest", "sql", "chatable", "multi_turn_composite")
_NOT_PLAYED = ("web_search", "memory", "agentic", "format_sensitivity")


@schema
class BfclEnv(PlayedEnv):
    """The Berkeley function-calling leaderboard, from the `bfcl-eval` package in an environment of its own."""

    kind: Literal["bfcl"] = "bfcl"
    categories: Annotated[tuple[str, ...], Field(min_length=1)] = ("single_turn", "multi_turn")
    """Official names, or those of groups: non_live, live, single_turn, multi_turn, all."""
    python: Path | None = None
    """Interpreter that has bfcl-eval. Off: the one of `make bfcl`."""
    horizon: Annotated[int, Field(ge=1, le=1000)] = 200
    """Most steps in an episode; then it is truncated. Single turns take one; a user's turn in a dialogue takes at most
    20 with calls, as in the official runner."""
    tool_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Longest time the simulated APIs may take for the calls of one step, in seconds; past it the episode is
    truncated."""

    @property
    def chosen(self) -> tuple[str, ...]:
        """The categories, each once, groups resolved."""
        return tuple(dict.fromkeys(each for name in self.categories for each in GROUPS.get(name, (name,))))

    @property
    def several_calls(self) -> bool:
        """Parallel questions want them, and dialogues execute them in order."""
        return True


def bfcl_categories_are_known(env: EnvConfig) -> str:
    """Old names are told the new ones."""
    problems = [problem for name in env.categories if (problem := _problem(name))] if isinstance(env, BfclEnv) else []
    return f"env.categories: {'; '.join(problems)}" if problems else ""


def bfcl_is_not_trained_on(env: EnvConfig, _stage: StageConfig) -> str:
    """A public test set stays one."""
    return "env: bfcl is a public test; nothing is trained on it" if isinstance(env, BfclEnv) else ""


def bfcl_is_not_self_checked(env: EnvConfig, _tokens: TokensConfig) -> str:
    """Agents with bad habits deserve what its checkers give them: where no call is right, silence is."""
    return (
        "env: bfcl has checkers of its own; the self-check is for environments of ours"
        if isinstance(env, BfclEnv)
        else ""
    )


def bfcl_does_not_branch(env: EnvConfig) -> str:
    """Branches would need a verdict of their own."""
    if isinstance(env, BfclEnv) and env.branching is not Branching.NONE:
        return "env.branching: env=bfcl judges whole dialogues; leave it away"
    return ""


def _problem(name: str) -> str:
    known = (*GROUPS["all"], *GROUPS)
    if name in known:
        return ""
    if name.lower() in _TODAY:
        return f"{name!r} is called {_TODAY[name.lower()]} today"
    if name.startswith(_GONE):
        return f"{name!r} is not part of BFCL any more"
    if name.startswith(_NOT_PLAYED):
        return (
            f"{name!r} is not played here: it needs the web, a memory over several dialogues, or prompts of BFCL's own"
        )
    return f"{name!r} is none of {', '.join(known)}{did_you_mean(name, known)}"
