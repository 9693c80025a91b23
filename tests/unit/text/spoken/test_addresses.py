"""Addresses in the words of a language."""

from __future__ import annotations

import pytest

from myna.text.spoken.addresses import addresses_said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("see https://example.com.", "see example dot com."),
        ("(http://www.example.com/a/)", "(www dot example dot com slash a)"),
        ("https://a.com/a-b_c", "a dot com slash a dash b underscore c"),
        ("https://a.com?q=1&r=2#z", "a dot com question mark q equals 1 and r equals 2 hash z"),
        ("https://example.com:8080", "example dot com colon 8080"),
        ("https://example.com/a%20b", "example dot com slash a b"),
        ("example.org/help, please", "example dot org slash help, please"),
        ("mail a.b+c@mail.site.co today", "mail a dot b plus c at mail dot site dot co today"),
        ("mailto:me@example.com", "me at example dot com"),
        ("a@b", "a@b"),
        ("the end.It goes on", "the end.It goes on"),
        ("Node.js and 3.14 and U.S.", "Node.js and 3.14 and U.S."),
        ("https://", "https://"),
    ],
)  # fmt: skip
def test_in_english(written: str, said: str) -> None:
    assert addresses_said(written, "en") == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", "moi ät exemple Punkt org Schrägstrich a"),
        ("es", "moi arroba exemple punto org barra a"),
        ("fr", "moi arobase exemple point org slash a"),
        ("it", "moi chiocciola exemple punto org barra a"),
        ("pt", "moi arroba exemple ponto org barra a"),
    ],
)
def test_in_the_words_of_other_languages(language: str, said: str) -> None:
    mail, page = addresses_said("moi@exemple.org https://a.org/a", language).split(" a ", 1)
    assert f"{mail} {page.split(' ', 2)[-1]}" == said


def test_a_language_without_words_loses_the_scheme_only() -> None:
    assert addresses_said("https://example.com/a-b/ to me@example.com", "ja") == (
        "example.com/a-b to me@example.com"
    )
