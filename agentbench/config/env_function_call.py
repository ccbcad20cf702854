"""Questions with functions of their own, answered by what is called first."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agentbench.config.env_played import PlayedEnv
from agentbench.config.schema import schema

if TYPE_CHECKING:
    from agentbench.config.env import EnvConfig
    from agentbench.config.stage import StageConfig


class CallFormat(StrEnum):
    """How questions, functions and calls are written down."""

    XLAM = "xlam"
    """xLAM's: a JSON list, or one object per line, with JSON texts inside."""
    NESTFUL = "nestful"
    """NESTFUL's: sequences of calls that refer to each other, with the functions in a file of their own. A public test:
    all its questions are of the test split."""


@schema
class FunctionCallEnv(PlayedEnv):
    """Single-turn function calling: nothing is run, and the first action, of one call or several, ends the episode."""

    kind: Literal["function_call"] = "function_call"
    file: Path | None = None
    """The questions; with env.format=nestful also a folder of such files. Off: an embedded set of 4,000 questions about
    30 functions, for first steps."""
    format: CallFormat = CallFormat.XLAM
    split_seed: int = 0
    """Draws which 80 % of the questions are for training, 10 % for validation and 10 % for tests. It is not the run's
    seed, so that runs of several seeds keep the same tests."""
    train_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the training questions that there are, 0.1 or 0.5 for instance; a smaller one is part of a larger."""
    tools_shown: Annotated[int, Field(ge=1)] | None = None
    """Functions on offer: those that are needed and others of the file's, drawn for each question. Off: as the file has
    them, which in NESTFUL are all of a part."""
    horizon: Literal[1] = 1
    """The first action ends the episode."""

    @property
    def several_calls(self) -> bool:
        """The data sets call such steps parallel."""
        return True


def nestful_is_not_trained_on(env: EnvConfig, _stage: StageConfig) -> str:
    """A public test stays one."""
    if isinstance(env, FunctionCallEnv) and env.format is CallFormat.NESTFUL:
        return "env: nestful is a public test; nothing is trained on it"
    return ""


def nestful_has_its_file(env: EnvConfig) -> str:
    """The embedded questions are in xLAM's format."""
    if isinstance(env, FunctionCallEnv) and env.format is CallFormat.NESTFUL and env.file is None:
        return "env.file: required with env.format=nestful: the folder of NESTFUL's data"
    return ""
