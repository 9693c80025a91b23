import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.errors import BadRequest
from myna.text.languages import (
    GPT_TRANSCRIBE_LANGUAGES,
    WHISPER_LANGUAGES,
    language_code,
    language_name,
)


def test_whisper_has_a_hundred_languages_with_distinct_names():
    assert len(WHISPER_LANGUAGES) == 100
    assert len(set(WHISPER_LANGUAGES.values())) == 100
    assert list(WHISPER_LANGUAGES)[:3] == ["en", "zh", "de"]
    assert list(WHISPER_LANGUAGES)[-1] == "yue"


def test_the_table_is_the_one_of_the_tokenizer_in_use():
    tokenizer = pytest.importorskip("faster_whisper.tokenizer")
    assert tuple(sorted(WHISPER_LANGUAGES)) == tuple(sorted(tokenizer._LANGUAGE_CODES))


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        WHISPER_LANGUAGES["xx"] = "klingon"  # type: ignore[index]


@pytest.mark.parametrize("code", list(WHISPER_LANGUAGES))
def test_every_code_and_every_name_leads_to_the_code_in_any_case(code):
    name = WHISPER_LANGUAGES[code]
    for spelling in (code, code.upper(), name, name.title(), f"  {name} "):
        assert language_code(spelling) == code
    assert language_name(code) == name


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("en-US", "en"),
        ("en_US", "en"),
        ("EN-gb", "en"),
        ("en_US.UTF-8", "en"),
        ("ca_ES@valencia", "ca"),
        ("zh-CN", "zh"),
        ("zh-Hans-CN", "zh"),
        ("zh_TW", "zh"),
        ("cmn", "zh"),
        ("cmn-Hans-CN", "zh"),
        ("zh-yue", "yue"),
        ("yue-HK", "yue"),
        ("haw-US", "haw"),
        ("mandarin", "zh"),
        ("fil", "tl"),
        ("fil-PH", "tl"),
        ("nb", "no"),
        ("nb-NO", "no"),
        ("nn-NO", "nn"),
        ("iw", "he"),
        ("jv", "jw"),
        ("eng", "en"),
        ("deu", "de"),
        ("ger", "de"),
        ("fra", "fr"),
        ("es-419", "es"),
        ("burmese", "my"),
        ("valencian", "ca"),
        ("flemish", "nl"),
        ("haitian", "ht"),
        ("Haitian  Creole", "ht"),
        ("letzeburgesch", "lb"),
        ("pushto", "ps"),
        ("panjabi", "pa"),
        ("moldavian", "ro"),
        ("moldovan", "ro"),
        ("sinhalese", "si"),
        ("castilian", "es"),
    ],
)
def test_other_spellings_that_clients_use_are_understood(spelling, code):
    assert language_code(spelling) == code


@pytest.mark.parametrize("spelling", ["", "  ", "auto", "AUTO", "none", "None", "null"])
def test_no_language_means_detection(spelling):
    assert language_code(spelling) is None


@pytest.mark.parametrize(
    "spelling", ["xx", "klingon", "e", "en,de", '["en"]', "\ud800", "x" * 9999]
)
def test_an_unknown_language_is_refused_with_a_way_out(spelling):
    with pytest.raises(BadRequest) as caught:
        language_code(spelling)
    assert caught.value.param == "language"
    assert "ISO 639-1" in caught.value.message
    assert "leave the field out" in caught.value.message
    assert len(caught.value.message) < 400
    caught.value.message.encode()


def test_the_refusal_names_the_field_that_was_meant():
    with pytest.raises(BadRequest) as caught:
        language_code("xx", param="languages")
    assert caught.value.param == "languages"


@given(st.text())
def test_any_text_gives_a_known_code_nothing_or_a_refusal(text):
    try:
        code = language_code(text)
    except BadRequest:
        return
    assert code is None or code in WHISPER_LANGUAGES


def test_a_code_without_a_name_stands_for_itself():
    assert language_name("xx") == "xx"


def test_the_hosted_allow_list_has_63_of_whispers_codes():
    assert len(GPT_TRANSCRIBE_LANGUAGES) == 63
    assert set(WHISPER_LANGUAGES) > GPT_TRANSCRIBE_LANGUAGES
    assert "nn" not in GPT_TRANSCRIBE_LANGUAGES
