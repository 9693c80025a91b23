"""Subtitles of speech whose words are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from myna.text.cues import srt, vtt
from myna.text.shapes import word_shape
from myna.text.transcript import Segment, Word
from myna.text.written import SpokenWord

SubtitleFormat = Literal["srt", "vtt"]

LONGEST_CUE = 84
"""Characters: two lines of 42, which is what broadcasters allow."""

_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।")


def word_entry(word: SpokenWord) -> dict[str, Any]:
    """`{word, start, end}` as in verbose_json, in seconds, with the word as it was read out; and
    what of the text it stands for."""
    return word_shape(word) | {
        "word": word.text.strip(),
        "written": word.written,
        "offset": word.offset,
    }


def subtitles(words: Sequence[Word], form: SubtitleFormat) -> str:
    """A cue for each sentence, or for parts of one that is longer than LONGEST_CUE."""
    segments = [_segment(cue) for cue in _cues(words)]
    return srt(segments) if form == "srt" else vtt(segments)


def _cues(words: Iterable[Word]) -> Iterator[list[Word]]:
    cue: list[Word] = []
    for word in words:
        if cue and sum(len(each.text) for each in (*cue, word)) > LONGEST_CUE:
            yield cue
            cue = []
        cue.append(word)
        if word.text.rstrip("\"'”’»)]").endswith(_ENDS):
            yield cue
            cue = []
    if cue:
        yield cue


def _segment(cue: Sequence[Word]) -> Segment:
    """Figures of a model that only listened are left at nothing."""
    return Segment(
        seek=0,
        start_s=cue[0].start_s,
        end_s=cue[-1].end_s,
        text="".join(word.text for word in cue),
        tokens=(),
        temperature=0.0,
        avg_logprob=0.0,
        compression_ratio=0.0,
        no_speech_prob=0.0,
        words=tuple(cue),
    )
