"""Keys of servers: where they are kept, and that they are never shown."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from dotenv import dotenv_values, find_dotenv

from agentbench.config.secrets import hide


@dataclass(frozen=True)
class ApiKey:
    """A key and the name it is kept under; only the name is ever shown."""

    variable: str
    value: str = field(default="", repr=False)


def read_key(variable: str) -> ApiKey:
    """The key in an environment variable, else in a `.env` of the working folder or above it, else an empty one.

    From then on its value is blotted out of all that is logged and recorded.
    """
    value = os.environ.get(variable) or dotenv_values(find_dotenv(usecwd=True)).get(variable)
    key = ApiKey(variable, (value or "").strip())
    hide(key.value)
    return key
