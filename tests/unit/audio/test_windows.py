"""Windows: nothing that is said gets lost, no matter how the audio arrives."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.audio.activity import FRAME
from myna.audio.windows import Cutting, Windower
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Window

from .conftest import bounds, noise, span_s

FRAMES_PER_S = SAMPLE_RATE_HZ / FRAME


class Scripted:
    """Probabilities that the test wrote down, handed out as frames are completed."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values = np.array(list(values), np.float32)
        self.samples = 0
        self.given = 0

    def probabilities(self, samples: np.ndarray) -> np.ndarray:
        self.samples += len(samples)
        return self._until(self.samples // FRAME)

    def flush(self) -> np.ndarray:
        return self._until(-(-self.samples // FRAME))

    def _until(self, end: int) -> np.ndarray:
        found = self.values[self.given : end]
        self.given = end
        return found


def cut(
    samples: np.ndarray,
    values: Sequence[float],
    cutting: Cutting | None = None,
    blocks: Sequence[int] = (256_000,),
) -> list[Window]:
    """Windows of a recording whose blocks have these lengths, in turn."""
    windower, speech = Windower(cutting or Cutting()), Scripted(values)
    found: list[Window] = []
    at = turn = 0
    while at < len(samples):
        block = samples[at : at + blocks[turn % len(blocks)]]
        found += windower.feed(block, speech.probabilities(block))
        at, turn = at + len(block), turn + 1
    return found + windower.finish(speech.flush())


def frames(*runs: tuple[float, float]) -> list[float]:
    """Probabilities from (probability, seconds) pairs."""
    return [value for value, seconds in runs for _ in range(round(seconds * FRAMES_PER_S))]


def cut_frames(values: Sequence[float], cutting: Cutting | None = None) -> list[Window]:
    return cut(noise(len(values) * FRAME), values, cutting)


def said(values: Sequence[float], threshold: float) -> np.ndarray:
    return np.array(values, np.float32) >= threshold


near = st.sampled_from([0.0, 0.05, 0.2, 0.34, 0.36, 0.49, 0.5, 0.51, 0.7, 0.99, 1.0])
scripts = st.lists(st.tuples(near, st.integers(1, 90)), min_size=1, max_size=14).map(
    lambda runs: [value for value, count in runs for _ in range(count)]
)
cuttings = st.builds(
    Cutting,
    threshold=st.sampled_from([0.05, 0.3, 0.5, 0.9]),
    lead_s=st.sampled_from([0.0, 0.1, 0.4, 1.0]),
    tail_s=st.sampled_from([0.0, 0.1, 0.4]),
    pause_s=st.sampled_from([0.0, 0.2, 1.0, 2.0, 40.0]),
    longest_s=st.sampled_from([1.5, 4.0, 30.0]),
    least_speech_s=st.just(0.0),
)
leftovers = st.integers(0, FRAME - 1)
"""How many samples the last frame is short of."""
partitions = st.lists(st.integers(1, 30_000), max_size=4).map(lambda lengths: [*lengths, 7_001])
"""Lengths of blocks, not all so small that the test takes long."""
quick = settings(max_examples=40)


@quick
@given(scripts, cuttings, leftovers)
def test_every_frame_with_speech_lies_in_a_window(values, cutting, short):
    audio = noise(len(values) * FRAME - short)
    covered = np.zeros(len(values) * FRAME, bool)
    for window in cut(audio, values, cutting):
        start, end = bounds(window)
        covered[start:end] = True
    covered[len(audio) :] = True
    heard = np.repeat(said(values, cutting.threshold), FRAME)
    assert not np.any(heard & ~covered)


@quick
@given(scripts, cuttings, leftovers)
def test_windows_are_exact_stretches_of_the_recording_in_order_and_apart(values, cutting, short):
    audio = noise(len(values) * FRAME - short)
    behind = 0
    for window in cut(audio, values, cutting):
        start, end = bounds(window)
        assert window.start_s == start / SAMPLE_RATE_HZ
        assert behind <= start < end <= len(audio)
        assert np.array_equal(window.samples, audio[start:end])
        behind = end


@quick
@given(scripts, cuttings)
def test_no_window_is_longer_than_asked(values, cutting):
    for window in cut_frames(values, cutting):
        assert window.seconds <= cutting.longest_s


@quick
@given(scripts, cuttings, leftovers, partitions)
def test_windows_do_not_depend_on_the_blocks_that_audio_comes_in(values, cutting, short, blocks):
    audio = noise(len(values) * FRAME - short)
    whole = cut(audio, values, cutting)
    parts = cut(audio, values, cutting, blocks)
    assert [bounds(window) for window in parts] == [bounds(window) for window in whole]
    assert all(
        np.array_equal(one.samples, other.samples) for one, other in zip(parts, whole, strict=True)
    )


@quick
@given(scripts, cuttings)
def test_pending_audio_never_exceeds_the_longest_window(values, cutting):
    windower = Windower(cutting)
    longest = int(cutting.longest_s * FRAMES_PER_S)
    for value in values:
        windower.feed(np.zeros(FRAME, np.float32), np.array([value], np.float32))
        assert len(windower._frames) == len(windower._speech) <= longest


def test_a_click_is_no_window_and_a_syllable_is_one():
    assert cut_frames(frames((0, 2), (1, 0.09), (0, 2))) == []
    assert len(cut_frames(frames((0, 2), (1, 0.13), (0, 2)))) == 1


@quick
@given(scripts, cuttings, st.sampled_from([0.05, 0.1, 0.5]))
def test_only_windows_with_too_little_speech_are_dropped(values, cutting, least_s):
    strict = Cutting(
        cutting.threshold,
        cutting.lead_s,
        cutting.tail_s,
        cutting.pause_s,
        cutting.longest_s,
        least_speech_s=least_s,
    )

    def seconds(span: tuple[int, int], threshold: float) -> float:
        heard = np.repeat(said(values, threshold), FRAME)[slice(*span)]
        return np.count_nonzero(heard) / SAMPLE_RATE_HZ

    every = [bounds(window) for window in cut_frames(values, cutting)]
    kept = [bounds(window) for window in cut_frames(values, strict)]
    assert set(kept) <= set(every)
    for span in every:
        if span in kept:
            assert seconds(span, cutting.keep_threshold) >= least_s - 1e-9
        else:
            assert seconds(span, cutting.threshold) < least_s


def test_memory_does_not_grow_with_the_recording():
    windower = Windower(Cutting())
    block = noise(16 * SAMPLE_RATE_HZ)
    values = np.ones(len(block) // FRAME, np.float32)
    tracemalloc.start()
    try:
        for _ in range(12):
            windower.feed(block, values)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * block.nbytes  # the recording is 12 times the block


def test_the_callers_block_may_be_reused():
    audio = noise(3 * SAMPLE_RATE_HZ // FRAME * FRAME)
    windower = Windower(Cutting())
    block = audio.copy()
    windower.feed(block, np.ones(len(audio) // FRAME, np.float32))
    block[:] = 0
    (window,) = windower.finish(np.zeros(0, np.float32))
    assert np.array_equal(window.samples, audio)


@pytest.mark.parametrize("values", [[], [0.0], [0.49] * 2_000], ids=["nothing", "frame", "minute"])
def test_without_speech_there_is_no_window(values):
    assert cut_frames(values) == []


@pytest.mark.parametrize(("threshold", "windows"), [(0.3, 1), (0.6, 1), (0.61, 0), (1.0, 0)])
def test_the_threshold_decides_what_is_speech(threshold, windows):
    values = frames((0, 1), (0.6, 1), (0, 1))
    assert len(cut_frames(values, Cutting(threshold=threshold))) == windows


@quick
@given(st.floats(0, 1))
def test_speech_is_never_harder_to_keep_than_to_begin(threshold):
    assert Cutting(threshold=threshold).keep_threshold <= threshold


def test_a_threshold_of_zero_takes_everything():
    assert len(cut_frames(frames((0, 3)), Cutting(threshold=0.0))) == 1


def test_speech_that_has_begun_goes_on_at_a_lower_probability():
    plain = Cutting(lead_s=0, tail_s=0)
    (window,) = cut_frames(frames((0, 1), (0.5, 1), (0.36, 1), (0.34, 1), (0, 3)), plain)
    assert span_s(window) == pytest.approx((1, 3), abs=0.05)


def test_what_ended_begins_again_only_at_the_threshold():
    plain = Cutting(lead_s=0, tail_s=0, pause_s=5)
    (window,) = cut_frames(frames((1, 1), (0, 1), (0.4, 3), (0, 6)), plain)
    assert span_s(window) == pytest.approx((0, 1), abs=0.05)


def test_a_lead_and_a_tail_are_kept_around_speech():
    cutting = Cutting(lead_s=0.8, tail_s=0.5)
    (window,) = cut_frames(frames((0, 2), (1, 1), (0, 5)), cutting)
    assert span_s(window) == pytest.approx((1.2, 3.5), abs=0.05)


def test_speech_at_both_ends_of_the_recording_is_kept_whole():
    audio = noise(3 * SAMPLE_RATE_HZ + 77)
    (window,) = cut(audio, [1.0] * (len(audio) // FRAME + 1))
    assert bounds(window) == (0, len(audio))


def test_a_word_in_the_last_incomplete_frame_is_kept():
    audio = noise(50 * FRAME + 5)
    (window,) = cut(audio, [0.0] * 50 + [1.0], Cutting(least_speech_s=0))
    assert bounds(window)[1] == len(audio)


@pytest.mark.parametrize(
    ("pause_s", "gap_s", "windows"),
    [(2.0, 1.8, 1), (2.0, 2.1, 2), (0.2, 0.15, 1), (0.2, 0.3, 2), (0.0, 0.04, 2), (25.0, 20, 1)],
)
def test_a_pause_of_the_asked_length_ends_a_window(pause_s, gap_s, windows):
    values = frames((1, 1), (0, gap_s), (1, 1))
    assert len(cut_frames(values, Cutting(pause_s=pause_s))) == windows


def test_the_lead_never_reaches_into_the_window_before():
    cutting = Cutting(lead_s=10, tail_s=0.4, pause_s=0.6)
    first, second = cut_frames(frames((1, 2), (0, 1), (1, 2), (0, 3)), cutting)
    assert bounds(first)[1] == bounds(second)[0]


def test_long_speech_is_cut_in_the_middle_of_the_longest_of_its_late_pauses():
    speech = frames((1, 17), (0, 0.2), (1, 4.8), (0, 1.2), (1, 1), (0, 0.1), (1, 20))
    first, second = cut_frames(speech)
    assert span_s(first)[1] == pytest.approx(22.6, abs=0.05)
    assert span_s(second)[0] == span_s(first)[1]


def test_a_second_of_a_long_pause_stays_with_the_speech_at_either_side():
    cutting = Cutting(pause_s=10)
    first, second = cut_frames(frames((1, 18), (0, 4), (1, 20)), cutting)
    assert span_s(first)[1] == pytest.approx(19, abs=0.05)
    assert span_s(second)[0] == pytest.approx(21, abs=0.05)


def test_a_long_window_is_worth_more_than_a_long_pause():
    first, _ = cut_frames(frames((1, 16), (0, 1.5), (1, 10.5), (0, 0.3), (1, 18)))
    assert 28 <= span_s(first)[1] <= 28.3


def test_the_later_of_two_like_pauses_is_taken():
    first, _ = cut_frames(frames((1, 17), (0, 0.5), (1, 8), (0, 0.5), (1, 20)))
    assert 25.5 <= span_s(first)[1] <= 26


def test_a_pause_in_the_first_half_is_no_place_to_cut():
    first, _ = cut_frames(frames((1, 5), (0, 1.5), (1, 15), (0, 0.2), (1, 20)))
    assert 21.5 <= span_s(first)[1] <= 21.7


def test_speech_without_a_pause_is_cut_where_it_is_quietest():
    audio = noise(175 * SAMPLE_RATE_HZ // FRAME * FRAME)
    for second in range(20, 175, 20):
        audio[second * SAMPLE_RATE_HZ :][: SAMPLE_RATE_HZ // 4] *= 0.01
    windows = cut(audio, [1.0] * (len(audio) // FRAME))
    ends = [span_s(window)[1] for window in windows]
    assert len(windows) == 9
    for number, end_s in enumerate(ends[:-1], start=1):
        assert number * 20 <= end_s <= number * 20 + 0.25
    starts = [bounds(window)[0] for window in windows]
    assert starts[1:] == [bounds(window)[1] for window in windows[:-1]]


def test_a_gap_of_two_frames_is_no_pause():
    """What is quiet, not what the detector hesitates on, decides where even speech is cut."""
    audio = noise(60 * SAMPLE_RATE_HZ // FRAME * FRAME)
    audio[18 * SAMPLE_RATE_HZ :][: SAMPLE_RATE_HZ // 4] = 0
    values = [1.0] * (len(audio) // FRAME)
    values[800:802] = [0.0, 0.0]
    first = cut(audio, values)[0]
    assert 18 <= span_s(first)[1] <= 18.25


def test_monotonous_speech_still_advances_by_half_a_window():
    values = frames((1, 300))
    audio = np.full(len(values) * FRAME, 0.1, np.float32)
    windows = cut(audio, values)
    assert sum(len(window.samples) for window in windows) == len(audio)
    assert all(window.seconds > 14 for window in windows[:-1])


def test_a_click_is_dropped_and_speech_around_it_is_not():
    cutting = Cutting(lead_s=0.4, tail_s=0.4, least_speech_s=0.1)
    values = frames((0, 1), (1, 0.064), (0, 4), (1, 1), (0, 3))
    (window,) = cut_frames(values, cutting)
    assert span_s(window) == pytest.approx((4.664, 6.464), abs=0.05)


def test_a_short_window_goes_on_over_a_short_pause_and_ends_at_a_long_one():
    """Two words 0.5 s apart stay together; 4 s behind them another window begins."""
    values = [1.0] * 20 + [0.0] * 16 + [1.0] * 20 + [0.0] * 125 + [1.0] * 20
    words = Cutting(lead_s=0.1, tail_s=0.1, pause_s=0.2)
    phrases = Cutting(lead_s=0.1, tail_s=0.1, pause_s=0.2, least_window_s=5.0)
    assert len(cut_frames(values, words)) == 3
    assert len(cut_frames(values, phrases)) == 2
