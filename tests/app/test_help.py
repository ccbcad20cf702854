"""What `--help` makes of the schemas' source text."""

from __future__ import annotations

from agentbench.app.help import help_text


def keys_of(choice: str) -> list[str]:
    """The assignments that `train` shows below `with <choice>:`."""
    text = help_text("train", "", "TrainConfig")
    section = text.split(f"\n  with {choice}:\n")[1].split("\n  with ")[0]
    return [line.split()[0] for line in section.splitlines() if line.startswith("  stage.")]


def test_a_key_that_a_kind_has_a_default_of_its_own_for_is_shown_once() -> None:
    shown = keys_of("stage=ppo")
    # Every stage that plays has groups of 8; ppo of 4.
    assert [line for line in shown if line.startswith("stage.group_size=")] == ["stage.group_size=4"]
    assert len(shown) == len({line.split("=")[0] for line in shown})


def test_keys_that_kinds_have_in_common_are_shown_with_each_of_them() -> None:
    assert all("stage.max_length=4096" in keys_of(f"stage={kind}") for kind in ("dpo", "kto", "orpo"))
    assert "stage.ref_path=null" in keys_of("stage=kto") and "stage.ref_path=null" not in keys_of("stage=orpo")
