"""Letters, digits and signs in disguise: wide ones, and those in place of bold or script type."""

from __future__ import annotations

import re
import unicodedata

_DISGUISED = re.compile(
    "[\uff03-\uff06\uff0b\uff0d\uff10-\uff19\uff1d\uff20-\uff3a\uff3f\uff41-\uff5a\uffe0\uffe1\uffe5"
    "\U0001d400-\U0001d7ff]"
)
"""Wide forms, but for the marks that say where a sentence ends; mathematical alphanumerics."""


def plain_letters(text: str) -> str:
    """The text with the letters that are meant: espeak would spell out their code points."""
    return _DISGUISED.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
