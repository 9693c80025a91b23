"""Where the words of a text are, from how long a network makes each phoneme.

A network says phonemes, and which word a phoneme belongs to is lost on the way: espeak joins "of
the" to one, and makes three of "1984". So each word is also turned into phonemes by itself, and
both sequences are laid beside each other with the fewest differences (Needleman and Wunsch, 1970).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.samples import Samples
from myna.text.transcript import Word

_WIDE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"\s*(?:[{_WIDE}][^\w\s]*|(?:(?![{_WIDE}])\S)+)")
"""A word with the white space before it; of scripts without spaces, a character."""

_OTHER = 2
"""What another phoneme at the same place costs, and a phoneme too many or too few."""
_SPACE = 1
"""What a space too many or too few costs: espeak joins and parts words as they are spoken."""
_FORBIDDEN = 8


@dataclass(frozen=True, slots=True)
class Said:
    """What a network made of one run of phonemes."""

    samples: Samples
    """Shape (n_samples,)."""
    bounds_s: NDArray[np.float64] | None = None
    """Where each phoneme begins and the last one ends, shape (n_phonemes + 1,), in seconds of
    `samples`; None where the network does not tell."""


class WordTimes:
    """The words of one text, found again in the runs of its phonemes."""

    def __init__(
        self, text: str, phonemes: Sequence[str], alone: Callable[[str], Sequence[str]]
    ) -> None:
        """`phonemes` are those of the whole text, `alone` gives those of a single word."""
        self._phonemes = phonemes
        self._texts = words_of(text)
        self._owners = _owners([alone(word) for word in self._texts], phonemes)
        self._merge_unheard()
        self._at = 0
        self._told = 0

    def take(self, run: Sequence[str], bounds_s: NDArray[np.float64]) -> tuple[Word, ...]:
        """The words that begin in the next run. `run` is a part of the phonemes behind those that
        were taken; `bounds_s` is as in `Said`. Raises ValueError where it is not."""
        while self._phonemes[self._at : self._at + len(run)] != run:
            self._at += 1
            if self._at > len(self._phonemes):
                raise ValueError("the run is not of this text")
        owners = self._owners[self._at : self._at + len(run)]
        self._at += len(run)
        found: list[Word] = []
        for number in range(self._told, max(owners, default=-1) + 1):
            places = [place for place, owner in enumerate(owners) if owner == number]
            if places:
                start_s, end_s = bounds_s[places[0]], bounds_s[places[-1] + 1]
                found.append(Word(self._texts[number], float(start_s), float(end_s), 1.0))
                self._told = number + 1
        return tuple(found)

    def _merge_unheard(self) -> None:
        """A word without a phoneme of its own goes along with the one before it, or else after."""
        heard = set(self._owners)
        carried = ""
        last: int | None = None
        for number, text in enumerate(self._texts):
            if number in heard:
                self._texts[number], carried, last = carried + text, "", number
            elif last is None:
                carried += text
            else:
                self._texts[last] += text


def words_in(
    times: WordTimes | None, run: Sequence[str], said: Said, tempo: float
) -> tuple[Word, ...]:
    """The words that begin in a run that was then played at `tempo`; none where they are not asked
    for, or the network does not tell."""
    if times is None or said.bounds_s is None:
        return ()
    return times.take(run, said.bounds_s / tempo)


def words_of(text: str) -> list[str]:
    """The words of a text, each with the white space before it; together they are the text, but for
    white space at its end."""
    return _WORD.findall(text)


def _owners(alone: Sequence[Sequence[str]], said: Sequence[str]) -> list[int]:
    """For each phoneme that is said the number of its word; -1 for spaces and marks."""
    wanted = list(_spaced(alone))
    heard = [(place, _plain(symbol)) for place, symbol in enumerate(said) if _plain(symbol)]
    owners = [-1] * len(said)
    for place, owner in _aligned(wanted, heard):
        owners[place] = owner
    return owners


def _spaced(alone: Sequence[Sequence[str]]) -> Iterator[tuple[int, str]]:
    """Number of the word and phoneme, for all words, with a space after each."""
    for number, phonemes in enumerate(alone):
        letters = [symbol for symbol in map(_plain, phonemes) if symbol]
        if any(symbol != " " for symbol in letters):
            yield from ((number, symbol) for symbol in letters)
            yield number, " "


def _plain(symbol: str) -> str:
    """A phoneme, a space, or nothing for a mark."""
    if symbol.isspace():
        return " "
    return symbol if any(char.isalnum() for char in symbol) else ""


def _aligned(
    wanted: Sequence[tuple[int, str]], heard: Sequence[tuple[int, str]]
) -> Iterator[tuple[int, int]]:
    """For each phoneme that is heard its place and the number of its word."""
    if not wanted or not heard:
        return
    codes = {symbol: code for code, symbol in enumerate({s for _, s in (*wanted, *heard)} | {" "})}
    rows = np.array([codes[symbol] for _, symbol in wanted])
    columns = np.array([codes[symbol] for _, symbol in heard])
    space = codes[" "]
    row_gap = np.where(rows == space, _SPACE, _OTHER)
    column_gap = np.where(columns == space, _SPACE, _OTHER)
    inserted = np.concatenate([[0], np.cumsum(column_gap)])
    table = np.empty((len(rows) + 1, len(columns) + 1), np.int64)
    table[0] = inserted
    for at, row in enumerate(rows, start=1):
        differs = np.where(columns == row, 0, _OTHER)
        differs[(columns == space) != (row == space)] = _FORBIDDEN
        table[at] = table[at - 1] + row_gap[at - 1]
        table[at, 1:] = np.minimum(table[at, 1:], table[at - 1, :-1] + differs)
        table[at] = np.minimum.accumulate(table[at] - inserted) + inserted
    row, column = len(rows), len(columns)
    while column:
        place, symbol = heard[column - 1]
        insert = table[row, column] == table[row, column - 1] + column_gap[column - 1]
        if row and table[row, column] == table[row - 1, column] + row_gap[row - 1]:
            row -= 1
            continue
        number = wanted[max(row - 1, 0)][0]
        if not insert:
            row -= 1
        column -= 1
        if symbol != " ":
            yield place, number
