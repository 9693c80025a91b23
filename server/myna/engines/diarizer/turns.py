"""From chunks with a speaker each back to turns. Pure.

Every frame is covered by two windows at most. How many people are heard in it is the mean of what
the windows say; who they are is voted by the chunks that are active in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from myna.engines.diarizer.chunks import runs
from myna.engines.diarizer.frames import WINDOW_FRAMES, seconds
from myna.engines.diarizer.hearing import HeardWindow
from myna.text.transcript import Turn

_AT_ONCE = 2
"""The most speakers that a frame is given to: the segmentation network knows no more."""
_GAP_S = 0.5
"""Pauses of one speaker up to this are part of the turn."""


def turns_in(
    first: int, covering: Sequence[tuple[int, HeardWindow, NDArray[np.intp]]], length: int
) -> list[Turn]:
    """Turns in the `length` frames from frame `first` of the recording on, by their start.

    `covering` are the windows that reach into them: each one's first frame, what was heard, and the
    speaker of each of its chunks, -1 for none.
    """
    speakers = sorted({int(one) for _, _, labels in covering for one in labels if one >= 0})
    if not speakers:
        return []
    votes = np.zeros((length, len(speakers)), np.float32)
    counts, windows = np.zeros(length), np.zeros(length)
    for start, window, labels in covering:
        inside = slice(max(first - start, 0), min(first - start + length, WINDOW_FRAMES))
        place = slice(start + inside.start - first, start + inside.stop - first)
        counts[place] += window.activity[inside].sum(axis=1)
        windows[place] += 1
        for one, speaker in zip(window.chunks, labels.tolist(), strict=True):
            if speaker >= 0:
                votes[place, speakers.index(speaker)] += one.chunk.active[inside]
    return _elected(first, speakers, votes, counts / np.maximum(windows, 1))


def joined(pieces: Iterable[Turn]) -> list[Turn]:
    """Turns of one speaker with short pauses between them become one; by their start."""
    last: dict[int, Turn] = {}
    found: list[Turn] = []
    for turn in sorted(pieces, key=lambda piece: piece.start_s):
        before = last.get(turn.speaker)
        if before is not None and turn.start_s - before.end_s <= _GAP_S:
            last[turn.speaker] = Turn(before.start_s, max(before.end_s, turn.end_s), turn.speaker)
        else:
            found += [] if before is None else [before]
            last[turn.speaker] = turn
    return sorted([*found, *last.values()], key=lambda turn: (turn.start_s, turn.speaker))


def _elected(
    first: int, speakers: list[int], votes: NDArray[np.float32], counts: NDArray[np.float64]
) -> list[Turn]:
    wanted = np.minimum(np.rint(counts), _AT_ONCE)
    order = np.argsort(-votes, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(speakers))[np.newaxis], axis=1)
    chosen = (rank < wanted[:, np.newaxis]) & (votes > 0)
    found = [
        Turn(seconds(first + start), seconds(first + end), speaker)
        for column, speaker in enumerate(speakers)
        for start, end in runs(chosen[:, column])
    ]
    return sorted(found, key=lambda turn: turn.start_s)
