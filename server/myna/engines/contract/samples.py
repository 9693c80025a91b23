"""The audio that engines take and give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
"""Rate of all audio that an engine listens to."""

Samples = NDArray[np.float32]
"""Mono audio, shape (n_samples,), float32 in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of audio that an engine listens to in one go: at most 30 s."""

    samples: Samples
    """Shape (n_samples,), 16 kHz."""
    start_s: float
    """Where it begins in the request's audio, in seconds."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ
