"""What a text's script tells of its language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.text.samples import SAMPLES, sample
from myna.text.scripts import written_languages


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Сколько это стоит?", "ru"),
        ("مرحبا بالعالم", "ar"),
        ("שלום עולם", "he"),
        ("नमस्ते दुनिया", "hi"),
        ("안녕하세요", "ko"),
        ("こんにちは", "ja"),
        ("カタカナ ﾊﾝｶｸ", "ja"),
        ("你好，世界", "zh"),
        ("Καλημέρα κόσμε", "el"),
        ("สวัสดีชาวโลก", "th"),
        ("გამარჯობა", "ka"),
        ("Բարեւ", "hy"),
    ],
)
def test_a_script_of_its_own_tells_the_language(text, language):
    assert language in written_languages(text)
    assert "en" not in written_languages(text)


def test_a_few_kana_make_it_japanese_and_han_alone_may_be_either():
    assert written_languages("日本語を勉強する") == {"ja"}
    assert written_languages("東京都") >= {"zh", "ja"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123, 45!",
        "👍",
        "The birds sing.",
        "Die Vögel singen.",
        "Chim hót trong vườn.",
        "\ud800",
    ],
)
def test_latin_letters_and_no_letters_tell_nothing(text):
    assert written_languages(text) == frozenset()


def test_most_of_the_letters_decide():
    assert written_languages("The word привет means hello in Russian.") == frozenset()
    assert "ru" in written_languages("Открой сайт example.com, пожалуйста, и посмотри.")
    assert written_languages("ab вг") == frozenset()


@given(st.text())
def test_any_text_has_an_answer(text):
    assert isinstance(written_languages(text), frozenset)


@pytest.mark.parametrize("language", SAMPLES)
def test_a_sample_is_written_in_the_script_of_its_language(language):
    written = written_languages(SAMPLES[language])
    assert not written or language in written


@pytest.mark.parametrize(
    ("tag", "language"),
    [("en-US", "en"), ("zh-CN", "zh"), ("cmn", "zh"), ("nb-NO", "no"), ("pt_BR", "pt")],
)
def test_a_voices_tag_leads_to_the_sample_of_its_language(tag, language):
    assert sample(tag) == SAMPLES[language]


def test_a_language_without_a_sample_has_none():
    assert sample("tlh") is None
    assert sample("") is None


def test_the_japanese_sample_has_no_kanji_which_kokoro_refuses():
    assert written_languages(SAMPLES["ja"]) == {"ja"}
    assert not any("\u4e00" <= char <= "\u9fff" for char in SAMPLES["ja"])
