"""`doctor model=… template=…`: what is right passes, what is wrong is one line and an exit code."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from tokenizers import Tokenizer as Rust
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from agentbench import doctor
from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.build.token_audit import audits_tokens
from agentbench.config.entry import DoctorConfig
from agentbench.episodes.store import TrajectoryWriter
from agentbench.errors import AgentbenchError, ConfigError, DataError, GateFailed, PreflightError
from agentbench.templates.tiny import CONTROL_TOKENS
from agentbench.training_data.token_histories import plain_cases
from agentbench.types import EndReason, Task, Trajectory

from .conftest import ROOT, Run

MISTRAL = ROOT.parent / "shared" / "data" / "tokenizers" / "mistral_7b_instruct_v0_3"
needs_mistral = pytest.mark.skipif(not MISTRAL.is_dir(), reason="needs the real tokenizer of Mistral 7B Instruct v0.3")
SERVER = ("model=openai", "model.base_url=http://127.0.0.1:1/v1", "model.name=some")


def configured(*overrides: str) -> DoctorConfig:
    return check("doctor", DoctorConfig, read_command_line(overrides)).config


def tiny_tokenizer(folder: Path, *, lowercase: bool = False) -> Path:
    """A tokenizer of single bytes and the tiny student's control tokens."""
    rust = Rust(models.BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=list(CONTROL_TOKENS), initial_alphabet=alphabet, show_progress=False)
    rust.train_from_iterator([], trainer)
    if lowercase:
        rust.normalizer = normalizers.Lowercase()
    rust.save(str(folder / "tokenizer.json"))
    return folder


@needs_mistral
def test_a_right_pair_passes_and_shows_its_tokens(run: Run, film_task: Task, tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path) as writer:
        writer.append(Trajectory(film_task, plain_cases()[4].history, EndReason.FINAL))
    given = f"trajectories=['{tmp_path}/trajectories.jsonl']"
    ended = run("doctor", "model=hf", f"model.path='{MISTRAL}'", "template=student_mistral", "tokens.show=true", given)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count(" yes ") == 5 and "48 made-up and 1 given episodes" in ended.out
    assert "And who built the mole?" in ended.out.split("tokens as they are trained on")[1]
    (folder,) = (tmp_path / "outputs" / "doctor").iterdir()
    found = orjson.loads((folder / "audit.json").read_bytes())
    assert found["right_to_train_on"] is True and found["failed"] == [] and len(found["checks"]) == 5


def test_a_wrong_pair_is_refused_with_what_is_wrong_about_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tiny_tokenizer(tmp_path, lowercase=True)
    with pytest.raises(GateFailed, match=r"training on tiny .* would be wrong: drift failed$") as caught:
        doctor.run(configured(f"template.tokenizer='{place}'"), tmp_path)
    assert caught.value.exit_code == 6 and "audit.json" in caught.value.next_step
    assert "NO" in capsys.readouterr().out
    assert orjson.loads((tmp_path / "audit.json").read_bytes())["failed"] == ["drift"]


def test_a_tiny_student_is_audited_by_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doctor.run(configured("model=tiny", f"model.path='{tiny_tokenizer(tmp_path)}'"), tmp_path)
    out = capsys.readouterr().out
    assert out.count(" yes ") == 5 and "stock: this tokenizer has no chat template" in out


@pytest.mark.parametrize(
    ("overrides", "kind", "problem"),
    [
        (("model=hf", "model.path=nowhere/"), PreflightError, "^no tokenizer 'nowhere/'"),
        (("model=hf", "model.path='{empty}'"), PreflightError, r"^no tokenizer in '.*': tokenizer\.json is missing$"),
        (("template=student_qwen3", "template.tokenizer='{tiny}'"), PreflightError, r"control token '<\|im_start\|>'"),
        (("template.tokenizer='{tiny}'", "trajectories=[no.jsonl]"), PreflightError, r"^no\.jsonl cannot be read"),
        (("template.tokenizer='{tiny}'", "trajectories=['{bad}']"), DataError, "line 1: not a trajectory$"),
        (("template.tokenizer='{tiny}'", "template.thinking=false"), ConfigError, r"^template\.thinking: can be"),
        (SERVER, ConfigError, r"^template\.kind: teacher writes messages"),
        (("template=student_qwen3",), ConfigError, "^template: needs a tokenizer to look at"),
        (("tokens.show=true",), ConfigError, r"^tokens\.show: needs a tokenizer to look at"),
    ],
)
def test_what_cannot_be_audited_is_one_line(
    tmp_path: Path, overrides: tuple[str, ...], kind: type[AgentbenchError], problem: str
) -> None:
    places = {"empty": tmp_path / "empty", "tiny": tmp_path, "bad": tmp_path / "bad.jsonl"}
    places["empty"].mkdir()
    places["bad"].write_text("no json\n")
    tiny_tokenizer(tmp_path)
    with pytest.raises(kind, match=problem) as caught:
        doctor.run(configured(*(text.format(**places) for text in overrides)), tmp_path)
    assert "\n" not in str(caught.value)


def test_without_model_and_tokenizer_it_is_the_environment_that_is_checked() -> None:
    assert not audits_tokens(configured())
    assert audits_tokens(configured("model=hf", "model.path=somewhere"))
    assert audits_tokens(configured("template.tokenizer=somewhere"))
