"""Other people's text inside a prompt, so that it stays text.

Whatever an agent, a tool or a user wrote goes into a named block as JSON. A block cannot be left from inside: in its
JSON the sign `<` is written `\\u003c`. That keeps the prompt's layout safe; whether a model obeys what it reads
there is up to the model.
"""

from __future__ import annotations

import json
from typing import Any


def block(name: str, *values: Any) -> str:
    """The values between `<name>` and `</name>`, one line of JSON each; half a surrogate pair becomes `?`."""
    lines = (json.dumps(value, ensure_ascii=False).replace("<", "\\u003c") for value in values)
    text = "\n".join((f"<{name}>", *lines, f"</{name}>"))
    return text.encode("utf-8", "replace").decode("utf-8")
