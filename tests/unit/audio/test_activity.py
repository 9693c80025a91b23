"""Voice activity without a model: digital silence is the only silence."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.audio.activity import FRAME, AnySound

from .conftest import noise


def test_any_sound_is_all_but_digital_silence():
    audio = np.concatenate([np.zeros(FRAME), np.full(FRAME, 0.01), np.full(FRAME, 0.0001)])
    assert AnySound().probabilities(audio.astype(np.float32)).tolist() == [0, 1, 0]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=20))
def test_any_sound_does_not_depend_on_the_blocks(blocks):
    audio = noise(sum(blocks))
    audio[: len(audio) // 2] = 0
    one, other = AnySound(), AnySound()
    at, found = 0, []
    for length in blocks:
        found.append(one.probabilities(audio[at : at + length]))
        at += length
    whole = np.concatenate([other.probabilities(audio), other.flush()])
    parts = np.concatenate([*found, one.flush()])
    assert len(whole) == -(-len(audio) // FRAME)
    assert np.array_equal(parts, whole)
