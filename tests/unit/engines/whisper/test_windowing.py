"""How much of 30 s a window takes, and how much it may write."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.engines.whisper.windowing import FULL_FRAMES, Sizing, token_budget


@pytest.mark.parametrize(
    ("seconds", "frames"),
    [(0.1, 800), (7.0, 800), (7.01, 1000), (14, 1500), (25, 2600), (25.01, 3000), (30, 3000)],
)
def test_a_window_takes_the_smallest_size_that_holds_it_and_its_margin(seconds, frames):
    assert Sizing().frames(seconds) == frames


@settings(deadline=None)
@given(st.floats(0.01, 30), st.floats(0.01, 30))
def test_sizes_grow_with_the_audio_and_hold_it(one, other):
    shorter, longer = sorted((one, other))
    sizing = Sizing()
    assert sizing.frames(shorter) <= sizing.frames(longer) <= FULL_FRAMES
    assert sizing.frames(longer) >= longer * 100


@settings(deadline=None)
@given(st.floats(0.01, 30))
def test_without_right_sizing_every_window_is_full(seconds):
    assert Sizing(enabled=False).frames(seconds) == FULL_FRAMES


def test_margin_and_sizes_are_settings():
    sizing = Sizing(margin_s=2.0, sizes_s=(5.0, 30.0))
    assert [sizing.frames(seconds) for seconds in (3.0, 3.1)] == [500, 3000]


@settings(deadline=None)
@given(st.floats(0.1, 30))
def test_the_token_budget_leaves_room_for_fast_speech(seconds):
    assert token_budget(seconds) > 13 * seconds + 4
