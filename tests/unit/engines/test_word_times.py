"""Words found again among phonemes: made-up spellings that join, part and change as espeak's do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.engines.word_times import WordTimes, words_of

SPELLINGS = {
    "of": "ʌv",
    "the": "ðə",
    "house": "haʊs",
    "in": "ɪn",
    "1984": "naɪntiːn eɪti foːr",
    "$5": "faɪv dɒlɚz",
    "a": "eɪ",
    "cat.": "kæt.",
    "cat,": "kæt,",
    "—": "",
    "«oui»": "wi",
}


def alone(word: str) -> list[str]:
    return list(SPELLINGS.get(word.strip(), word.strip()))


def told(text: str, phonemes: str, runs: list[str] | None = None) -> list[tuple[str, str]]:
    """Each word with the phonemes that it was given; a phoneme takes a second."""
    times = WordTimes(text, list(phonemes), alone)
    found: list[tuple[str, str]] = []
    for run in runs or [phonemes]:
        words = times.take(list(run), np.arange(len(run) + 1.0))
        found += [(word.text, run[int(word.start_s) : int(word.end_s)]) for word in words]
    return found


def test_words_that_are_said_as_they_are_spelled_alone() -> None:
    assert told("the house", "ðə haʊs") == [("the", "ðə"), (" house", "haʊs")]


def test_words_that_are_joined_in_speech_are_parted_again() -> None:
    found = told("in the house of the cat.", "ɪnðə haʊs əvðə kæt.")
    assert [text for text, _ in found] == ["in", " the", " house", " of", " the", " cat."]
    assert [said for _, said in found] == ["ɪn", "ðə", "haʊs", "əv", "ðə", "kæt"]


def test_a_number_is_one_word_however_many_are_said() -> None:
    found = told("in 1984 the cat.", "ɪn naɪntiːn eɪti foːr ðə kæt.")
    assert found[1] == (" 1984", "naɪntiːn eɪti foːr")
    assert found[2:] == [(" the", "ðə"), (" cat.", "kæt")]


def test_a_vowel_that_is_said_otherwise_in_its_place_is_still_that_word() -> None:
    assert told("a cat, a house", "ə kæt, ə haʊs")[0] == ("a", "ə")
    assert told("a cat, a house", "ə kæt, ə haʊs")[2] == (" a", "ə")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("the — house", ["the —", " house"]), ("— the house", ["— the", " house"])],
)
def test_what_is_not_said_goes_along_with_a_neighbour(text: str, expected: list[str]) -> None:
    assert [word for word, _ in told(text, "ðə haʊs")] == expected


def test_a_text_in_runs_has_each_word_in_the_run_that_it_begins_in() -> None:
    text, phonemes = "the house of the cat.", "ðə haʊs əvðə kæt."
    found = told(text, phonemes, ["ðə haʊ", "əvðə kæt."])
    assert [word for word, _ in found] == ["the", " house", " of", " the", " cat."]
    assert found[1] == (" house", "haʊ")


def test_marks_and_spaces_between_runs_may_be_left_out() -> None:
    found = told("the cat, the cat.", "ðə kæt, ðə kæt.", ["ðə kæt,", "ðə kæt."])
    assert [said for _, said in found] == ["ðə", "kæt", "ðə", "kæt"]


def test_a_script_without_spaces_is_told_by_the_character() -> None:
    assert words_of("你好，世界。 Hi there") == ["你", "好，", "世", "界。", " Hi", " there"]


@given(st.text("ab 1.,—你\n", max_size=60))
def test_the_words_are_the_text_and_none_is_lost(text: str) -> None:
    assert "".join(words_of(text)) == text.rstrip()
    phonemes = "".join(char for char in text if not char.isspace() or char == " ")
    found = told(text, phonemes)
    if any(char.isalnum() for char in text):
        assert "".join(word for word, _ in found) == text.rstrip()
    starts = [word for word, _ in found]
    assert len(starts) <= len(words_of(text))


def test_a_run_of_another_text_is_refused() -> None:
    with pytest.raises(ValueError, match="not of this text"):
        told("the house", "ðə haʊs", ["kæt"])


def test_words_follow_one_another_in_time() -> None:
    text = "in the house of the cat. in 1984 the cat, $5 a house"
    phonemes = "ɪnðə haʊs əvðə kæt. ɪn naɪntiːn eɪti foːr ðə kæt, faɪv dɒlɚz ə haʊs"
    times = WordTimes(text, list(phonemes), alone)
    words = times.take(list(phonemes), np.arange(len(phonemes) + 1.0))
    assert len(words) == len(text.split())
    for before, word in pairwise(words):
        assert before.start_s < before.end_s <= word.start_s
