"""What Whisper hears: log-mel features, as openai/whisper's `audio.py` computes them."""

from __future__ import annotations

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples
from myna.engines.whisper.windowing import FRAMES_PER_S

_HOP = SAMPLE_RATE_HZ // FRAMES_PER_S
"""Samples from one frame to the next."""
_LENGTH = 400
"""Of what a frame sees, half of it on either side of its time."""
_BLOCK = 256
"""Frames at a time: what they come to stays in the cache, and a minute of audio takes no more
memory than a second."""
_LEAST = 1e-10
_RANGE = 8.0
"""Powers of ten below the loudest; what is quieter counts as so quiet."""


class LogMel:
    """Features with so many bands. Any number of threads may use it."""

    def __init__(self, bands: int) -> None:
        filters = FeatureExtractor.get_mel_filters(SAMPLE_RATE_HZ, _LENGTH, bands)
        self._filters = np.ascontiguousarray(filters.T, np.float32)
        self._window = np.hanning(_LENGTH + 1)[:-1].astype(np.float32)

    def features(self, samples: Samples, frames: int) -> NDArray[np.float32]:
        """So many frames, shape (bands, frames), the samples followed by as much silence as that
        takes."""
        # Silence is put behind the audio, not behind its features: zeros there are a sound that the
        # model has never heard, and the error rate shows it.
        heard = np.zeros(frames * _HOP + _LENGTH, np.float32)
        edge = _LENGTH // 2
        held = samples[: frames * _HOP]
        heard[edge : edge + len(held)] = held
        heard[:edge] = heard[2 * edge : edge : -1]
        seen = sliding_window_view(heard, _LENGTH)[: frames * _HOP : _HOP]
        made = np.empty((frames, self._filters.shape[1]), np.float32)
        for begin in range(0, frames, _BLOCK):
            spectrum = np.fft.rfft(seen[begin : begin + _BLOCK] * self._window)
            power = np.square(spectrum.real) + np.square(spectrum.imag)
            np.matmul(power, self._filters, out=made[begin : begin + _BLOCK])
        np.log10(np.maximum(made, _LEAST, out=made), out=made)
        np.maximum(made, made.max() - np.float32(_RANGE), out=made)
        made += 4.0
        made /= 4.0
        return np.ascontiguousarray(made.T)
