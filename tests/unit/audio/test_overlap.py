"""Windows that overlap, from blocks of any length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.audio.overlap import OverlappingWindows
from myna.engines.contract.samples import Window

RATE_HZ = 16_000


def cut(length: int, blocks: list[int], window_s: float = 1.0, step_s: float = 0.5) -> list[Window]:
    audio = np.arange(length, dtype=np.float32)
    windows = OverlappingWindows(window_s, step_s)
    found: list[Window] = []
    at = 0
    for block in blocks:
        found += windows.feed(audio[at : at + block])
        at += block
    return [*found, *windows.feed(audio[at:]), *windows.finish()]


def places(windows: list[Window]) -> list[tuple[int, int]]:
    return [(round(one.start_s * RATE_HZ), len(one.samples)) for one in windows]


def test_a_window_begins_at_every_step_and_the_last_is_what_is_left():
    assert places(cut(30_000, [])) == [(0, 16_000), (8_000, 16_000), (16_000, 14_000)]


def test_audio_that_ends_with_a_window_has_none_behind_it():
    assert places(cut(24_000, [])) == [(0, 16_000), (8_000, 16_000)]


def test_less_than_a_window_is_one():
    assert places(cut(100, [])) == [(0, 100)]


def test_no_audio_is_no_window():
    assert cut(0, []) == []


@given(st.integers(0, 90_000), st.lists(st.integers(0, 30_000), max_size=6))
def test_blocks_leave_no_trace(length, blocks):
    whole, parts = cut(length, []), cut(length, blocks)
    assert places(whole) == places(parts)
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one.samples, other.samples)
    covered = {at for start, n in places(whole) for at in range(start, start + n, 997)}
    assert all(any(s <= at < s + n for s, n in places(whole)) for at in range(0, length, 997))
    assert not covered or max(covered) < length


def test_it_holds_little_of_a_long_recording():
    windows = OverlappingWindows(1.0, 0.5)
    for _ in range(100):
        windows.feed(np.zeros(RATE_HZ, np.float32))
    assert len(windows._held) < 2 * RATE_HZ


@pytest.mark.parametrize("step_s", [0.5, 1.0])
def test_windows_need_not_overlap(step_s):
    assert len(cut(48_000, [], step_s=step_s)) == (5 if step_s == 0.5 else 3)
