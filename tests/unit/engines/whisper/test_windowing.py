"""How much of 30 s a window takes, and how much it may write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.engines.whisper.windowing import (
    FULL_FRAMES,
    SMALL_MODEL_BYTES,
    Pools,
    Sizing,
    needs_timestamps,
    plan_pools,
    token_budget,
)


@pytest.mark.parametrize(
    ("seconds", "frames"),
    [(0.1, 800), (7.0, 800), (7.01, 1200), (14, 1600), (24, 2500), (24.01, 3000), (30, 3000)],
)
def test_a_window_takes_the_smallest_size_that_holds_it_and_its_margin(seconds, frames):
    assert Sizing().frames(seconds) == frames


@given(st.floats(0.01, 30), st.floats(0.01, 30))
def test_sizes_grow_with_the_audio_and_hold_it(one, other):
    shorter, longer = sorted((one, other))
    sizing = Sizing()
    assert sizing.frames(shorter) <= sizing.frames(longer) <= FULL_FRAMES
    assert sizing.frames(longer) >= longer * 100


@given(st.floats(0.01, 30))
def test_without_right_sizing_every_window_is_full(seconds):
    assert Sizing(enabled=False).frames(seconds) == FULL_FRAMES


def test_margin_and_sizes_are_settings():
    sizing = Sizing(margin_s=2.0, sizes_s=(5.0, 30.0))
    assert [sizing.frames(seconds) for seconds in (3.0, 3.1)] == [500, 3000]


@given(st.floats(0.1, 30))
def test_the_token_budget_leaves_room_for_fast_speech(seconds):
    assert token_budget(seconds) > 13 * seconds + 4


@pytest.mark.parametrize(
    ("seconds", "frames", "needed"),
    [(3.5, 800, True), (4.8, 800, False), (11.0, 1200, False), (3.0, FULL_FRAMES, False)],
)
def test_a_right_sized_window_that_is_mostly_silence_needs_timestamps(seconds, frames, needed):
    assert needs_timestamps(seconds, frames) is needed


def test_a_small_model_has_its_encoder_on_all_cores_and_decoders_on_one_each():
    assert plan_pools(2, 145_000_000) == Pools(
        workers=2, express=1, apart=True, encoder_threads=2, decoder_threads=1
    )
    assert plan_pools(2, 145_000_000).decoders == 3


def test_a_large_model_is_held_once():
    pools = plan_pools(8, SMALL_MODEL_BYTES + 1)
    assert not pools.apart
    assert (pools.decoders, pools.encoder_threads, pools.decoder_threads) == (1, 8, 8)


def test_one_core_has_nothing_to_share_out():
    pools = plan_pools(1, 145_000_000)
    assert (pools.apart, pools.decoders, pools.encoder_threads) == (False, 1, 1)
