"""Messages as stock chat templates want them, in line with the tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agentbench.config.prefs import Arguments
from agentbench.training_data.transcript import Transcriber, opening_and, tools_text
from agentbench.types import Exchange, History, Observation, Trajectory

from .conftest import ASK, NONSENSE, RIGHT, SEARCH

REAL = Path(__file__).parents[3] / "shared" / "data" / "tokenizers"


def stock(family: str, trajectory: Trajectory, arguments: Arguments) -> str:
    """A family's own chat template over the messages of a trajectory."""
    folder = REAL / family
    if not folder.is_dir():
        pytest.skip(f"the real tokenizer {family} is not at hand")
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    template = environment.from_string((folder / "chat_template.jinja").read_text())
    text = Transcriber(None, "Be brief.", arguments).transcript(trajectory.history)
    messages: list[dict[str, Any]] = list(opening_and(text, len(text.moves)).messages[:-1])  # not the empty last word
    tools = json.loads(tools_text(trajectory.history.tools))
    return template.render(messages=messages, tools=tools, bos_token="<s>", eos_token="</s>")


@pytest.mark.parametrize("arguments", list(Arguments))
def test_qwens_own_template_takes_either_form_of_arguments(play, arguments: Arguments) -> None:
    text = stock("qwen3", play(ASK, SEARCH, RIGHT), arguments)
    assert '{"name": "get_film_director", "arguments": {"title": "Robbery"}}' in text


def test_mistrals_own_template_needs_objects_and_ids_of_nine_characters(play) -> None:
    trajectory = play(ASK, SEARCH, RIGHT)
    text = stock("mistral_7b_instruct_v0_3", trajectory, Arguments.OBJECT)
    assert '[{"name": "get_film_director", "arguments": {"title": "Robbery"}, "id": "call00000"}]' in text
    assert '"call_id": "call00001"' in text
    assert '"arguments": "{' in stock("mistral_7b_instruct_v0_3", trajectory, Arguments.TEXT)  # encoded twice


def test_given_turns_belong_to_the_opening(transcriber) -> None:
    history = History((), Observation("And then?"), (), (Exchange("Who?", "Jack Lee"),))
    text = transcriber.transcript(history)
    assert [message["role"] for message in text.opening_messages] == ["system", "user", "assistant", "user"]
    assert text.moves == ()


def test_moves_have_what_was_said_and_what_came_back(play, transcriber, words) -> None:
    text = transcriber.transcript(play(NONSENSE, ASK, RIGHT).history)
    assert [move.said for move in text.moves] == ["malformed", "call", "final"]
    assert [words.decode(move.ids) for move in text.moves] == [f"{said}<|end|>" for said in (NONSENSE, ASK, RIGHT)]
    assert [move.seen_messages[0]["role"] for move in text.moves] == ["user", "tool", "user"]
    assert words.decode(text.moves[1].seen_ids) == " director Jack Lee<|act|>" and text.moves[2].seen_ids == ()


def test_the_tokens_up_to_any_move_are_the_prompt_that_was_served(play, transcriber) -> None:
    trajectory = play(NONSENSE, ASK, SEARCH, RIGHT)
    text = transcriber.transcript(trajectory.history)
    served = [step.decision.generations[0].prompt_ids for step in trajectory.history.steps]
    assert [opening_and(text, place).ids for place in range(4)] == served
