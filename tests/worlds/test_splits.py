"""Values belong to splits for good; frames are enough, different, and made of words that training knows."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from agentbench.config.tasks import Split
from agentbench.tasks.tool_usage import Family
from agentbench.worlds.frames import FRAMES, frame_indexes, frame_split
from agentbench.worlds.policies import WORDINGS
from agentbench.worlds.splits import split_of


def test_seventy_ten_and_twenty_percent_of_values_fall_into_the_splits():
    shares = Counter(split_of(f"value {number}") for number in range(10_000))
    assert abs(shares[Split.TRAIN] - 7000) < 150
    assert abs(shares[Split.VALIDATION] - 1000) < 100
    assert abs(shares[Split.TEST] - 2000) < 130


def test_case_does_not_move_a_value_to_another_split():
    assert all(split_of(f"Jack {number}") is split_of(f"jACK {number}") for number in range(200))


def test_of_ten_frames_seven_are_for_training_one_for_validation_two_for_test():
    assert [frame_split(index) for index in (0, 6, 7, 8, 9, 10)] == [
        Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST, Split.TEST, Split.TRAIN,
    ]  # fmt: skip


@pytest.mark.parametrize("group", FRAMES)
def test_every_group_has_ten_different_frames_or_more(group: str):
    assert len(FRAMES[group]) >= 10
    assert len(set(FRAMES[group])) == len(FRAMES[group])


def test_every_word_of_a_held_out_frame_stands_in_a_training_frame():
    def words(*splits: Split) -> set[str]:
        texts = [FRAMES[group][index] for group in FRAMES for split in splits for index in frame_indexes(group, split)]
        return {word.casefold() for text in texts for word in re.findall(r"\w+", text)}

    assert words(Split.VALIDATION, Split.TEST) <= words(Split.TRAIN)


def test_every_word_of_a_held_out_policy_stands_in_a_training_policy():
    def words(held_out: bool) -> set[str]:
        texts = [text for group in WORDINGS.values() for index, text in enumerate(group) if (index >= 7) is held_out]
        return {word.casefold() for text in texts for word in re.findall(r"\w+", text)}

    assert words(True) <= words(False)


def test_the_same_sentence_in_two_groups_belongs_to_the_same_split():
    splits: dict[str, set[Split]] = {}
    for frames in FRAMES.values():
        for index, frame in enumerate(frames):
            splits.setdefault(frame, set()).add(frame_split(index))
    assert [frame for frame, found in splits.items() if len(found) > 1] == []


@pytest.mark.parametrize("family", WORDINGS)
def test_every_policy_family_has_ten_different_wordings(family: Family):
    assert len(set(WORDINGS[family])) == 10
