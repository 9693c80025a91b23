"""Local speakers cut into chunks, and the grid that they lie on."""

from __future__ import annotations

import numpy as np
import pytest

from myna.engines.diarizer.chunks import CHUNK, chunks, runs
from myna.engines.diarizer.frames import (
    FRAME_S,
    STEP_FRAMES,
    STEP_SAMPLES,
    WINDOW_FRAMES,
    frames,
    seconds,
)
from myna.engines.diarizer.segmentation import frames_within


def activity(*spans: tuple[int, int, int]) -> np.ndarray:
    """`(speaker, first, behind)` spans of a window."""
    active = np.zeros((WINDOW_FRAMES, 3), bool)
    for speaker, first, behind in spans:
        active[first:behind, speaker] = True
    return active


def spans(found) -> list[tuple[int, int]]:
    edges = [list(runs(one.active)) for one in found]
    return [(each[0][0], each[-1][1]) for each in edges]


def test_windows_begin_on_one_grid_of_frames():
    assert WINDOW_FRAMES == 589
    assert STEP_SAMPLES == STEP_FRAMES * 270
    assert seconds(STEP_FRAMES) - seconds(1) == pytest.approx((STEP_FRAMES - 1) * FRAME_S)
    assert 2 * STEP_FRAMES >= WINDOW_FRAMES  # so that two windows at most cover a frame


def test_silence_has_no_chunks():
    assert chunks(activity()) == []


def test_a_long_run_is_cut_evenly_into_chunks_of_about_two_seconds():
    lengths = [behind - first for first, behind in spans(chunks(activity((0, 0, 589))))]
    assert len(lengths) == 5
    assert max(lengths) - min(lengths) <= 1
    assert abs(lengths[0] - CHUNK) < frames(0.2)


def test_short_runs_become_one_over_a_small_gap_but_not_over_a_large_one():
    near = activity((1, 10, 40), (1, 50, 80))
    far = activity((1, 10, 40), (1, 80, 110))
    assert spans(chunks(near)) == [(10, 80)]
    assert spans(chunks(far)) == [(10, 40), (80, 110)]


def test_a_joined_chunk_does_not_claim_the_gap():
    (one,) = chunks(activity((1, 10, 40), (1, 50, 80)))
    assert one.active.sum() == 60


def test_frames_with_two_speakers_are_not_clean():
    first, second = chunks(activity((0, 0, 100), (1, 40, 140)))
    assert first.clean.sum() == 40
    assert second.clean.sum() == 40
    assert first.clean_s == pytest.approx(40 * FRAME_S)
    assert np.array_equal(first.heard, first.clean)


def test_a_chunk_that_is_hardly_clean_is_heard_with_all_its_frames():
    first, _ = chunks(activity((0, 0, 100), (1, 10, 100)))
    assert first.clean.sum() == 10
    assert np.array_equal(first.heard, first.active)


def test_frames_behind_the_end_of_a_short_window_do_not_count():
    assert frames_within(0) == 0
    assert frames_within(160_000) == WINDOW_FRAMES
    assert seconds(frames_within(16_000)) == pytest.approx(1.0, abs=FRAME_S)
