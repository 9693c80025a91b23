"""A window's local speakers, cut into chunks of about two seconds. Pure.

Two similar voices often share one local speaker of the segmentation network; chunks that are
labelled each by itself undo that. Of all that was tried this gained most: half of the errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from myna.engines.diarizer.frames import FRAME_S, frames
from myna.engines.diarizer.segmentation import Activity

CHUNK = frames(2.0)
"""About how many frames a chunk spans. 1.5 s is as good, 3 s a little worse."""
_JOIN = frames(0.3)
"""Runs with a shorter gap become one chunk while that stays short."""
_CLEAN = frames(0.5)
"""With fewer frames without overlap, a chunk is heard with all its frames."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of one local speaker."""

    active: NDArray[np.bool_]
    """Frames of the window in which the speaker is heard here."""
    clean: NDArray[np.bool_]
    """Those of them in which nobody else is."""

    @property
    def clean_s(self) -> float:
        """Seconds that may stand for the speaker's voice."""
        return float(self.clean.sum()) * FRAME_S

    @property
    def heard(self) -> NDArray[np.bool_]:
        """Frames whose sound its voiceprint is taken from."""
        return self.clean if self.clean.sum() >= _CLEAN else self.active


def chunks(activity: Activity) -> list[Chunk]:
    """All local speakers' chunks, speaker by speaker, each in order of time."""
    alone = activity.sum(axis=1) == 1
    found: list[Chunk] = []
    for track in activity.T:
        for start, end in _spans(track):
            active = np.zeros(len(track), np.bool_)
            active[start:end] = track[start:end]
            found.append(Chunk(active, active & alone))
    return found


def runs(track: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Stretches of true values, as (first, behind the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], track.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _spans(track: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Long runs cut evenly, short ones joined over small gaps."""
    spans: list[tuple[int, int]] = []
    for start, end in runs(track):
        pieces = max(1, round((end - start) / CHUNK))
        cuts = np.linspace(start, end, pieces + 1).round().astype(int).tolist()
        for first, behind in pairwise(cuts):
            near = spans and first - spans[-1][1] < _JOIN and behind - spans[-1][0] <= CHUNK
            if near:
                spans[-1] = (spans[-1][0], behind)
            else:
                spans.append((first, behind))
    return spans
