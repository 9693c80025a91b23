"""The speakers of one recording: at its end from everything, or live from what came so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract import SpeakerOptions, Voiceprint
from myna.engines.diarizer.clustering import SAME, Prints, cluster, nearest, recognised
from myna.engines.diarizer.frames import STEP_FRAMES, STEP_SAMPLES, WINDOW_FRAMES, seconds
from myna.engines.diarizer.hearing import HeardWindow
from myna.engines.diarizer.turns import joined, turns_in
from myna.text.transcript import Turn

LONGEST_S = 2 * 3600.0
"""Average linkage needs memory by the square of the chunks; longer recordings are told apart by the
live rule."""
_OPENING_S = 1.0
"""Clean speech with which an unknown voice becomes a speaker."""
_REFERENCE_S = 4.0
"""What a known speaker's reference weighs against chunks that join it, in seconds of speech."""

Labels = NDArray[np.intp]
"""The speaker of each chunk of a window, -1 where its voice could not be heard."""


class Assembly:
    """Windows with labels in, settled turns out."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, HeardWindow, Labels]] = deque(maxlen=2)
        self._count = 0

    def add(self, window: HeardWindow, labels: Labels) -> list[Turn]:
        """The turns of the step that no later window covers."""
        first = self._count * STEP_FRAMES
        self._recent.append((first, window, labels))
        self._count += 1
        return turns_in(first, tuple(self._recent), STEP_FRAMES)

    def rest(self) -> list[Turn]:
        """What the last window alone covers."""
        if not self._recent:
            return []
        first = self._count * STEP_FRAMES
        return turns_in(first, (self._recent[-1],), WINDOW_FRAMES - STEP_FRAMES)

    @property
    def settled_s(self) -> float:
        """Up to where the turns are told."""
        return seconds(self._count * STEP_FRAMES)


class Whole:
    """Keeps what was heard, and tells everything at the end."""

    def __init__(self, options: SpeakerOptions) -> None:
        self.settled_s = 0.0
        self._options = options
        self._windows: list[HeardWindow] = []
        self._turns: list[Turn] = []

    def add(self, heard: HeardWindow) -> None:
        """Take the next window."""
        self._windows.append(heard)

    def finish(self) -> None:
        """Cluster all chunks."""
        if len(self._windows) * STEP_SAMPLES / 16_000 > LONGEST_S:
            labels = self._by_the_live_rule()
        else:
            labels = self._clustered()
        assembly = Assembly()
        for window, speakers in zip(self._windows, labels, strict=True):
            self._turns += assembly.add(window, speakers)
        self._turns = joined([*self._turns, *assembly.rest()])
        self.settled_s = float("inf")

    def take(self) -> Sequence[Turn]:
        """All turns, once it is finished."""
        taken, self._turns = self._turns, []
        return taken

    def _by_the_live_rule(self) -> list[Labels]:
        speakers = Speakers(self._options)
        return [speakers.labels(window) for window in self._windows]

    def _clustered(self) -> list[Labels]:
        chunks = [chunk for window in self._windows for chunk in window.chunks]
        prints = [chunk.print for chunk in chunks if chunk.print is not None]
        if not prints:
            return [np.full(len(window.chunks), -1, np.intp) for window in self._windows]
        clean_s = [chunk.chunk.clean_s for chunk in chunks if chunk.print is not None]
        stacked = np.stack(prints)
        centroids = cluster(stacked, np.array(clean_s), self._options)
        numbers = _numbers(centroids, self._options)
        flat = iter(numbers[nearest(stacked, centroids)].tolist())
        return [
            np.array([-1 if one.print is None else next(flat) for one in window.chunks], np.intp)
            for window in self._windows
        ]


class Live:
    """Tells turns as windows come. A speaker that was told is never renamed."""

    def __init__(self, options: SpeakerOptions) -> None:
        self.settled_s = 0.0
        self._speakers = Speakers(options)
        self._assembly = Assembly()
        self._turns: list[Turn] = []

    def add(self, heard: HeardWindow) -> None:
        """Take the next window."""
        self._turns += self._assembly.add(heard, self._speakers.labels(heard))
        self.settled_s = self._assembly.settled_s

    def finish(self) -> None:
        """Tell the last window's second half too."""
        self._turns += self._assembly.rest()
        self.settled_s = float("inf")

    def take(self) -> Sequence[Turn]:
        """Turns that have settled since the last call."""
        taken, self._turns = joined(self._turns), []
        return taken


class Speakers:
    """Speakers met so far, told apart chunk by chunk in order of time."""

    def __init__(self, options: SpeakerOptions) -> None:
        self._sums: list[Voiceprint] = [one * np.float32(_REFERENCE_S) for one in options.known]
        self._met: set[int] = set()
        self._most = options.most

    def labels(self, window: HeardWindow) -> Labels:
        """A speaker for each of the window's chunks.

        The nearest one where it is near enough, a new one where the chunk is long enough for that,
        else the nearest all the same. Only sure chunks change what a speaker is like.
        """
        found = np.full(len(window.chunks), -1, np.intp)
        starts = [int(one.chunk.active.argmax()) for one in window.chunks]
        for place in sorted(range(len(starts)), key=starts.__getitem__):
            one = window.chunks[place]
            if one.print is not None:
                found[place] = self._label(one.print, one.chunk.clean_s)
        return found

    def _label(self, print_: Voiceprint, clean_s: float) -> int:
        speaker, alike = self._nearest(print_, range(len(self._sums)))
        full = self._most is not None and len(self._met) >= self._most
        if alike >= SAME and (speaker in self._met or not full):
            self._sums[speaker] += print_ * np.float32(clean_s)
        elif clean_s >= _OPENING_S and not full:
            speaker = len(self._sums)
            self._sums.append(print_ * np.float32(clean_s))
        else:  # not a known speaker's who has not been met: that would be a guess
            speaker, _ = self._nearest(print_, sorted(self._met))
        if speaker >= 0:
            self._met.add(speaker)
        return speaker

    def _nearest(self, print_: Voiceprint, among: Sequence[int]) -> tuple[int, float]:
        """The speaker most alike, -1 where there is none to choose from."""
        if not among:
            return -1, -1.0
        voices = np.stack([self._sums[one] for one in among])
        alike = voices @ print_ / np.linalg.norm(voices, axis=1)
        best = int(alike.argmax())
        return among[best], float(alike[best])


def _numbers(centroids: Prints, options: SpeakerOptions) -> Labels:
    """The number of each speaker: a known one's place, or one behind all known ones."""
    matches = recognised(centroids, options.known)
    behind = len(options.known)
    return np.array([matches.get(one, behind + one) for one in range(len(centroids))], np.intp)
