"""Which part of a written text each word of its reading stands for: "5 dollars" for "$5".

What turns one into the other (`myna.text.spoken`) replaces here and there and moves nothing, so the
two are laid side by side: what is alike in both holds the rest in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from myna.text.sentences import Piece
from myna.text.transcript import Word

_CHUNK = re.compile(r"\S+")
_LETTERS = re.compile(r"[^\W_]+")

_MARKS = "\"'“”‘’.,;:!?…()[]*_`，。！？、；："
"""What stands around words and does not change how they are said."""

_ALIKE = 2
"""Chunks in a row that are taken for the same place in both texts."""

_FARTHEST = 48
"""Chunks, of both texts together, beyond which no such place is looked for: an address is said in
some twenty words."""


@dataclass(frozen=True, slots=True)
class SpokenWord(Word):
    """A word that was said, and what of the text that was sent it stands for."""

    written: str
    """Without white space around it; "" where the text is too unlike its reading to tell."""
    offset: int
    """Where that begins, in code points of the text; where it is "", about where."""


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """A stretch of the reading, and the one of the written text that it comes from."""

    said: _Span
    written: _Span
    literal: bool
    """Whether letter for letter, so that places in one are places in the other."""


class Original:
    """The written text behind a reading of it, asked piece by piece in their order."""

    def __init__(self, written: str, said: str) -> None:
        self._written = written
        self._said = said
        self._pairs = list(_pairs(written, said))
        self._number = 0
        self._begun = False

    def words(self, piece: Piece, words: Iterable[Word], from_s: float) -> Iterator[SpokenWord]:
        """The words that an engine told of a piece of the reading, which begins at `from_s` of the
        sound: later by that, with the white space before them, without the comma that was added."""
        place = 0
        for word in words:
            core = word.text.strip()
            found = piece.said.find(core, place)
            begin = found if found >= 0 else place
            place = begin + len(core)
            start, end = piece.start + begin, piece.start + min(place, len(piece.text))
            parted = self._begun and self._said[start - 1 : start].isspace()
            self._begun = True
            text = f" {self._said[start:end]}" if parted else self._said[start:end]
            times = (word.start_s + from_s, word.end_s + from_s, word.probability)
            yield SpokenWord(text, *times, *self._behind(start, end))

    def _behind(self, start: int, end: int) -> tuple[str, int]:
        """What stands behind `said[start:end]`, and where; see `SpokenWord`."""
        while self._number + 1 < len(self._pairs) and self._pairs[self._number].said.end <= start:
            self._number += 1
        pair = self._pairs[self._number]
        if not pair.literal:
            return self._written[pair.written.start : pair.written.end], pair.written.start
        # A mark at the word's edge may be in the reading alone.
        moved = pair.written.start - pair.said.start
        start, end = max(pair.said.start, start), min(pair.said.end, end)
        return self._written[start + moved : end + moved], start + moved


def _pairs(written: str, said: str) -> Iterator[_Pair]:
    if written == said:
        yield _Pair(_Span(0, len(said)), _Span(0, len(said)), literal=True)
        return
    ours, theirs = _chunks(written), _chunks(said)
    keys = [_key(written[one.start : one.end]) for one in ours]
    their_keys = [_key(said[one.start : one.end]) for one in theirs]
    for here, there in _groups(keys, their_keys):
        if there.start < there.end:
            yield from _narrowed(written, _whole(ours, here), said, _whole(theirs, there))


def _chunks(text: str) -> list[_Span]:
    return [_Span(*found.span()) for found in _CHUNK.finditer(text)]


def _key(chunk: str) -> str:
    """What two chunks have in common that are the same word in other marks."""
    return chunk.strip(_MARKS) or chunk


def _whole(chunks: Sequence[_Span], group: _Span) -> _Span:
    """From the first to the last of a group of chunks. Of none it is the one before, which then
    stands for what was added; of more than anybody would read it is nothing."""
    start, end = group.start, group.end
    if start == end:
        start, end = (start - 1, start) if start else (0, 1)
    if end - start > _FARTHEST:
        return _Span(chunks[start].start, chunks[start].start)
    return _Span(chunks[start].start, chunks[end - 1].end)


def _groups(ours: Sequence[str], theirs: Sequence[str]) -> Iterator[tuple[_Span, _Span]]:
    """Numbers of chunks that belong together, all of both in their order."""
    here = there = 0
    while here < len(ours) or there < len(theirs):
        if here < len(ours) and there < len(theirs) and ours[here] == theirs[there]:
            yield _Span(here, here + 1), _Span(there, there + 1)
            here, there = here + 1, there + 1
            continue
        on, further = _next_alike(ours, theirs, here, there)
        yield from _refined(ours, theirs, _Span(here, on), _Span(there, further))
        here, there = on, further


def _next_alike(
    ours: Sequence[str], theirs: Sequence[str], here: int, there: int
) -> tuple[int, int]:
    """The nearest place behind two that differ from where on both are alike, or both ends."""
    for far in range(1, _FARTHEST):
        for step in range(far + 1):
            on, further = here + step, there + far - step
            if on > len(ours) or further > len(theirs):
                continue
            following = ours[on : on + _ALIKE]
            if following == theirs[further : further + _ALIKE] and (
                len(following) == _ALIKE
                or (on + len(following) == len(ours) and further + len(following) == len(theirs))
            ):
                return on, further
    return len(ours), len(theirs)


def _refined(
    ours: Sequence[str], theirs: Sequence[str], here: _Span, there: _Span
) -> Iterator[tuple[_Span, _Span]]:
    """The same stretch parted where single chunks are alike, if it is not the rest of a long
    text."""
    if here.end - here.start + there.end - there.start > 2 * _FARTHEST:
        yield here, there
        return
    matcher = SequenceMatcher(
        None, ours[here.start : here.end], theirs[there.start : there.end], autojunk=False
    )
    for _, start, end, from_, to in matcher.get_opcodes():
        yield (
            _Span(here.start + start, here.start + end),
            _Span(there.start + from_, there.start + to),
        )


def _narrowed(written: str, here: _Span, said: str, there: _Span) -> Iterator[_Pair]:
    """A pair; or literal ones, where nothing but marks around the words was dropped."""
    chunks = [found[0] for found in _CHUNK.finditer(said, there.start, there.end)]
    if not all(map(_LETTERS.search, chunks)):
        yield _Pair(there, here, literal=chunks == [written[here.start : here.end]])
        return
    literal: list[_Pair] = []
    for word in _LETTERS.finditer(said, there.start, there.end):
        at = literal[-1].written.end if literal else here.start
        found = written.find(word[0], at, here.end)
        if found < 0:
            yield _Pair(there, here, literal=False)
            return
        before = literal[-1].said.end if literal else there.start
        if literal and said[before : word.start()] == written[at:found]:
            last = literal.pop()
            start, found = last.said.start, last.written.start
        else:
            start = word.start()
        end = word.end()
        literal.append(_Pair(_Span(start, end), _Span(found, found + end - start), literal=True))
    for pair in literal:
        yield _with_marks(written, here, said, there, pair)


def _with_marks(written: str, here: _Span, said: str, there: _Span, pair: _Pair) -> _Pair:
    """The pair with the marks around it that are the same in both texts."""
    before = after = 0
    ours, theirs = pair.written, pair.said
    while (
        theirs.start - before > there.start
        and ours.start - before > here.start
        and said[theirs.start - before - 1] == written[ours.start - before - 1] in _MARKS
    ):
        before += 1
    while (
        theirs.end + after < there.end
        and ours.end + after < here.end
        and said[theirs.end + after] == written[ours.end + after] in _MARKS
    ):
        after += 1
    return _Pair(
        _Span(theirs.start - before, theirs.end + after),
        _Span(ours.start - before, ours.end + after),
        literal=True,
    )
