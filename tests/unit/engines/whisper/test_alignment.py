"""Words from a path through the attention: one token here is one number, 20 ms one position."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.engines.whisper.alignment import TimedWord, monotone, timed_words


def path(*starts_s: float, end_s: float) -> list[tuple[int, int]]:
    """A path on which each token, the end of the text last, begins at its time."""
    edges = [round(start * 50) for start in (*starts_s, end_s)]
    steps = [
        (token, position)
        for token, (first, behind) in enumerate(pairwise(edges))
        for position in range(first, max(behind, first + 1))
    ]
    return [*steps, (len(starts_s), edges[-1])]


def timed(
    words: Sequence[tuple[str, float]], end_s: float, window_s: float = 30.0
) -> list[TimedWord]:
    """Words of one token each, at their times."""
    return timed_words(
        [text for text, _ in words],
        [[index] for index in range(len(words))],
        path(*(start_s for _, start_s in words), end_s=end_s),
        [0.5] * len(words),
        window_s,
    )


def found(words: Sequence[TimedWord]) -> list[tuple[str, float, float]]:
    return [
        (word.text, pytest.approx(word.start_s, abs=0.021), pytest.approx(word.end_s, abs=0.021))
        for word in words
    ]


def texts(words: Sequence[TimedWord]) -> list[str]:
    return [word.text for word in words]


def test_a_word_goes_from_its_first_token_to_the_next_words():
    words = timed([(" one", 0.2), (" two", 0.6), (" three", 1.1)], end_s=1.5)
    assert found(words) == [(" one", 0.2, 0.6), (" two", 0.6, 1.1), (" three", 1.1, 1.5)]


def test_a_word_of_several_tokens_has_all_of_them_and_their_mean_probability():
    words = timed_words(
        [" spelling", " bee"],
        [[7, 8, 9], [4]],
        path(0.0, 0.2, 0.3, 0.6, end_s=0.9),
        [0.9, 0.6, 0.3, 1.0],
        30.0,
    )
    assert found(words) == [(" spelling", 0.0, 0.6), (" bee", 0.6, 0.9)]
    assert [word.tokens for word in words] == [(7, 8, 9), (4,)]
    assert [word.probability for word in words] == pytest.approx([0.6, 1.0])


def test_a_path_that_ends_before_the_text_does_still_times_every_word():
    words = timed_words([" one", " two", " lost"], [[1], [2], [3]], [(0, 5), (1, 20)], [1] * 3, 30)
    assert texts(words) == [" one", " two", " lost"]
    assert found(words)[:2] == [(" one", 0.1, 0.4), (" two", 0.4, 0.4)]


@pytest.mark.parametrize(("words", "steps"), [([], [(0, 0)]), ([" one"], [])])
def test_without_text_or_path_there_are_no_words(words, steps):
    assert timed_words(words, [[1]] * len(words), steps, [1.0] * len(words), 30) == []


def test_no_time_lies_behind_the_window():
    words = timed([(" one", 0.2), (" two", 0.5), (" three", 4.0)], end_s=5.0, window_s=1.0)
    assert found(words) == [(" one", 0.2, 0.5), (" two", 0.5, 1.0), (" three", 1.0, 1.0)]


def test_closing_marks_belong_to_the_word_before():
    words = timed([(" Well", 0.1), (",", 0.4), (" yes", 0.6), (".", 0.9), ("”", 1.0)], end_s=1.2)
    assert found(words) == [(" Well,", 0.1, 0.4), (" yes.”", 0.6, 0.9)]
    assert [word.tokens for word in words] == [(0, 1), (2, 3, 4)]


def test_an_opening_mark_belongs_to_the_word_behind():
    words = timed([(" He", 0.1), (" (", 0.3), ("once", 0.4), (")", 0.7), (" said", 0.8)], end_s=1)
    assert found(words) == [(" He", 0.1, 0.3), (" (once)", 0.4, 0.7), (" said", 0.8, 1.0)]


@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_quote_with_a_space_before_it_opens(quote):
    """The straight ones look alike on both sides; only the space tells."""
    words = timed([(" said", 0.1), (f" {quote}", 0.4), ("Hello", 0.5), (quote, 0.9)], end_s=1.0)
    assert texts(words) == [" said", f" {quote}Hello{quote}"]


def test_marks_of_other_scripts_are_joined_too():
    words = timed([("你", 0.1), ("好", 0.3), ("，", 0.5), ("吗", 0.6), ("？", 0.8)], end_s=1.0)
    assert texts(words) == ["你", "好，", "吗？"]


def test_a_lone_closing_mark_at_the_beginning_stays():
    assert texts(timed([(".", 0.1), (" Yes", 0.2)], end_s=0.5)) == [".", " Yes"]


def test_a_last_word_that_swallows_the_silence_is_cut():
    words = timed([(" one", 0.0), (" two", 0.3), (" three", 0.6)], end_s=9.0)
    assert found(words)[-1] == (" three", 0.6, pytest.approx(1.2, abs=0.05))


def test_a_first_word_of_a_sentence_that_swallows_a_pause_starts_later():
    words = timed(
        [(" one", 0.0), (" two.", 0.3), (" Then", 0.6), (" three", 5.0), (" four", 5.3)], end_s=5.6
    )
    assert found(words)[2] == (" Then", pytest.approx(4.4, abs=0.05), 5.0)


def test_a_first_word_that_swallows_the_silence_before_it_starts_later():
    words = timed([(" one", 0.0), (" two", 4.0), (" three", 4.3)], end_s=4.6)
    assert found(words)[0] == (" one", pytest.approx(3.4, abs=0.05), 4.0)


def test_a_long_word_inside_a_sentence_is_left_alone():
    words = timed(
        [(" one", 0.0), (" two", 0.3), (" looong", 0.6), (" four", 3.0), (" five", 3.3)], end_s=3.6
    )
    assert found(words)[2] == (" looong", 0.6, 3.0)


marks = st.sampled_from(
    [" a", " word", "ly", ".", ",", "”", " (", ")", " “", "?", " -", "。", "们"]
)


@settings(max_examples=150)
@given(st.lists(st.tuples(marks, st.floats(0, 3)), min_size=1, max_size=12), st.floats(0.5, 30))
def test_joining_keeps_all_text_and_all_tokens_in_order(words, window_s):
    starts: list[tuple[str, float]] = []
    now_s = 0.0
    for text, wait_s in words:
        now_s += wait_s
        starts.append((text, now_s))
    result = timed(starts, end_s=now_s + 0.3, window_s=window_s)
    assert "".join(texts(result)) == "".join(text for text, _ in words)
    assert [token for word in result for token in word.tokens] == list(range(len(words)))
    ordered = monotone(result, window_s)
    times = [time for word in ordered for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert all(0 <= time <= window_s for time in times)
    assert texts(ordered) == texts(result)


def test_words_that_are_in_order_are_left_as_they_are():
    words = timed([(" one", 0.2), (" two", 0.6)], end_s=1.0)
    assert monotone(words, 30.0) == words


def test_overlapping_words_follow_one_another():
    words = [
        TimedWord(" one", (1,), 1.0, 3.0, 1.0),
        TimedWord(" two", (2,), 2.0, 2.5, 1.0),
        TimedWord(" three", (3,), 2.8, 9.0, 1.0),
    ]
    times = [(word.start_s, word.end_s) for word in monotone(words, 5.0)]
    assert times == [(1.0, 3.0), (3.0, 3.0), (3.0, 5.0)]
