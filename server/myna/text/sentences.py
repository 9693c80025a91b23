"""Text to the pieces that are spoken one after another.

A piece ends where a speaker would stop: at a sentence, else at a clause, else before a word that
joins. The first is short, so that sound starts early; later ones may grow, since there is sound to
listen to while they are made. Cutting never changes what is said: the pieces together are the text,
but for the white space at the cuts.

Where it is not sure that a sentence ends ("the U.S. Army", "5 p.m. Tuesday"), it takes it not to: a
missed end makes a longer piece, a wrong one a pause in the middle of a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from myna.text.abbreviations import goes_on
from myna.text.phrases import phrase_end

FIRST_CHARS = 60
"""What the first piece should not go beyond where the engine says nothing else: about four seconds
of speech. Without a place to end it may be half as long again."""

MAX_CHARS = 300
"""No piece is longer: a fair turn of a worker, and what the engines take in one go."""

_DENSITY = 3
"""Latin letters that take as long to say as one Chinese, Japanese or Korean character."""

_LEAST_WRAP = 40
"""A line from this length on may be one that an editor broke in the middle of a sentence."""


def speakable(text: str) -> bool:
    """Whether there is anything to say: a letter or a digit of any script."""
    return any(char.isalnum() for char in text)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is spoken in one go."""

    text: str
    """As it stands in the whole text, without white space around it."""
    start: int
    """Where in the whole text it begins, in code points."""
    goes_on: bool
    """Whether the sentence goes on behind it."""
    marked: bool
    """Whether it ends with a mark, or where no mark is needed."""

    @property
    def said(self) -> str:
        """What an engine is given: with a comma where the sentence goes on and no mark says so, so
        that its voice does not fall."""
        return self.text if self.marked else f"{self.text},"


def pieces(
    text: str, *, first_chars: int = FIRST_CHARS, max_chars: int = MAX_CHARS
) -> Iterator[str]:
    """The texts of `cuts`."""
    for piece in cuts(text, first_chars=first_chars, max_chars=max_chars):
        yield piece.text


