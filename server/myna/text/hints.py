"""What a client says beforehand about what will be heard: its languages, and words to expect."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from myna.errors import BadRequest
from myna.text.languages import language_code, language_name


def spoken_languages(
    named: str | None, listed: Sequence[str], *, several: str = "languages"
) -> tuple[str | None, frozenset[str]]:
    """The one language that was named, or the several that may be spoken.

    Raises:
        BadRequest: what is named is no language; its param is `language`, or `several`.
    """
    language = language_code(named or "")
    codes = frozenset(
        code for text in listed if (code := language_code(text, param=several)) is not None
    )
    if language is None and len(codes) == 1:
        language = next(iter(codes))
    return language, codes


def require_known(language: str | None, known: Collection[str], model: str) -> None:
    """See that the model knows the language, if there is one.

    Raises:
        BadRequest: it does not.
    """
    if language is not None and language not in known:
        raise BadRequest(
            f"The model `{model}` does not know {language_name(language)}; "
            "leave out language, or serve a multilingual model.",
            param="language",
            code="invalid_value",
        )


def checked_keywords(keywords: Sequence[str]) -> tuple[str, ...]:
    """Keywords as the hosted API takes them.

    Raises:
        BadRequest: one is more than a line, or looks like markup.
    """
    for keyword in keywords:
        if any(mark in keyword for mark in "<>\r\n"):
            raise BadRequest(
                "keywords must be single lines without < or >",
                param="keywords",
                code="invalid_value",
            )
    return tuple(keyword for word in keywords if (keyword := word.strip()))
