from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.engines.espeak_text import reading


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nothing special here.", "Nothing special here."),
        ("[[ h@l@U ]] there", "[ [ h@l@U ]] there"),
        ("[[[[a]]]]", "[ [ [ [a]]]]"),
        ("some [brackets] stay", "some [brackets] stay"),
        ("a\x00b\x1bc\td\x85e", "a b c d e"),
        ("half a pair \ud83d here", "half a pair   here"),
        ("line\none\n\ntwo", "line\none\n\ntwo"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("Hi 😀 there", "Hi   there"),
        ("family 👩‍👩‍👧 ok 👍🏽", "family   ok  "),
        ("▶️ play 1️⃣", "  play 1"),
        ("5 °C © 2024 → ok", "5 °C © 2024 → ok"),
        ("word—word", "word – word"),
        ("word — word", "word – word"),
        ("wait... what", "wait,  what"),
        ("wait… what", "wait,  what"),
        ("the end...", "the end..."),
        ("3.14 and 10.5", "3.14 and 10.5"),
        ("ہیلو می\u200cخواهم", "ہیلو می\u200cخواهم"),
    ],
)
def test_a_text_is_read_as_text(text: str, expected: str) -> None:
    assert reading(text, english=True) == expected
    assert reading(text, english=False) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. Smith and Mrs. Jones", "Mr Smith and Mrs Jones"),
        ("Dr. Brown of St. Louis", "Dr Brown of St Louis"),
        ("J. R. R. Tolkien", "J R R Tolkien"),
        ("John F. Kennedy", "John F Kennedy"),
        ("the U.S. Army", "the U.S Army"),
        ("at 3 p.m. Tuesday", "at 3 p.m Tuesday"),
        ("No. 5 and Fig. 3", "No 5 and Fig 3"),
        ("No. I will not.", "No. I will not."),
        ("No. Never.", "No. Never."),
        ("So do I. He left.", "So do I. He left."),
        ("in the U.S. The end", "in the U.S. The end"),
        ("vitamin C. It is good.", "vitamin C. It is good."),
        ("Admr. Smith. Jones", "Admr. Smith. Jones"),
    ],
)
def test_english_abbreviations_do_not_end_a_sentence(text: str, expected: str) -> None:
    assert reading(text, english=True) == expected
    assert reading(text, english=False) == text


@given(st.text(), st.booleans())
def test_no_reading_is_a_command_or_breaks_the_phonemizer(text: str, english: bool) -> None:
    read = reading(text, english=english)
    assert "[[" not in read
    assert "\x00" not in read
    read.encode()


@given(st.text(st.characters(categories=["Lu", "Ll", "Nd", "Zs"])))
def test_a_reading_keeps_every_letter(text: str) -> None:
    kept = [char for char in reading(text, english=True) if char.isalnum()]
    assert kept == [char for char in text if char.isalnum()]
