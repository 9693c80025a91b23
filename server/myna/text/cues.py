"""Cues of subtitles: segments as srt and vtt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from myna.text.shapes import shown_span_s
from myna.text.transcript import Segment


def srt(segments: Iterable[Segment], *, labels: bool = False) -> str:
    """SubRip. `labels` puts the speaker's name before each cue."""
    cues = [
        f"{number}\n{start.replace('.', ',')} --> {end.replace('.', ',')}\n{text}\n\n"
        for number, (start, end, text) in enumerate(_cues(segments, labels=labels), start=1)
    ]
    # The hosted body has one line feed more than its last cue needs.
    return "".join(cues) + "\n" if cues else ""


def vtt(segments: Iterable[Segment], *, labels: bool = False) -> str:
    """WebVTT. `labels` puts the speaker's name before each cue."""
    cues = _cues(segments, labels=labels)
    return "WEBVTT\n\n" + "".join(f"{start} --> {end}\n{text}\n\n" for start, end, text in cues)


def _cues(segments: Iterable[Segment], *, labels: bool) -> Iterator[tuple[str, str, str]]:
    """Start, end and text of every segment that says something."""
    for segment in segments:
        # An empty line would end the cue, an arrow would start a new one.
        lines = [line.strip() for line in segment.text.splitlines() if line.strip()]
        who = f"{segment.speaker}: " if labels and lines else ""
        text = re.sub("-{2,}>", "->", who + "\n".join(lines))
        if text:
            start_s, end_s = shown_span_s(segment)
            yield _clock(start_s), _clock(end_s), text


def _clock(seconds: float) -> str:
    """HH:MM:SS.mmm; hours grow beyond two digits where they must."""
    total_ms = round(seconds * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{ms // 1000:02d}.{ms % 1000:03d}"
