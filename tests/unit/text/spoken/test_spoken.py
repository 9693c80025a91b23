"""Written text as it is said: the whole way, for English and for other languages."""

from __future__ import annotations

import re

import pytest
from hearing import Sentence, sentences
from hypothesis import given
from hypothesis import strategies as st
from piper.phonemize_espeak import EspeakPhonemizer

from myna.engines.espeak_text import reading
from myna.text.sentences import cuts
from myna.text.spoken import spoken

KNOWN = sentences()
LANGUAGES = ("en-US", "en-GB", "fr-FR", "de-DE", "ja-JP", "zh-CN", "hi-IN")


@pytest.fixture(scope="module")
def espeak() -> EspeakPhonemizer:
    return EspeakPhonemizer()


def sounds(espeak: EspeakPhonemizer, text: str) -> str:
    """The phonemes of a text, without stress, pauses, and the r that links two words."""
    said = espeak.phonemize("en-us", reading(text, english=True))
    plain = re.sub(r"[^\w]|[ˈˌːʲ\s]", "", "".join(sound for part in said for sound in part))
    return plain.replace("ɾ", "t").replace("ᵻ", "ɪ").replace("ɚɹ", "ɚ")


def test_there_are_two_hundred_sentences_of_all_kinds() -> None:
    assert len({sentence.written for sentence in KNOWN}) >= 200
    assert len({sentence.kind for sentence in KNOWN}) >= 24


@pytest.mark.parametrize("sentence", KNOWN, ids=[f"{one.kind}-{one.spoken[:40]}" for one in KNOWN])
def test_espeak_says_what_is_expected(espeak: EspeakPhonemizer, sentence: Sentence) -> None:
    assert sounds(espeak, spoken(sentence.written, "en-US")) == sounds(espeak, sentence.spoken)


@pytest.mark.parametrize("kind", dict.fromkeys(one.kind for one in KNOWN))
@pytest.mark.parametrize("first_chars", [36, 70])
def test_espeak_says_the_same_of_the_pieces_as_of_the_whole(
    espeak: EspeakPhonemizer, kind: str, first_chars: int
) -> None:
    """Each sentence a paragraph of one long text. Only unstressed words sound differently where
    another word follows them."""
    text = spoken("\n\n".join(one.written for one in KNOWN if one.kind == kind), "en-US")
    parted = [sounds(espeak, piece.said) for piece in cuts(text, first_chars=first_chars)]
    whole = [sounds(espeak, line) for line in text.split("\n")]
    assert consonants("".join(parted)) == consonants("".join(whole))


def consonants(phonemes: str) -> str:
    return re.sub("[aeiouæɐɑɒɔəɛɜɪʊʌɚɹ]", "", phonemes)


PLAIN = st.text(
    st.sampled_from("abcdefghijklmnopqrstuvwxyzäéñß ABCDEFGHIJKLMNOPQRSTUVWXYZ,.!?;'’\"“”()\n")
)
WORDS = st.lists(
    st.sampled_from(
        (
            "We",
            "they",
            "Saw",
            "the",
            "a",
            "house,",
            "Good.",
            "no!",
            "3",
            "27",
            "1,500",
            "2.5",
            "50%",
        )
    )
).map(" ".join)


@given(text=WORDS)
def test_plain_words_and_numbers_stay_as_they_are(text: str) -> None:
    assert spoken(text, "en-US") == text


@given(text=PLAIN.filter(lambda text: not re.search(r"\.\w|\b[A-Z][a-z]+\.", text)))
@pytest.mark.parametrize("language", ["fr-FR", "hi-IN"])
def test_letters_and_marks_stay_as_they_are(text: str, language: str) -> None:
    assert spoken(text, language) == text


@pytest.mark.parametrize("language", ["fr-FR", "de-DE", "es-ES", "ja-JP", "zh-CN", "hi-IN"])
@pytest.mark.parametrize(
    "text",
    ["$5.99", "5 kg", "3/4", "2024-03-15", "9:05", "555-123-4567", "#1", "St. No. 5", "x > y"],
)
def test_no_english_word_gets_into_another_language(text: str, language: str) -> None:
    assert spoken(text, language) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_markup_goes_in_every_language(language: str) -> None:
    text = "# Titre\n\n**Mot** et [lien](https://exemple.com) `code` <b>gras</b> ~~non~~ &amp; 𝐨𝐮𝐢"
    assert spoken(text, language) == "Titre\n\nMot et lien code gras non & oui"


@given(text=st.text(), language=st.sampled_from(LANGUAGES))
def test_every_text_is_taken(text: str, language: str) -> None:
    spoken(text, language)


MARKS = "*_`~#>[]()!|<>/&;:@.-\\\n\"'$€£%0123456789, AaIVXst"


@given(text=st.text(st.sampled_from(MARKS)), language=st.sampled_from(LANGUAGES))
def test_every_tangle_of_marks_is_taken(text: str, language: str) -> None:
    spoken(text, language)


def test_which_number_is_the_month_depends_on_the_voice() -> None:
    assert spoken("on 3/4/2025", "en-US") == "on March 4th, twenty twenty-five"
    assert spoken("on 3/4/2025", "en-GB") == "on April 3rd, twenty twenty-five"


@pytest.mark.parametrize(
    "text", ["<speak></speak>", "<br/>", "---", "```\n```", "<!-- words -->", "![](a.png)"]
)
def test_of_mere_markup_nothing_is_left(text: str) -> None:
    assert not spoken(text, "en-US").strip()


HOSTILE = [
    *("*", "_", "`", "~", "[", "]", "(", "<", ">", "#", "|", "-", "\\", "&", "!", ".", "@", "1"),
    *("*a", "**a ", "_a", "`a ", "``a`", "[a](", "![a](", "<b ", "<b a=", "&a", "a.", "a@", "1,"),
    *("$1", "1-", "1:", "+1 ", "|a", "> ", "- ", "# ", "a b ", "12:", "Mr. ", "X", "I", "~~~\n"),
    *(
        "<!--",
        "[^",
        "[a]:",
        "1 1/",
        "1.",
        "\n ",
        " ",
        "\t",
        "www.",
        "http://",
        "a-",
        "St. A",
        "```",
    ),
    *("/", "1/1", "1 000 "),
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_texts_are_read_like_any_other(part: str) -> None:
    """At sixteen times the usual limit: a pattern that looks twice at everything would not end."""
    spoken((part * 65_536)[:65_536], "en-US")
