"""Letters, digits and signs in disguise: wide ones, those in place of bold or script type, and
digits of other scripts."""

from __future__ import annotations

import re
import unicodedata

_DISGUISED = re.compile(
    r"(?![0-9])\d|"
    "[\u2460-\u24ea\u338e\u338f\u339c-\u339e\uff03-\uff06\uff0b\uff0d\uff10-\uff19\uff1d\uff20-\uff3a\uff3f\uff41-\uff5a\uffe0\uffe1\uffe5"
    "\U0001d400-\U0001d7ff]"
)
"""Digits of any script; what has a circle around it; units in one character; wide forms, but for
the marks that say where a sentence ends; mathematical alphanumerics."""
_WIDE_MARK = re.compile("(?<=[0-9])[\uff0c\uff0e\uff1a](?=[0-9])")
"""Between two digits it ends no sentence."""


def plain_letters(text: str) -> str:
    """The text with the letters that are meant: espeak would spell out their code points, or say
    nothing, as it does of digits that its language has not."""
    return _WIDE_MARK.sub(_meant, _DISGUISED.sub(_meant, text))


def _meant(found: re.Match[str]) -> str:
    digit = unicodedata.digit(found[0], None)
    return unicodedata.normalize("NFKC", found[0]) if digit is None else str(digit)
