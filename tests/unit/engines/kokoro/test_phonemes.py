"""From espeak's phonemes to Kokoro's, and the runs they go in. Needs no espeak."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.engines.kokoro.phonemes import phonemes_of, runs


def echoed(text: str, language: str = "es-ES") -> str:
    """What a text comes to where espeak says each letter as it is, in brackets."""
    return phonemes_of(text, language, lambda part: f"<{part.strip()}>")


def spelled(ipa: str, language: str) -> str:
    return phonemes_of("x", language, lambda _: ipa)


@pytest.mark.parametrize(
    ("ipa", "language", "expected"),
    [
        ("hˈa͡ʊ nˈa͡ɪs bˈɔ͡ɪ dˈe͡ɪ ɡˌo͡ʊ", "en-US", "hˈW nˈIs bˈY dˈA ɡˌO"),
        ("d͡ʒˈʌd͡ʒ t͡ʃˈɜːt͡ʃ", "en-US", "ʤˈʌʤ ʧˈɜɹʧ"),
        ("bˈɑːɾə͡lz bˈʌʔn̩ wˈɔːɾɚ bˈʌɾɚɹ", "en-US", "bˈɑɾᵊlz bˈʌtᵊn wˈɔɾəɹ bˈʌɾəɹ"),
        ("ˈe͡ə ɡˌə͡ʊ nˌi͡ə bˈɜːd", "en-GB", "ˈɛː ɡˌQ nˌɪə bˈɜːd"),
        ("raɡˈat͡sːa d͡ʒˈɔka", "it-IT", "raɡˈaʦːa ʤˈɔka"),
        ("bɔ̃ʒˈuʁ le-z amˈi", "fr-FR", "bɔ̃ʒˈuʁ lez amˈi"),
        ("kˌo̞nnit͡ɕˈihä sˈɯ͡ᵝ", "ja-JP", "kˌonniʨˈiha sˈɯ"),
        ("t͡ɕˈi5n mˈɑɜ ma2 t͡ɕ͡hˈi5", "zh-CN", "ʨˈin→ mˈɑ↗ ma↓ ʨʰˈi→"),
        ("t͡s.͡hˈi.5 t͡s.ˈo͡n͡ɡ5 s.ˈi.5 sˈi̪5", "zh-CN", "ꭧʰˈɨ→ ꭧˈoŋ→ ʂˈɨ→ sˈɨ→"),
        ("(en)wˈiːk(fr) (͡e͡n)ˈɛnd", "fr-FR", "wˈiːk ˈɛnd"),
    ],
)
def test_sounds_are_written_in_kokoros_alphabet(ipa: str, language: str, expected: str) -> None:
    assert spelled(ipa, language) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one, two. three", "<one>, <two>. <three>"),
        ("really?! yes...", "<really>! <yes>."),
        ("3.5 at 10:30", "<3.5 at 10:30>"),
        ("see example.com now.", "<see example.com now>."),
        ("e.g. this, etc. and", "<e.g. this>, <etc. and>"),
        ("A.M. Then", "<A.M>. <Then>"),
        ("well — no – yes - so", "<well> — <no> — <yes> — <so>"),
        ("so –", "<so> —"),
        ("so—then", "<so>—<then>"),
        ('he said "no" (twice)', '<he said> "<no>" (<twice>)'),
        ("こんにちは、げんき？", "<こんにちは>, <げんき>?"),
        ("「はい」。", "“<はい>”."),
        ("one\n two\t three", "<one two three>"),
        ("so...", "<so>."),
        ("", ""),
    ],
)
def test_marks_stay_where_they_stand_and_those_inside_words_go_to_espeak(
    text: str, expected: str
) -> None:
    assert " ".join(echoed(text).split()) == expected


def test_kana_that_follow_latin_letters_are_words_of_their_own() -> None:
    """Or espeak, which reads English by then, says "Japanese letter"."""
    heard: list[str] = []
    phonemes_of("わたしはAIです", "ja-JP", lambda text: heard.append(text) or text)
    assert heard == ["わたしはAI です"]


# Runs


@given(st.text("ab ,;:.—ˈ", max_size=300), st.integers(1, 40))
def test_runs_are_bounded_and_lose_no_sound(text: str, most: int) -> None:
    found = list(runs(text, most))
    assert all(0 < len(run) <= most for run in found)
    assert [c for run in found for c in run if c in "ab"] == [c for c in text if c in "ab"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abcdefgh", ["abcdefgh"]),
        ("aaaa bbbb, cccc dddd", ["aaaa bbbb,", "cccc dddd"]),
        ("aaaa, bbbb. cc, dd ee", ["aaaa, bbbb.", "cc, dd ee"]),
        ("aaaa bbbb cccc dddd", ["aaaa bbbb", "cccc dddd"]),
        ("aaaaaaaaaaaaaaaa", ["aaaaaaaa", "aaaaaaaa"]),
        ("aaaaaaaaaaaa,;:. ,", ["aaaaaaaaa", "aaa,;:. ,"]),
        (" . , ", []),
    ],
)
def test_runs_are_of_one_length_and_end_at_the_best_place(text: str, expected: list[str]) -> None:
    assert list(runs(text, 12)) == expected


def test_what_fits_is_one_run() -> None:
    assert list(runs("a" * 510, 510)) == ["a" * 510]
