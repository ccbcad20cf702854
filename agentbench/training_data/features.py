"""Column types for `datasets`, for those who would rather not have them guessed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from agentbench.training_data.rows import PreferenceRow, SftRow

if TYPE_CHECKING:
    from datasets import Features

_MESSAGES = ("prompt", "chosen", "rejected", "completion")


def dataset_features(kind: type[PreferenceRow | SftRow], tokens: bool = True) -> Features:
    """For `load_dataset("json", data_files=…, features=dataset_features(PreferenceRow))`.

    `datasets` guesses types from the first 10 MB and then holds on to them: a later line with a first tool call breaks
    the load, and a column of nothing but dates becomes time stamps, inside arguments too where they are objects. With
    these types every message comes back as it was written. `tokens=False`: rows of template=teacher.
    """
    from datasets import Features, Json, List, Value

    columns: dict[str, object] = {}
    for field in dataclasses.fields(kind):
        if field.name in _MESSAGES:
            columns[field.name] = List(Json())
        elif field.name.endswith("_mask"):
            columns[field.name] = List(Value("int8"))
        elif field.name.endswith("_ids"):
            columns[field.name] = List(Value("int32"))
        else:
            columns[field.name] = Value("float64" if field.name == "margin" else "string")
    kept = {name: type_ for name, type_ in columns.items() if tokens or not name.endswith(("_ids", "_mask"))}
    return Features(kept)
