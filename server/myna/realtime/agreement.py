"""Stable text of audio that goes on: a word is shown once two hypotheses in a row agree on it.

Local agreement, as Liu, Spanakis and Niehues (2020) have it: each hypothesis covers the same
window, a little longer than the one before. Where two agree from the beginning on, more audio
rarely changes anything. What has been shown is never taken back: the last hypothesis, which may
differ, only continues it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_BY_ONE = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # kana and Han
)
_LETTER = rf"(?:(?![{_ONE_BY_ONE}])[^\W_])"
_WORD = re.compile(rf"[{_ONE_BY_ONE}]|{_LETTER}+(?:(?:['’]|[.,](?=\d)){_LETTER}+)*")
"""A word of scripts that set words apart; a character of those that do not."""


@dataclass(frozen=True, slots=True)
class _Word:
    said: str
    """As it is compared."""
    end: int
    """Behind its last character."""


def _words(text: str) -> list[_Word]:
    return [_Word(found[0].casefold(), found.end()) for found in _WORD.finditer(text)]


def _alike(one: list[str], other: list[str]) -> int:
    """How many words two texts begin with in common."""
    length = min(len(one), len(other))
    return next((at for at in range(length) if one[at] != other[at]), length)


class Agreement:
    """What is shown of one window."""

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._before: list[str] = []
        """The words of the hypothesis before."""

    def grow(self, text: str) -> slice:
        """Take a hypothesis over more audio than the last; the part of `text` to show now.

        It ends behind a word, not behind its punctuation, which may still change. The last word of
        either hypothesis stays back: it may be half of one.
        """
        words = _words(text)
        said = [word.said for word in words]
        agreed = min(_alike(said, self._before), len(said) - 1, len(self._before) - 1)
        self._before = said
        held = len(self._shown)
        if agreed <= held or said[:held] != self._shown:
            return slice(0, 0)
        self._shown = said[:agreed]
        return slice(words[held - 1].end if held else 0, words[agreed - 1].end)

    def finish(self, text: str) -> slice:
        """Take the final hypothesis; the rest of `text`, behind what has been shown."""
        words = _words(text)
        held = _best_prefix(self._shown, [word.said for word in words])
        return slice(words[held - 1].end if held else 0, len(text))


def _best_prefix(shown: list[str], said: list[str]) -> int:
    """How many words of `said` come nearest to `shown` (edit distance); the more where two do."""
    costs = list(range(len(said) + 1))
    for row, word in enumerate(shown, start=1):
        above, costs[0] = costs[0], row
        for column, other in enumerate(said, start=1):
            cost = min(above + (word != other), costs[column] + 1, costs[column - 1] + 1)
            above, costs[column] = costs[column], cost
    return min(range(len(costs)), key=lambda count: (costs[count], abs(len(shown) - count)))