def cuts(
    text: str, *, first_chars: int = FIRST_CHARS, max_chars: int = MAX_CHARS
) -> Iterator[Piece]:
    """Pieces of `text` in order, none empty, none longer than `max_chars` code points (at least 1).

    A piece is one or more whole sentences, or part of one that is too long. What is too long grows
    with what was said before. A line that ends a sentence ends the piece, because to an engine a
    line end is mere space. Parts without letters or digits go along with a neighbour.
    """
    density = _DENSITY if _dense(text) else 1
    sizes = _Sizes(max(1, first_chars // density), max(1, max_chars // density))
    group: _Span | None = None
    first = True
    for part in _parts(text, sizes):
        if group is None:
            group = part
        elif _joins(text, group, part, sizes, first=first):
            group = _Span(group.start, part.end, part.ending)
        else:
            yield group.piece_of(text)
            group, first = part, False
    if group is not None:
        yield group.piece_of(text)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How long pieces should be, in code points."""

    first: int
    """The first piece, where the text has a place to end it."""
    most: int
    """Any piece."""

    @property
    def enough(self) -> int:
        """A first piece below this ("Hi.") takes the next sentence along; nothing less is left."""
        return self.first // 4

    @property
    def clause(self) -> int:
        """Nothing shorter is cut off at a comma, nor ever nothing at all."""
        return max(1, 2 * self.first // 5)

    def wanted(self, start: int) -> int:
        """The size of a piece from `start` on: twice of what was said before it. An engine at half
        of real time then never leaves the listener waiting."""
        return min(self.most, max(self.first, 2 * start))

    def bearable(self, start: int) -> int:
        """The same where there is no good place to end it: rather a little late than ugly."""
        return min(self.most, 3 * self.wanted(start) // 2)


def _dense(text: str) -> bool:
    """Whether most letters are of a script that says a syllable or more with each."""
    letters = [char for char in text if char.isalpha()]
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in letters)
    return 2 * wide > len(letters)


class _Ending(IntEnum):
    """How a stretch of text ends, from the weakest to the strongest."""

    NOWHERE = 0
    """In the middle, because it was too long."""
    CLAUSE = 1
    """At a comma or the like, or at a full stop that may be that of an abbreviation."""
    SENTENCE = 2
    LINE = 3
    """At the end of a line or of a paragraph."""


@dataclass(frozen=True, slots=True)
class _Span:
    """`text[start:end]`, which neither begins nor ends with white space."""

    start: int
    end: int
    ending: _Ending

    def piece_of(self, text: str) -> Piece:
        held = text[self.start : self.end]
        # "it was late. we went home": a stop before a small letter may well end a sentence.
        stopped = self.ending == _Ending.CLAUSE and held.rstrip(_CLOSERS).endswith(_STOPS)
        return Piece(
            held,
            self.start,
            goes_on=self.ending < _Ending.SENTENCE and not stopped,
            marked=self.ending > _Ending.NOWHERE,
        )


def _joins(text: str, group: _Span, part: _Span, sizes: _Sizes, *, first: bool) -> bool:
    """Whether a part is spoken in one piece with those before it."""
    size = part.end - group.start
    if size > sizes.most:
        return False
    if not speakable(text[group.start : group.end]) or not speakable(text[part.start : part.end]):
        return True
    if first and group.end - group.start >= sizes.enough:
        return False
    return group.ending == _Ending.SENTENCE and size <= sizes.wanted(group.start)


def _parts(text: str, sizes: _Sizes) -> Iterator[_Span]:
    """Sentences, and the parts of those that are too long."""
    start = _skip_space(text, 0)
    clauses: list[int] = []
    for end, ending in _endings(text):
        if ending == _Ending.CLAUSE:
            clauses.append(end)
        else:
            if start < end:
                yield from _cut(text, _Span(start, end, ending), clauses, sizes)
            start = _skip_space(text, end)
            clauses = []


def _cut(text: str, sentence: _Span, clauses: Sequence[int], sizes: _Sizes) -> Iterator[_Span]:
    """A long sentence in parts: cut at clauses, and where there are none only if it must be."""
    start, end = sentence.start, sentence.end
    while end - start > sizes.wanted(start):
        at = _clause_end(start, end, clauses, sizes)
        ending = _Ending.CLAUSE
        if at is None and end - start <= sizes.bearable(start):
            break
        if at is None:
            at = phrase_end(text, start, sizes.wanted(start), sizes.most)
            ending = _Ending.NOWHERE
        yield _Span(start, at, ending)
        start = _skip_space(text, at)
    if start < end:
        yield _Span(start, end, sentence.ending)


def _clause_end(start: int, end: int, clauses: Sequence[int], sizes: _Sizes) -> int | None:
    """The last end of a clause within the wanted size, else the first within a bearable one."""
    least, most = start + sizes.clause, min(start + sizes.bearable(start), end - sizes.enough)
    fitting = [at for at in clauses if least <= at <= most]
    wanted = [at for at in fitting if at <= start + sizes.wanted(start)]
    return wanted[-1] if wanted else fitting[0] if fitting else None


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _skip_space_back(text: str, at: int) -> int:
    while at > 0 and text[at - 1].isspace():
        at -= 1
    return at


_OPENERS = "\"'“‘„«‹([{¿¡*_`~#>•·–—-「『【《〈（［"
_STOPS = (".", "!", "?", "…")
_CLOSERS = "\"'”’“»›)\\]}*_`~」』】》〉）］"

_MARK = re.compile(
    # Marks that end a sentence whatever follows: Chinese, Japanese, Arabic, Urdu, Devanagari,
    # Armenian, Ethiopic, Burmese and Khmer.
    rf"(?P<stop>[。！？｡؟۔।॥։።။៕][.!?…。！？｡؟۔।॥]*[{_CLOSERS}]*"
    # Those that need white space after them; a no-break space is there to say that it goes on.
    rf"|(?<![.!?…])[.!?…]+[{_CLOSERS}]*(?=[^\S\u00a0\u202f]|$))"
    rf"|(?P<clause>[，、；：،؛][{_CLOSERS}]*|—+|[,;:–][{_CLOSERS}]*(?=\s))"
    r"|(?P<line>[\n\r\u2028\u2029]\s*)"
)


def _endings(text: str) -> Iterator[tuple[int, _Ending]]:
    """Where something ends, in order and each place once; last of all the end of the text."""
    last: tuple[int, _Ending] = (0, _Ending.NOWHERE)
    for mark in _MARK.finditer(text):
        if mark["line"]:
            at, ending = _skip_space_back(text, mark.start()), _line_ending(text, mark)
        elif mark["clause"]:
            at, ending = mark.end(), _Ending.CLAUSE
        else:
            at, ending = mark.end(), _stop_ending(text, mark)
        if ending == _Ending.NOWHERE:
            continue
        if at == last[0]:
            last = (at, max(ending, last[1]))
        else:
            yield last
            last = (at, ending)
    yield last
    end = _skip_space_back(text, len(text))
    if end > last[0] or last[1] < _Ending.SENTENCE:
        yield end, _Ending.LINE


def _line_ending(text: str, mark: re.Match[str]) -> _Ending:
    """A line end ends a sentence unless it looks like one that an editor put there."""
    line_start = text.rfind("\n", 0, mark.start()) + 1
    wrapped = mark.start() - line_start >= _LEAST_WRAP and _next_char(text, mark.end()).islower()
    blank = len(mark["line"].splitlines()) > 1
    return _Ending.NOWHERE if wrapped and not blank else _Ending.LINE


def _stop_ending(text: str, mark: re.Match[str]) -> _Ending:
    """What a full stop, question mark or the like ends."""
    stop = mark["stop"]
    if stop[0] not in ".!?…":
        return _Ending.SENTENCE
    if stop[0] == "." and stop[1:2] != "." and _abbreviates(text, mark.start(), mark.end()):
        return _Ending.NOWHERE
    if _next_char(text, mark.end()).islower():
        return _Ending.CLAUSE  # "Really?" he asked; and text that is all in lower case
    return _Ending.SENTENCE


def _next_char(text: str, at: int) -> str:
    """The first character from `at` on that is neither white space nor an opening mark, or ""."""
    while at < len(text) and (text[at].isspace() or text[at] in _OPENERS):
        at += 1
    return text[at : at + 1]


def _abbreviates(text: str, at: int, after: int) -> bool:
    """Whether the full stop at `at` belongs to its word; the text goes on at `after`."""
    low = max(0, at - 24)
    start = max(low, 1 + max(text.rfind(space, low, at) for space in " \n\t\u00a0\u202f"))
    begin = _skip_space(text, after)
    first = start == 0 or "\n" in text[_skip_space_back(text, start) : start]
    word, following = text[start:at].lstrip(_OPENERS), text[begin : begin + 24]
    return goes_on(word, following, begins_line=first)
