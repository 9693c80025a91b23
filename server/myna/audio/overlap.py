"""Windows of one length that overlap, cut from audio as it arrives. Pure."""

from __future__ import annotations

import numpy as np

from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples, Window


class OverlappingWindows:
    """Blocks in, windows out; holds less than a window and a block."""

    def __init__(self, window_s: float, step_s: float) -> None:
        """A window of `window_s` begins every `step_s`, the last one is as long as what is left."""
        self._length = round(window_s * SAMPLE_RATE_HZ)
        self._step = round(step_s * SAMPLE_RATE_HZ)
        self._held: Samples = np.zeros(0, np.float32)
        self._first = 0
        """Sample of the recording that `_held` begins with."""
        self._covered = 0
        """Samples that are in some window."""

    def feed(self, samples: Samples) -> list[Window]:
        """Take the next block; the windows that it completed."""
        self._held = np.concatenate([self._held, samples])
        found: list[Window] = []
        while len(self._held) >= self._length:
            found.append(self._window())
            self._held = self._held[self._step :].copy()
            self._first += self._step
        return found

    def finish(self) -> list[Window]:
        """The recording is over: the last window, unless all of its audio is in others already."""
        if self._first + len(self._held) <= self._covered:
            return []
        return [self._window()]

    def _window(self) -> Window:
        samples = self._held[: self._length]
        self._covered = self._first + len(samples)
        return Window(samples, self._first / SAMPLE_RATE_HZ)
