"""What a window sounds like, as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from myna.engines.contract.samples import SAMPLE_RATE_HZ
from myna.engines.diarizer.hearing import is_narrow


def hiss(tilt: float) -> np.ndarray:
    """Ten seconds of noise whose power falls with the frequency."""
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(0, 1, 10 * SAMPLE_RATE_HZ))
    frequencies = np.fft.rfftfreq(10 * SAMPLE_RATE_HZ, 1 / SAMPLE_RATE_HZ)
    samples = np.fft.irfft(spectrum * np.maximum(frequencies, 100.0) ** -tilt)
    return (0.1 * samples / np.abs(samples).max()).astype(np.float32)


@pytest.mark.parametrize("tilt", [0.0, 1.0, 1.5])
def test_a_telephone_is_told_from_the_full_band(tilt):
    full = hiss(tilt)
    assert not is_narrow(full)
    slow = soxr.resample(full, SAMPLE_RATE_HZ, 8_000)
    assert is_narrow(soxr.resample(slow, 8_000, SAMPLE_RATE_HZ))


@pytest.mark.parametrize("length", [0, 1, 100, SAMPLE_RATE_HZ])
def test_silence_is_nothing(length):
    assert not is_narrow(np.zeros(length, np.float32))
