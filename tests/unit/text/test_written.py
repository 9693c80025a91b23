"""Words of a reading, and what of the written text each stands for."""

from __future__ import annotations

import pytest
from hearing import sentences
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.text.sentences import cuts
from myna.text.spoken import spoken
from myna.text.transcript import Word
from myna.text.written import Original, SpokenWord


def read(written: str, language: str = "en-US") -> list[SpokenWord]:
    """All words of a text, as an engine tells them piece by piece."""
    said = spoken(written, language)
    original = Original(written, said)
    return [
        word
        for piece in cuts(said)
        for word in original.words(
            piece, [Word(f" {text}", 0.0, 0.1, 1.0) for text in piece.said.split()], 0.0
        )
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("It was late.", {"It": "It", "was": "was", "late.": "late."}),
        ("It costs $5 now.", {"costs": "costs", "5": "$5", "dollars": "$5", "now.": "now."}),
        ("Take 3 kg and 5 m.", {"3": "3", "kilograms": "kg", "5": "5", "meters.": "m."}),
        ("It fell to -7 °C at night.", {"minus": "-7 °C", "7": "-7 °C", "at": "at"}),
        ("$5 and $6", {"5": "$5", "dollars": "$6", "and": "and", "6": "$6"}),
        ("Henry VIII had six wives.", {"the": "VIII", "8th": "VIII", "had": "had"}),
        ("A **very bold** word.", {"very": "very", "bold": "bold", "word.": "word."}),
        ("See [the page](https://a.io/b) now.", {"the": "the", "page": "page", "now.": "now."}),
        ("# Title\n\n- one\n- two", {"Title": "Title", "one": "one", "two": "two"}),
        ("Go to example.com today.", {"dot": "example.com", "com": "example.com"}),
        ("<p>He said <b>no</b>.</p>", {"He": "He", "no.": "no"}),
    ],
)
def test_a_word_is_told_with_what_stands_for_it(written: str, expected: dict[str, str]) -> None:
    told = read(written)
    assert {word.text.strip(): word.written for word in told}.items() >= expected.items()
    for word in told:
        assert written[word.offset :].startswith(word.written)


@pytest.mark.parametrize("kind", dict.fromkeys(one.kind for one in sentences()))
def test_in_texts_of_every_kind_all_is_told_and_in_order(kind: str) -> None:
    written = "\n\n".join(one.written for one in sentences() if one.kind == kind)
    told = read(written)
    assert "".join(word.text for word in told).split() == spoken(written, "en-US").split()
    assert [word.offset for word in told] == sorted(word.offset for word in told)
    for word in told:
        assert word.written
        assert len(word.written) < 60
        assert written[word.offset :].startswith(word.written)


def test_scripts_without_spaces_are_told_sign_by_sign() -> None:
    written = "你好，**世界**。"
    said = spoken(written, "zh-CN")
    (piece,) = cuts(said)
    told = list(
        Original(written, said).words(
            piece, [Word(sign, 0.0, 0.1, 1.0) for sign in ("你", "好，", "世", "界。")], 0.0
        )
    )
    assert [word.text for word in told] == ["你", "好，", "世", "界。"]
    assert [word.written for word in told] == ["你", "好，", "世", "界"]


def test_words_are_later_by_what_was_said_before_and_without_the_comma_of_a_cut() -> None:
    text = " ".join(["word"] * 30)
    original = Original(text, text)
    told = [
        list(original.words(piece, [Word(piece.said.split()[-1], 0.5, 0.6, 0.9)], 10.0))
        for piece in cuts(text)
    ]
    assert {word.text.strip() for (word,) in told} == {"word"}
    assert {(word.start_s, word.end_s, word.probability) for (word,) in told} == {(10.5, 10.6, 0.9)}


def test_behind_markup_that_is_too_long_to_look_beyond_nothing_is_named() -> None:
    written = f"Well. <!-- {'and so on ' * 40} --> He was there."
    told = read(written)
    assert (told[0].written, told[0].offset) == ("Well.", 0)
    assert {word.written for word in told[1:]} == {""}


@settings(deadline=None)
@given(st.text(alphabet="ab $5.*-_\n<>[]()`&;你", max_size=80))
def test_nothing_breaks_it(written: str) -> None:
    for word in read(written):
        assert written[word.offset :].startswith(word.written)
