"""Settings of function calling that would do nothing, or harm, are refused."""

from __future__ import annotations

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.config.entry import BuildPrefsConfig, EvalConfig, TrainConfig
from agentbench.errors import ConfigError

ENTRIES = {"train": TrainConfig, "eval": EvalConfig, "build_prefs": BuildPrefsConfig}
PAIRS = ("build_prefs", "trajectories=[a.jsonl]", "tokenizer=somewhere")
MODEL = ("model=hf", "model.path=somewhere")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (("train", "env=nestful", "env.file=somewhere"), "env: nestful is a public test; nothing is trained on it"),
        (("eval", "env=function_call", "env.format=nestful"), "env.file: required with env.format=nestful"),
        (("eval", "env=function_call", "env.horizon=2"), "env.horizon:"),
        ((*PAIRS, "prefs.negatives=near"), "prefs.negatives: belongs to prefs.source=gold, not to actors"),
        ((*PAIRS, "prefs.source=gold", "prefs.only_interventions=true"), "belongs to prefs.source=actors, not to gold"),
        (("train", *MODEL, "model.quantization=int8"), "model.quantization: is for answering"),
        (("eval", *MODEL, "model.quantization=int8", "serve=vllm"), "with serve=vllm set serve.quantization"),
    ],
)
def test_a_setting_that_does_not_go_is_refused(line: tuple[str, ...], problem: str) -> None:
    entry, *overrides = line
    with pytest.raises(ConfigError, match=problem):
        check(entry, ENTRIES[entry], read_command_line(overrides))
