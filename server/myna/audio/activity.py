"""Voice activity, frame by frame: what is asked of whoever finds it, and a stand-in."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.samples import Samples

FRAME = 512
"""Samples that one speech probability stands for: 32 ms at 16 kHz, as Silero was trained."""


class SpeechProbabilities(Protocol):
    """How likely it is that somebody speaks, frame by frame, over blocks that arrive in order."""

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """One value per complete frame of what has been given so far."""
        ...

    def flush(self) -> NDArray[np.float32]:
        """The value of the last, incomplete frame, if there is one."""
        ...


class AnySound:
    """Stands in for voice activity where that is off: all but digital silence counts."""

    def __init__(self, floor_dbfs: float = -60.0) -> None:
        self._floor = 10 ** (floor_dbfs / 20)
        self._rest: Samples = np.zeros(0, np.float32)

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """1.0 for a frame whose RMS is above the floor, else 0.0."""
        held = np.concatenate([self._rest, samples])
        whole = len(held) // FRAME * FRAME
        self._rest = held[whole:]
        rms = np.sqrt(np.mean(held[:whole].reshape(-1, FRAME) ** 2, axis=1))
        return (rms > self._floor).astype(np.float32)

    def flush(self) -> NDArray[np.float32]:
        """The value of what is left over."""
        if len(self._rest) == 0:
            return np.zeros(0, np.float32)
        return self.probabilities(np.zeros(FRAME - len(self._rest), np.float32))
