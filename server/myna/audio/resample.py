"""From one sample rate to another, block by block."""

from __future__ import annotations

import av
import numpy as np

from myna.audio.frames import frame_of, samples_of
from myna.engines.contract.samples import Samples


class Resampler:
    """swresample's polyphase filter, kept across blocks, so that joints are not heard.

    Blocks are mono float32 of shape (n,), any n; what comes out is in [-1, 1] unless the rates are
    the same, when blocks pass as they are.
    """

    def __init__(self, source_rate_hz: int, target_rate_hz: int) -> None:
        self._rate_hz = source_rate_hz
        self._taken = 0
        same = source_rate_hz == target_rate_hz
        self._native = (
            None if same else av.AudioResampler(format="flt", layout="mono", rate=target_rate_hz)
        )

    def push(self, samples: Samples) -> Samples:
        """What is ready once the filter has taken a block."""
        if self._native is None or not len(samples):
            return samples
        frame = frame_of(samples, self._rate_hz, self._taken)
        self._taken += len(samples)
        return _within_bounds(self._native.resample(frame))

    def flush(self) -> Samples:
        """What the filter still holds, so that the length comes out right."""
        native, self._native = self._native, None
        if native is None or not self._taken:
            return np.zeros(0, np.float32)
        return _within_bounds(native.resample(None))


def _within_bounds(frames: list[av.AudioFrame]) -> Samples:
    return np.clip(samples_of(frames), -1.0, 1.0)  # the filter overshoots at steep edges
