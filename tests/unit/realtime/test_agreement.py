"""Stable text: a word that has been shown is never taken back."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.realtime.agreement import Agreement


def shown(*hypotheses, final):
    """What is shown after each hypothesis, and at the end."""
    agreement = Agreement()
    parts = [text[agreement.grow(text)] for text in hypotheses]
    return [*parts, final[agreement.finish(final)]]


def test_a_word_is_shown_once_two_hypotheses_agree_on_it():
    parts = shown(
        " The birds of", " The birds sing in", " The birds sing at", final=" The birds sing."
    )
    assert parts == ["", " The birds", " sing", "."]


def test_one_hypothesis_shows_nothing():
    assert shown(" The birds sing", final=" Birds sing.") == ["", " Birds sing."]


def test_the_last_word_stays_back_as_it_may_be_half_of_one():
    assert shown(" The gar", " The gar", final=" The garden.") == ["", " The", " garden."]


def test_punctuation_waits_for_the_next_word():
    parts = shown(" Yes. And", " Yes, and so", " Yes, and so on", final=" Yes, and so on.")
    assert parts == ["", " Yes", ", and", " so on."]


def test_case_does_not_matter_for_agreement():
    parts = shown(" the birds are", " The birds are here", final=" The birds are here.")
    assert parts == ["", " The birds", " are here."]


def test_a_hypothesis_that_contradicts_shows_nothing_more():
    parts = shown(
        " One two three", " One two three", " Won too", " Won too", final=" One two four."
    )
    assert parts == ["", " One two", "", "", " four."]


def test_nothing_is_shown_twice_when_the_last_hypothesis_differs():
    parts = shown(
        " He counted 11 fish there", " He counted 11 fish there", final=" He counted eleven fish."
    )
    assert parts == ["", " He counted 11 fish", "."]


def test_a_word_more_in_the_last_hypothesis_does_not_shift_the_rest():
    parts = shown(" a b c d e", " a b c d e", final=" a b x c d e f")
    assert parts == ["", " a b c d", " e f"]


def test_a_word_less_neither():
    assert shown(" a b c d e", " a b c d e", final=" a c d e f") == ["", " a b c d", " e f"]


def test_a_last_hypothesis_of_nothing_leaves_what_was_shown():
    assert shown(" a b c", " a b c", final="") == ["", " a b", ""]


def test_characters_count_where_words_are_not_set_apart():
    assert shown("今日は晴", "今日は晴れ", final="今日は晴れです。") == ["", "今日は", "晴れです。"]


@pytest.mark.parametrize("text", [" it's nine o'clock now", " 3.5 or 1,000 of", " naïve café ok"])
def test_what_belongs_to_a_word_is_not_cut(text):
    agreement = Agreement()
    agreement.grow(text)
    assert text[agreement.grow(text)] == text.rpartition(" ")[0]


WORDS = st.lists(st.sampled_from(["a", "b", "c", "don't", "42", "é", "雨"]), max_size=12)


def bare(text):
    return re.findall(r"[^\W_]+", text.casefold())


@given(st.lists(WORDS, max_size=8), WORDS)
def test_whatever_the_hypotheses_are_the_text_only_grows(hypotheses, last):
    texts = ["".join(f" {word}" for word in words) for words in hypotheses]
    final = "".join(f" {word}" for word in last)
    agreement = Agreement()
    before = ""
    for text in texts:
        part = agreement.grow(text)
        if part.stop:
            assert bare(text[: part.start]) == bare(before), (
                "what was shown is what it goes on from"
            )
            before += text[part]
    rest = final[agreement.finish(final)]
    assert final.endswith(rest)
    if bare(final)[: len(bare(before))] == bare(before):
        assert bare(before + rest) == bare(final), "nothing is lost and nothing is said twice"


def test_a_growing_text_with_an_unsure_end_comes_out_whole():
    """As Whisper behaves: right but for the last words of what it has heard so far."""
    words = [f"word{number}" for number in range(60)]
    dice = random.Random(0)
    agreement = Agreement()
    said = ""
    for heard in range(3, 60, 3):
        unsure = [f"guess{dice.randrange(1000)}" for _ in range(2)]
        text = "".join(f" {word}" for word in words[:heard] + unsure)
        said += text[agreement.grow(text)]
    assert len(said.split()) > 45
    final = "".join(f" {word}" for word in words)
    assert said + final[agreement.finish(final)] == final
