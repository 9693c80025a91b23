"""Cutting a stream of audio into windows of at most 30 s, at pauses, as it arrives.

The windower is pure: blocks of samples with their speech probabilities go in, windows come out. It
holds at most one window of audio, so its memory does not grow with the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from myna.audio.activity import FRAME
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples, Window

LONG_PAUSE_S = 3.0
"""Nobody's sentence goes on behind a pause like this."""
_EARLIEST_CUT = 0.5
"""No window is cut before its middle."""
_KEPT_PAUSE = 31
"""Frames (1 s) of a pause that stay with the speech at its sides where a window is cut in it."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """Where windows begin and end."""

    threshold: float = 0.5
    """A frame at least this likely starts speech; 0.15 less keeps it going, as in Silero."""
    lead_s: float = 1.0
    """Audio kept before the first speech, so that a soft onset is not lost."""
    tail_s: float = 0.6
    """Audio kept after the last speech."""
    pause_s: float = LONG_PAUSE_S
    """A pause this long ends a window."""
    longest_s: float = 30.0
    """Whisper's window."""
    least_speech_s: float = 0.1
    """A window with less speech than this is dropped as a click."""
    least_window_s: float = 0.0
    """A window shorter than this goes on over a pause of less than `LONG_PAUSE_S`: alone, a single
    word is easily lost."""

    @property
    def keep_threshold(self) -> float:
        """Speech goes on while frames stay above this."""
        return max(self.threshold - 0.15, min(0.01, self.threshold))


