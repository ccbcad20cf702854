"""Settings of branches that would do nothing, or cannot be had, are refused with what to do instead."""

from __future__ import annotations

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.config.branching import Branching
from agentbench.config.entry import BuildPrefsConfig, RolloutConfig
from agentbench.errors import ConfigError

WARM = "agent.temperature=1"
RANDOM = ("env.branching=random", WARM)
CHAT = ("model=openai", "model.base_url=http://127.0.0.1:1/v1", "model.name=some", "template=teacher")
MCP = ("env=mcp", "env.servers.clock.command=[x]", "env.servers.clock.transport=stdio", "tasks.file=some.jsonl")


def loaded(*overrides: str) -> RolloutConfig:
    return check("rollout", RolloutConfig, read_command_line(overrides)).config


@pytest.mark.parametrize(
    "overrides",
    [
        (*RANDOM, "env.branches.probability=0.5", "env.branches.depth=3", "env.branches.width=4"),
        ("env.branching=low_confidence", WARM, "env.branches.threshold=-2", "env.branches.confidence=min"),
        ("env.branching=divergence", "expert_mode=informed"),
        ("env.branching=divergence", "expert_mode=ground_truth"),
        (*RANDOM, "env.branches.budget_tokens=100", "env.branches.counted=all", "env.branches.restore=replay"),
        (*RANDOM, *CHAT),
    ],
)
def test_branches_that_can_be_played_are_accepted(overrides: tuple[str, ...]) -> None:
    assert loaded(*overrides).env.branching is not Branching.NONE


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("env.branching=random",), r"agent.temperature: .* at 0 it says the same; set agent.temperature=1"),
        (("env.branching=divergence",), r"env.branching: divergence is between agent and expert; choose expert_mode="),
        (("env.branching=divergence", "expert_mode=human"), r"env.branching: divergence asks the expert at every step"),
        (("env.branches.depth=2",), r"env.branches.depth: nothing branches; set env.branching=random"),
        ((*RANDOM, "env.branches.threshold=-1"), r"env.branches.threshold: belongs to env.branching=low_confidence"),
        ((*RANDOM, "env.branches.counted=all"), r"env.branches.counted: nothing is counted without"),
        ((*RANDOM, "env.branches.width=0"), r"env.branches.width: must be greater than or equal to 1, got 0"),
        (
            (*RANDOM, "env.branches.probabilty=1"),
            r"env.branches.probabilty: unknown key, did you mean .env.branches.prob",
        ),
        ((*RANDOM, *MCP), r"env.branching: random brings environments back .* tools of MCP servers cannot be"),
        ((*RANDOM, "predictions=x"), r"env.branching: predictions are scored and not played"),
        (("env.branching=low_confidence", WARM, *CHAT), r"env.branching: low_confidence needs the log-probabilities"),
        (
            ("env.branching=low_confidence", WARM, "expert_mode=ground_truth"),
            r"env.branching: low_confidence is the agent's, which expert_mode=ground_truth does not ask",
        ),
    ],
)
def test_what_cannot_be_is_told_in_one_line(overrides: tuple[str, ...], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        loaded(*overrides)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("prefs.value_margin=0.5",), "prefs.value_margin: belongs to prefs.source=values, not to actors"),
        (
            ("prefs.source=values", "prefs.only_interventions=true"),
            "prefs.only_interventions: belongs to prefs.source=actors, not to values",
        ),
    ],
)
def test_each_source_of_step_preferences_has_settings_of_its_own(overrides: tuple[str, ...], told: str) -> None:
    given = ("trajectories=[some.jsonl]", "tokenizer=some", *overrides)
    with pytest.raises(ConfigError, match=f"^{told}$"):
        check("build_prefs", BuildPrefsConfig, read_command_line(given))
