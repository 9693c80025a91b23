"""The speakers of one recording: at its end from everything, or live from what came so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.diarizer import SpeakerOptions, Voiceprint
from myna.engines.contract.samples import SAMPLE_RATE_HZ
from myna.engines.diarizer.clustering import SAME, Prints, cluster, nearest, needed, recognised
from myna.engines.diarizer.frames import STEP_FRAMES, STEP_SAMPLES, WINDOW_FRAMES, seconds
from myna.engines.diarizer.hearing import HeardWindow
from myna.engines.diarizer.turns import joined, turns_in
from myna.text.transcript import Turn

LONGEST_S = 2 * 3600.0
"""Average linkage needs memory by the square of the chunks; what comes later in a recording is told
apart by the live rule."""
_FIRST_WINDOWS = 12
"""What a live following clusters before it tells anything: a minute."""
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
        speakers = Speakers(self._options)
        known = round(LONGEST_S * SAMPLE_RATE_HZ / STEP_SAMPLES)
        labels = speakers.meet(self._windows[:known])
        labels += [speakers.labels(window) for window in self._windows[known:]]
        assembly = Assembly()
        for window, spoken in zip(self._windows, labels, strict=True):
            self._turns += assembly.add(window, spoken)
        self._turns = joined([*self._turns, *assembly.rest()])
        self.settled_s = float("inf")

    def take(self) -> Sequence[Turn]:
        """All turns, once it is finished."""
        taken, self._turns = self._turns, []
        return taken


class Live:
    """Tells turns as windows come. A speaker that was told is never renamed.

    The first minute is clustered as a whole, since people who greet each other say too little to be
    known by; a recording that is no longer gets the turns that `Whole` would tell.
    """

    def __init__(self, options: SpeakerOptions) -> None:
        self.settled_s = 0.0
        self._speakers = Speakers(options)
        self._assembly = Assembly()
        self._first: list[HeardWindow] | None = []
        """The windows of the first minute, until they are clustered."""
        self._turns: list[Turn] = []

    def add(self, heard: HeardWindow) -> None:
        """Take the next window."""
        if self._first is None:
            self._tell(heard, self._speakers.labels(heard))
            return
        self._first.append(heard)
        if len(self._first) >= _FIRST_WINDOWS:
            self._begin(self._first)

    def finish(self) -> None:
        """Tell the last window's second half too."""
        if self._first is not None:
            self._begin(self._first)
        self._turns += self._assembly.rest()
        self.settled_s = float("inf")

    def take(self) -> Sequence[Turn]:
        """Turns that have settled since the last call."""
        taken, self._turns = joined(self._turns), []
        return taken

    def _begin(self, windows: list[HeardWindow]) -> None:
        self._first = None
        for window, labels in zip(windows, self._speakers.meet(windows), strict=True):
            self._tell(window, labels)

    def _tell(self, window: HeardWindow, labels: Labels) -> None:
        self._turns += self._assembly.add(window, labels)
        self.settled_s = self._assembly.settled_s


class Speakers:
    """Speakers met so far. Those of the known ones come first, then everybody else."""

    def __init__(self, options: SpeakerOptions) -> None:
        self._options = options
        self._sums: list[Voiceprint] = [
            one.print * np.float32(_REFERENCE_S) for one in options.known
        ]
        self._met: set[int] = set()

    def meet(self, windows: Sequence[HeardWindow]) -> list[Labels]:
        """A speaker for each chunk of the recording's first windows, from all of them together."""
        chunks = [one for window in windows for one in window.chunks if one.print is not None]
        if not chunks:
            return [np.full(len(window.chunks), -1, np.intp) for window in windows]
        prints = np.stack([one.print for one in chunks if one.print is not None])
        clean_s = np.array([one.chunk.clean_s for one in chunks])
        centroids = cluster(prints, clean_s, self._options)
        told = [window.narrow for window in windows if window.chunks]
        numbers = self._numbers(centroids, narrow=2 * sum(told) > len(told))
        nearest_to = nearest(prints, centroids)
        for place, number in enumerate(numbers):
            weight = np.float32(clean_s[nearest_to == place].sum())
            self._sums[number] += centroids[place] * weight
        self._met.update(numbers)
        flat = iter(nearest_to.tolist())
        return [
            np.array(
                [-1 if one.print is None else numbers[next(flat)] for one in window.chunks],
                np.intp,
            )
            for window in windows
        ]

    def _numbers(self, centroids: Prints, *, narrow: bool) -> list[int]:
        """The number of each speaker: a known one's place, or the next behind all others."""
        matches = recognised(centroids, self._options.known, narrow=narrow)
        numbers: list[int] = []
        for place in range(len(centroids)):
            if place not in matches:
                matches[place] = len(self._sums)
                self._sums.append(np.zeros_like(centroids[place]))
            numbers.append(matches[place])
        return numbers

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
                found[place] = self._label(one.print, one.chunk.clean_s, narrow=window.narrow)
        return found

    def _label(self, print_: Voiceprint, clean_s: float, *, narrow: bool) -> int:
        speaker, alike = self._nearest(print_, range(len(self._sums)))
        if self._is_stranger(speaker, alike, narrow=narrow):
            speaker, alike = self._nearest(print_, sorted(self._met))
        full = self._options.most is not None and len(self._met) >= self._options.most
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

    def _is_stranger(self, speaker: int, alike: float, *, narrow: bool) -> bool:
        """Whether it is a known speaker who has not been met, and this is not like them enough."""
        known = self._options.known
        unmet = 0 <= speaker < len(known) and speaker not in self._met
        return unmet and alike < needed(known[speaker], narrow=narrow)

    def _nearest(self, print_: Voiceprint, among: Sequence[int]) -> tuple[int, float]:
        """The speaker most alike, -1 where there is none to choose from."""
        if not among:
            return -1, -1.0
        voices = np.stack([self._sums[one] for one in among])
        alike = voices @ print_ / np.linalg.norm(voices, axis=1)
        best = int(alike.argmax())
        return among[best], float(alike[best])
