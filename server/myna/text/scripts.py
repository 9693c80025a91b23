"""What the script of a text tells of its language.

Only that: no words are looked at, so text in Latin letters may be in any language. The languages
are those that speech models are made for; Unicode's Script_Extensions list more.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

_LANGUAGES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        script: frozenset(codes.split())
        for script, codes in {
            "ARABIC": "ar fa ur ps sd ug ku ckb",
            "ARMENIAN": "hy",
            "BENGALI": "bn as",
            "CYRILLIC": "ru uk bg sr mk be kk ky mn tg tt ba uz bs",
            "DEVANAGARI": "hi mr ne sa",
            "ETHIOPIC": "am ti",
            "GEORGIAN": "ka",
            "GREEK": "el",
            "GUJARATI": "gu",
            "GURMUKHI": "pa",
            "HANGUL": "ko",
            "HEBREW": "he yi",
            "KANA": "ja",
            "HAN": "zh yue ja",
            "KANNADA": "kn",
            "KHMER": "km",
            "LAO": "lo",
            "MALAYALAM": "ml",
            "MYANMAR": "my",
            "SINHALA": "si",
            "TAMIL": "ta",
            "TELUGU": "te",
            "THAI": "th",
            "TIBETAN": "bo dz",
        }.items()
    }
)
_NAMES = {"CJK": "HAN", "HIRAGANA": "KANA", "KATAKANA": "KANA"}
"""How the names of characters begin, where that is not the script."""


def written_languages(text: str) -> frozenset[str]:
    """ISO 639 codes of the languages that a text may be in, by the script of most of its letters.

    Empty where that says nothing: Latin letters, a script that is not known, no script for more
    than half of the letters, or no letters.
    """
    scripts = Counter(
        _script(char)
        for char in unicodedata.normalize("NFKC", text)
        if unicodedata.category(char)[0] == "L"
    )
    if scripts["KANA"]:  # among kanji, a few of them make it Japanese
        scripts["KANA"] += scripts.pop("HAN", 0)
    if not scripts:
        return frozenset()
    script, letters = scripts.most_common(1)[0]
    if 2 * letters <= scripts.total():
        return frozenset()
    return _LANGUAGES.get(script, frozenset())


def _script(letter: str) -> str:
    """By its name in Unicode, which begins with the script."""
    if letter.isascii():
        return "LATIN"
    first = unicodedata.name(letter, "").partition(" ")[0]
    return _NAMES.get(first, first)
