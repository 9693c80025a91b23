"""Token lists by hand: what Whisper writes between its timestamps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.engines.whisper.segments import Span, spans, stops_early

BEGIN = 50_364
"""Number of `<|0.00|>` in the multilingual vocabulary."""


def at(seconds: float) -> int:
    """The timestamp token."""
    return BEGIN + round(seconds / 0.02)


def cut(*tokens: int, window_s: float = 30.0) -> list[tuple[float, float, tuple[int, ...]]]:
    return [
        (pytest.approx(span.start_s), pytest.approx(span.end_s), span.tokens)
        for span in spans(tokens, BEGIN, window_s)
    ]


def test_text_between_two_timestamps_is_a_span_with_both_of_them():
    tokens = (at(0.5), 11, 12, at(2.0))
    assert cut(*tokens) == [(0.5, 2.0, tokens)]


def test_each_pair_of_timestamps_is_a_cut():
    found = cut(at(0), 11, at(2), at(2.4), 12, at(5), at(5), 13, at(9.98))
    assert found == [
        (0, 2, (at(0), 11, at(2))),
        (2.4, 5, (at(2.4), 12, at(5))),
        (5, 9.98, (at(5), 13, at(9.98))),
    ]


def test_a_timestamp_inside_text_is_no_cut():
    tokens = (at(0), 11, at(2), 12, at(4))
    assert cut(*tokens) == [(0, 4, tokens)]


def test_a_tail_without_a_closing_timestamp_ends_with_the_window():
    found = cut(at(0), 11, at(2), at(2), 12, 13, window_s=7.5)
    assert found[-1] == (2, 7.5, (at(2), 12, 13))


def test_text_without_any_timestamp_is_one_span_over_the_window():
    assert cut(11, 12, window_s=4.2) == [(0, 4.2, (11, 12))]


def test_text_before_the_first_timestamp_starts_with_the_window():
    assert cut(11, at(3), at(3), 12, at(4)) == [(0, 3, (11, at(3))), (3, 4, (at(3), 12, at(4)))]


@pytest.mark.parametrize(
    "tokens", [(), (at(0),), (at(0), at(3)), (at(0), at(3), at(3)), (at(1), at(1), at(1), at(2))]
)
def test_timestamps_without_text_are_no_span(tokens):
    assert cut(*tokens) == []


def test_a_pair_at_the_end_adds_no_span():
    assert cut(at(0), 11, at(4), at(4)) == [(0, 4, (at(0), 11, at(4)))]


def test_three_timestamps_in_a_row_cut_once():
    found = cut(at(0), 11, at(1), at(2), at(3), 12, at(4))
    assert found == [(0, 1, (at(0), 11, at(1))), (3, 4, (at(3), 12, at(4)))]


def test_times_stay_inside_the_window():
    assert cut(at(3), 11, at(29), window_s=8) == [(3, 8, (at(3), 11, at(29)))]


def test_what_begins_behind_the_audio_was_made_up_and_is_left_out():
    found = cut(at(0), 11, at(7), at(8), 12, at(9), window_s=8)
    assert found == [(0, 7, (at(0), 11, at(7)))]
    assert cut(at(20), 11, at(29), window_s=8) == []


def test_times_do_not_run_backwards():
    found = cut(at(4), 11, at(6), at(2), 12, at(3), at(3), 13, at(8))
    assert [(start, end) for start, end, _ in found] == [(4, 6), (6, 6), (6, 8)]


@settings(max_examples=200)
@given(
    st.lists(st.one_of(st.integers(0, 50_256), st.integers(BEGIN, BEGIN + 1_500)), max_size=40),
    st.floats(0.1, 30),
)
def test_text_keeps_its_order_and_times_theirs_whatever_the_decoder_wrote(tokens, window_s):
    found: list[Span] = spans(tokens, BEGIN, window_s)
    written = iter(tokens)
    assert all(token in written for span in found for token in span.tokens)
    times = [time for span in found for time in (span.start_s, span.end_s)]
    assert times == sorted(times)
    assert all(0 <= time <= window_s for time in times)


@settings(max_examples=100)
@given(st.lists(st.lists(st.integers(0, 50_256), min_size=1), max_size=10), st.integers(1, 4))
def test_no_text_is_lost_that_was_written_inside_the_audio(texts, seconds):
    tokens = [
        token
        for index, text in enumerate(texts)
        for token in (at(index * seconds), *text, at((index + 1) * seconds))
    ]
    found = spans(tokens, BEGIN, 10.0 * seconds)
    assert [list(span.tokens[1:-1]) for span in found] == texts


@pytest.mark.parametrize(
    ("tokens", "stops"),
    [
        ((at(0), 11, at(4), at(4)), True),
        ((at(0), 11, at(4), at(4.5)), True),
        ((at(0), 11, at(4)), False),
        ((at(0), 11), False),
        ((at(0), 11, at(4), at(4), 12), False),
        ((at(0),), False),
        ((), False),
    ],
)
def test_two_timestamps_at_the_end_say_that_more_is_spoken(tokens, stops):
    assert stops_early(tokens, BEGIN) is stops