class Windower:
    """Blocks in, windows out."""

    def __init__(self, cutting: Cutting) -> None:
        self._cutting = cutting
        self._longest = int(cutting.longest_s * SAMPLE_RATE_HZ) // FRAME
        self._pause = max(1, round(cutting.pause_s * SAMPLE_RATE_HZ / FRAME))
        self._least = int(cutting.least_window_s * SAMPLE_RATE_HZ) // FRAME
        self._long_pause = max(self._pause, round(LONG_PAUSE_S * SAMPLE_RATE_HZ / FRAME))
        self._lead = round(cutting.lead_s * SAMPLE_RATE_HZ / FRAME)
        self._tail = round(cutting.tail_s * SAMPLE_RATE_HZ / FRAME)
        self._frames: list[NDArray[np.float32]] = []
        """Pending audio, one frame each; begins with the open window, or with its possible lead."""
        self._speech: list[bool] = []
        """Whether each pending frame has speech."""
        self._first = 0
        """Index in the recording of the first pending frame."""
        self._open = False
        self._silent = 0
        """Frames without speech at the end of the open window."""
        self._rest: Samples = np.zeros(0, np.float32)

    def feed(self, samples: Samples, probabilities: NDArray[np.float32]) -> list[Window]:
        """Take the next block and the probabilities of the frames that it completed."""
        held = np.concatenate([self._rest, samples])
        whole = len(probabilities) * FRAME
        self._rest = held[whole:]
        found: list[Window] = []
        for frame, probability in zip(
            held[:whole].reshape(-1, FRAME), probabilities.tolist(), strict=True
        ):
            found += self._step(frame, probability)
        return found

    def finish(self, probabilities: NDArray[np.float32]) -> list[Window]:
        """The recording is over; `probabilities` is what its last, incomplete frame came to."""
        left = len(self._rest)
        padded = np.zeros(FRAME * len(probabilities), np.float32)
        padded[:left] = self._rest[: len(padded)]
        self._rest = np.zeros(0, np.float32)
        found = self.feed(padded, probabilities)
        end = self._first * FRAME + len(self._frames) * FRAME - (len(padded) - left)
        if self._open:
            found += self._close(min(len(self._frames), self._spoken_until() + self._tail))
        return [_until(window, end) for window in found]

    @property
    def span(self) -> tuple[int, int] | None:
        """The open window's first frame and the one behind its last speech, counted from the
        recording's beginning; None where nobody has spoken since the last window."""
        return (self._first, self._first + self._spoken_until()) if self._open else None

    @property
    def silent_frames(self) -> int:
        """How long nobody has spoken at the end of the open window."""
        return self._silent if self._open else 0

    def so_far(self) -> Window | None:
        """The open window as it would be if the recording ended now; it stays open. None where that
        is too little speech for a window."""
        found = self._window(min(len(self._frames), self._spoken_until() + self._tail))
        return found[0] if self._open and found else None

    def _step(self, frame: Samples, probability: float) -> list[Window]:
        cutting = self._cutting
        bar = cutting.keep_threshold if self._open and not self._silent else cutting.threshold
        speaks = probability >= bar
        self._frames.append(frame)
        self._speech.append(speaks)
        if not self._open:
            if speaks:
                self._open, self._silent = True, 0
            else:
                self._drop(len(self._frames) - self._lead)
            return []
        self._silent = 0 if speaks else self._silent + 1
        bar = self._pause if len(self._frames) >= self._least else self._long_pause
        if self._silent >= bar:
            return self._close(min(len(self._frames), self._spoken_until() + self._tail))
        if len(self._frames) >= self._longest:
            return self._split()
        return []

    def _spoken_until(self) -> int:
        """Index just behind the last pending frame with speech."""
        return len(self._speech) - self._silent

    def _drop(self, count: int) -> None:
        if count > 0:
            del self._frames[:count]
            del self._speech[:count]
            self._first += count

    def _close(self, end: int) -> list[Window]:
        """End the open window before pending frame `end`; what follows may lead the next one in."""
        found = self._window(end)
        self._drop(max(end, len(self._frames) - self._lead))
        self._open, self._silent = False, 0
        return found

    def _split(self) -> list[Window]:
        """The window is full: cut it at its best pause and go on with the rest."""
        end, resume = self._best_cut()
        found = self._window(end)
        self._drop(resume)
        self._open = any(self._speech)
        self._silent = 0
        if self._open:
            spoken = np.flatnonzero(self._speech)
            self._silent = len(self._speech) - 1 - int(spoken[-1])
        return found

    def _window(self, end: int) -> list[Window]:
        spoken = sum(self._speech[:end]) * FRAME / SAMPLE_RATE_HZ
        if end == 0 or spoken == 0 or spoken < self._cutting.least_speech_s:
            return []
        samples = np.concatenate(self._frames[:end])
        return [Window(samples, self._first * FRAME / SAMPLE_RATE_HZ)]

    def _best_cut(self) -> tuple[int, int]:
        """Where the full window ends, and where the next one starts, in pending frames.

        The longest pause in the window's later half, a later one where two are alike; where nobody
        pauses, the quietest moment.
        """
        earliest = int(len(self._frames) * _EARLIEST_CUT)
        best: tuple[float, int, int] | None = None
        for start, end in _pauses(self._speech):
            if end > earliest and end - start >= 3:
                score = _worth(end - start, start / len(self._frames))
                best = max(best or (score, start, end), (score, start, end))
        if best is None:
            quiet = earliest + _quietest(self._frames[earliest:])
            return quiet, quiet
        _, start, end = best
        middle = (start + end + 1) // 2
        return min(start + _KEPT_PAUSE, middle), max(end - _KEPT_PAUSE, middle)


def _worth(pause_frames: int, position: float) -> float:
    """How good a cut is: Whisper errs less the more it hears at once, so a pause has to be half a
    second longer to be worth a window that is a quarter shorter."""
    return min(pause_frames * FRAME / SAMPLE_RATE_HZ, 0.5) + 2 * position


def _until(window: Window, end: int) -> Window:
    """The window without what lies behind sample `end` of the recording (padding, not audio)."""
    start = round(window.start_s * SAMPLE_RATE_HZ)
    return Window(window.samples[: end - start], window.start_s)


def _pauses(speech: list[bool]) -> Iterator[tuple[int, int]]:
    """Runs of frames without speech, as (first, behind the last)."""
    silent = np.array([0, *(0 if speaks else 1 for speaks in speech), 0])
    edges = np.flatnonzero(np.diff(silent))
    yield from ((int(a), int(b)) for a, b in list(pairwise(edges))[::2])


def _quietest(frames: list[NDArray[np.float32]]) -> int:
    """Index of the quietest frame, smoothed over a fifth of a second."""
    energy = np.array([float(np.mean(frame**2)) for frame in frames])
    smooth = np.convolve(energy, np.ones(7) / 7, mode="same")
    margin = min(3, (len(frames) - 1) // 2)
    return margin + int(np.argmin(smooth[margin : len(frames) - margin]))
