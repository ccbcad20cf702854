"""What the doctor looks at beside the environment: a template with a tokenizer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.model import HfModel, OpenAIModel, TinyModel
from agentbench.config.schema import schema


@schema
class NoModel:
    """No model: the environment is checked, or a template with a tokenizer of its own."""

    kind: Literal["none"] = "none"


AuditedModelConfig = Annotated[NoModel | TinyModel | HfModel | OpenAIModel, Field(discriminator="kind")]


@schema
class TokensConfig:
    """How the tokens of a template are looked at."""

    show: bool = False
    """Print an episode with its tokens in colours: the first given trajectory, or a made-up episode."""
    limit: Annotated[int, Field(ge=1)] = 200
    """Most given trajectories that are looked at, the first ones of the files."""
