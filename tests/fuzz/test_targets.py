"""Every parser of untrusted input, on inputs that look like real ones: no exception but ours, and no long thinking."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutation import bytes_changed, mutated
from tests.fuzz.targets import TARGETS

ALL: list[HealthCheck] = list(HealthCheck)  # type: ignore[arg-type]  # its metaclass hides that it is an enumeration
LONGEST_CPU_S = 5.0
"""Of one input, beyond what importing takes; most take well under a millisecond."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_is_read(name: str) -> None:
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=25, deadline=None, suppress_health_check=ALL, derandomize=True)
@given(data=st.data())
def test_no_input_brings_out_anything_but_our_errors(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    seed = data.draw(st.sampled_from(target.seeds))
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    change = data.draw(st.sampled_from((mutated, bytes_changed)))
    began = time.process_time()
    target.run(change(seed, rng))
    assert time.process_time() - began < LONGEST_CPU_S
