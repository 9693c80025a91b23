"""Where to part words that no mark parts: before a word that joins, at white space, anywhere."""

from __future__ import annotations

import re
import unicodedata

_LONGEST_GRAPHEME = 32
"""How far a cut steps back to leave a letter its marks; beyond it the text is a prank."""

_CLAUSES = {
    "and", "but", "or", "nor", "so", "because", "that", "which", "who", "whose", "when", "where",
    "while", "if", "although", "though", "since", "until", "before", "after", "than", "und",
    "aber", "oder", "dass", "weil", "wenn", "et", "mais", "ou", "que", "qui", "parce", "quand",
    "si", "y", "pero", "o", "porque", "cuando", "e", "ma", "che", "perché", "mas", "quem",
}  # fmt: skip
"""Words that begin a part of a sentence, in the languages that most voices speak."""

_PHRASES = {
    "as", "with", "without", "for", "from", "into", "about", "over", "under", "between",
    "through", "during", "against", "in", "on", "at", "by", "to", "mit", "für", "nach", "bei",
    "von", "zu", "avec", "sans", "pour", "dans", "sur", "chez", "con", "sin", "para", "por", "en",
    "per", "com", "sem", "em",
}  # fmt: skip
"""Words that begin a smaller part."""

_ARTICLES = {
    "the", "a", "an", "of", "my", "your", "his", "her", "its", "our", "their", "this", "these",
    "der", "die", "das", "den", "dem", "ein", "eine", "le", "la", "les", "l", "un", "une", "des",
    "el", "los", "las", "una", "il", "lo", "i", "gli", "o", "os", "as", "um", "uma", "de", "di",
}  # fmt: skip
"""Words that lean on the next one."""

_WORTH = 12
"""By how many code points a cut before a clause may be farther off than one before a phrase."""

_WORD = re.compile(r"[^\W\d_]+")


def phrase_end(text: str, start: int, wanted: int, most: int) -> int:
    """Where to end what begins at `start` and should be about `wanted` code points long, not above
    `most`.

    Between half of that and a quarter more: as near as there is a word that begins a clause or a
    phrase; else at the last white space up to `wanted`, not behind an article or the like if there
    is a choice; else anywhere.
    """
    last = min(start + min(wanted + wanted // 4, most), len(text) - 1)
    spaces = [at for at in range(start + (wanted + 1) // 2, last + 1) if text[at].isspace()]
    joints = [(abs(at - start - wanted) + far, at) for at in spaces if (far := _far(text, at)) >= 0]
    if joints:
        return _before_space(text, min(joints)[1])
    loose = [at for at in spaces if at <= start + wanted and not _leans(text, at)]
    if loose:
        return _before_space(text, loose[-1])
    return _forced_end(text, start, start + wanted)


def _forced_end(text: str, start: int, most: int) -> int:
    """Where to end what begins at `start`, at `most` or before: at white space, else anywhere."""
    for at in range(most, start, -1):
        if text[at].isspace():
            return _before_space(text, at)
    return _between_graphemes(text, start, most)


def _far(text: str, at: int) -> int:
    """How much worse than others it is to cut at the white space at `at`; -1 if it is no place."""
    found = _WORD.match(text, at + 1)
    word = found[0].lower() if found else ""
    return 0 if word in _CLAUSES else _WORTH if word in _PHRASES else -1


def _leans(text: str, at: int) -> bool:
    """Whether the word before the white space at `at` belongs to the next one."""
    words = _WORD.findall(text, max(0, at - 8), at)
    word = words[-1].lower() if words else ""
    return word in _ARTICLES or word in _CLAUSES or word in _PHRASES


def _before_space(text: str, at: int) -> int:
    while at > 0 and text[at - 1].isspace():
        at -= 1
    return at


def _between_graphemes(text: str, start: int, at: int) -> int:
    """`at`, or a little before it where a cut would part a letter from its marks or an emoji."""
    for back in range(at, max(start, at - _LONGEST_GRAPHEME), -1):
        if not (_extends(text[back]) or text[back - 1] == "\u200d"):
            return back
    return at


def _extends(char: str) -> bool:
    """Whether a character belongs to the one before it: marks, joiners, skin tones."""
    return (
        unicodedata.category(char).startswith("M")
        or char in "\u200c\u200d"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )
