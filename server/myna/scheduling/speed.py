"""How fast an engine works, from what it has done lately."""

from __future__ import annotations

import time
from collections.abc import Callable

_MEMORY_S = 60.0
"""Busy seconds after which what was measured counts half."""


class Speedometer:
    """Audio-seconds done for each second with work to do. Idle time does not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running = 0
        self._since_s = 0.0
        self._busy_s = 0.0
        self._done_s = 0.0

    def begin(self) -> None:
        """A batch starts."""
        self._tick()
        self._running += 1

    def end(self, audio_s: float) -> None:
        """A batch of that much audio has ended."""
        self._tick()
        self._running -= 1
        self._done_s += audio_s
        if self._busy_s > _MEMORY_S:
            self._busy_s /= 2
            self._done_s /= 2

    def rate(self) -> float | None:
        """Audio-seconds a second; None before the first batch has ended."""
        if not self._done_s or not self._busy_s:
            return None
        return self._done_s / self._busy_s

    def _tick(self) -> None:
        now_s = self._clock()
        if self._running:
            self._busy_s += now_s - self._since_s
        self._since_s = now_s
