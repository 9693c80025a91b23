"""Who says which words: turns laid over a transcript. Pure.

A word is given to the speaker whose turns cover most of it. Where two speak at once and cover it
alike, it is the one whose turn is longer: Whisper writes down who leads, and seldom who throws in a
word. A word outside all turns goes to the nearest one. Segments are split where the speaker
changes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, groupby

from myna.text.transcript import Segment, Turn, Word

_ALIKE_S = 0.02
"""Covers of a word that differ by less are the same: finer than turns and words are known."""

_LEAST_S = 0.01
"""What a word of no length is taken for: Whisper writes some."""


class SpeakerNames:
    """What speakers are called: known ones by their names, the others A, B, C in order of
    appearance, without the letters that are known names."""

    def __init__(self, known: Sequence[str] = ()) -> None:
        self._names = dict(enumerate(known))
        self._letters = (name for name in _letters() if name not in known)

    def of(self, speaker: int) -> str:
        """The name of a turn's speaker."""
        if speaker not in self._names:
            self._names[speaker] = next(self._letters)
        return self._names[speaker]


class SpeakerTurns:
    """Turns by time, for finding who speaks at a moment."""

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start_s)
        self._starts = [turn.start_s for turn in self._turns]
        self._latest = list(accumulate(self._turns, _ending_later))
        """Of all turns up to each: the one that ends last."""
        # Monotonous, so that it can be searched.
        self._ends = [turn.end_s for turn in self._latest]

    def speaker(self, start_s: float, end_s: float) -> int | None:
        """Who speaks between two moments; None where nobody speaks in the whole recording."""
        if not self._turns:
            return None
        end_s = max(end_s, start_s + _LEAST_S)
        first = bisect_right(self._ends, start_s)
        behind = bisect_left(self._starts, end_s)
        covers: dict[int, float] = {}
        longest: dict[int, float] = {}
        for turn in self._turns[first:behind]:
            cover_s = min(turn.end_s, end_s) - max(turn.start_s, start_s)
            if cover_s > 0:
                covers[turn.speaker] = covers.get(turn.speaker, 0.0) + cover_s
                length_s = turn.end_s - turn.start_s
                longest[turn.speaker] = max(longest.get(turn.speaker, 0.0), length_s)
        if not covers:
            return self._nearest(start_s, end_s, behind)
        most_s = max(covers.values()) - _ALIKE_S
        return max((one for one, s in covers.items() if s >= most_s), key=longest.__getitem__)

    def _nearest(self, start_s: float, end_s: float, behind: int) -> int:
        """The turn that ended last, or the one that begins next."""
        before = self._latest[behind - 1 : behind]
        return min(
            [*before, *self._turns[behind : behind + 1]],
            key=lambda turn: max(turn.start_s - end_s, start_s - turn.end_s),
        ).speaker


def _ending_later(one: Turn, other: Turn) -> Turn:
    return other if other.end_s > one.end_s else one


def attributed(
    segments: Iterable[Segment], turns: SpeakerTurns, names: SpeakerNames
) -> Iterator[Segment]:
    """The segments with their speakers, split where the speaker changes.

    Figures of the model stay with every part, tokens with the first. Where nobody is heard in the
    whole recording but something was said, it was said by one speaker.
    """
    for segment in segments:
        words = segment.words
        if not words or "".join(word.text for word in words).strip() != segment.text.strip():
            speaker = turns.speaker(segment.start_s, segment.end_s)
            yield replace(segment, speaker=names.of(speaker or 0))
            continue
        spoken = groupby(words, key=lambda word: turns.speaker(word.start_s, word.end_s))
        parts = [(speaker, tuple(said)) for speaker, said in spoken]
        for place, (speaker, said) in enumerate(parts):
            name = names.of(speaker or 0)
            if len(parts) == 1:
                yield replace(segment, speaker=name)
            else:
                yield _part(segment, said, name, first=place == 0)


def _part(segment: Segment, words: Sequence[Word], speaker: str, *, first: bool) -> Segment:
    return replace(
        segment,
        start_s=words[0].start_s,
        end_s=words[-1].end_s,
        text="".join(word.text for word in words),
        words=tuple(words),
        tokens=segment.tokens if first else (),
        logprobs=segment.logprobs if first else (),
        speaker=speaker,
    )


def _letters() -> Iterator[str]:
    """A to Z, AA to ZZ, and so on."""
    names = [""]
    while True:
        names = [name + chr(letter) for name in names for letter in range(ord("A"), ord("Z") + 1)]
        yield from names
