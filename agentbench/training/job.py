"""One training of a given model: what a rank is told, and what is known once it is over."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.config import load
from agentbench.config.entry import TrainConfig
from agentbench.config.launcher import SingleLauncher
from agentbench.config.lora import NoLora
from agentbench.config.model import HfModel
from agentbench.errors import ConfigError
from agentbench.types import record

DATA = "data"
"""Folder of the tokens that are trained on, in a run's folder."""
ADAPTER = "adapter"
MODEL = "model"
TRAINER = "trainer"
"""Folder of checkpoints."""
METRICS_LOG = "metrics.jsonl"
TRAINED = "metrics.json"
EVALUATION = "eval"
"""Folder of the episodes that the trained model played, where it was asked to."""
PACKING_LOG = "packing.log"
"""What tree packing said: how much is shared, whether it agrees with the stock path, why it is off."""


@record
class Trained:
    """What came of a training."""

    stage: str
    rows: int
    """Rows that were trained on."""
    left_out: int
    """Rows that were too long, repeated, or held no token of the agent's."""
    own_share: float
    """Share of the rows' tokens that are the agent's own and carry the loss, in [0, 1]."""
    stock_share: float
    """Share that a trainer without masks would have scored."""
    parameters: int
    trained_parameters: int
    steps: int
    first_loss: float
    loss: float
    """Mean over the last tenth of the logged steps."""
    validation: dict[str, float]
    """`loss`, and for pairs `accuracy` and `margin`, of the model that is the result; empty without validation rows."""
    seconds: float
    """Wall time of the steps, of the last run alone where it was gone on with."""


class TrainJob(NamedTuple):
    """A configuration whose model is weights that are there, and the folder to write to."""

    config: TrainConfig
    folder: Path

    @property
    def model(self) -> HfModel:
        """The model that training starts from.

        Raises:
            ConfigError: it is another kind of model.
        """
        if not isinstance(self.config.model, HfModel):
            raise ConfigError([f"model: {self.config.model.kind} is no folder of weights"])
        return self.config.model

    @property
    def processes(self) -> int:
        """How many ranks train together."""
        launcher = self.config.launcher
        return 1 if isinstance(launcher, SingleLauncher) else launcher.processes

    @property
    def micro_batch(self) -> int:
        """Rows per forward pass and process."""
        return self.config.trainer.micro_batch or self.config.stage.batch_size // self.processes

    @property
    def rows_at_once(self) -> int:
        """Rows that all processes compute together."""
        return self.micro_batch * self.processes

    @property
    def continues_adapter(self) -> bool:
        """Whether the given adapter itself is trained further."""
        lora = self.config.lora
        return not isinstance(lora, NoLora) and self.model.adapter is not None and not lora.create_new_adapter

    @property
    def makes_adapter(self) -> bool:
        """Whether a new adapter is trained, and not all weights or the given one."""
        return not isinstance(self.config.lora, NoLora) and not self.continues_adapter

    @property
    def adapter_keys(self) -> dict[str, Any]:
        """The keys of `lora`; an adapter that is trained further keeps its own rank, alpha, dropout and targets."""
        keys = dataclasses.asdict(self.config.lora)
        if self.model.adapter is None or not self.continues_adapter:
            return keys
        found = orjson.loads((self.model.adapter / "adapter_config.json").read_bytes())
        targets = found["target_modules"]
        return {
            **keys,
            "rank": found["r"],
            "alpha": float(found["lora_alpha"]),
            "dropout": found["lora_dropout"],
            "targets": (targets,) if isinstance(targets, str) else tuple(sorted(targets)),
            "rslora": found["use_rslora"],
            "dora": found["use_dora"],
        }

    @property
    def output(self) -> Path:
        """Folder of what is trained: the adapter, or the model."""
        return self.folder / (MODEL if isinstance(self.config.lora, NoLora) else ADAPTER)

    def to_json(self) -> bytes:
        """The job as a rank reads it."""
        return orjson.dumps({"config": self.config, "folder": self.folder}, default=str, option=orjson.OPT_INDENT_2)


def read_job(text: bytes) -> TrainJob:
    """The job of `to_json`.

    Raises:
        ConfigError: it was written by another version.
    """
    content = orjson.loads(text)
    return TrainJob(load(content["config"], TrainConfig), Path(content["folder"]))
