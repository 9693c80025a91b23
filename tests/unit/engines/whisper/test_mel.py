"""Log-mel features are those that Whisper was trained on."""

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from myna.engines.whisper.mel import LogMel

RATE_HZ = 16_000


def sound(seconds: float) -> np.ndarray:
    numbers = np.random.default_rng(0).normal(size=round(seconds * RATE_HZ))
    return (0.1 * numbers * np.sin(np.arange(len(numbers)) / 3000)).astype(np.float32)


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize(("seconds", "frames"), [(0.01, 800), (7.3, 800), (11.0, 1200), (30, 3000)])
def test_they_are_what_the_library_computes(bands, seconds, frames):
    samples = sound(seconds)
    padded = np.pad(samples, (0, frames * 160 - len(samples)))
    known = FeatureExtractor(feature_size=bands)(padded)[:, :frames]
    found = LogMel(bands).features(samples, frames)
    assert found.shape == (bands, frames)
    assert found.dtype == np.float32
    assert np.abs(found - known).max() < 1e-5


def test_what_does_not_fit_is_left_out():
    mel = LogMel(80)
    assert np.array_equal(mel.features(sound(9), 800), mel.features(sound(9)[: 8 * RATE_HZ], 800))


def test_silence_and_nothing_are_the_same_and_have_no_features_of_their_own():
    silent = LogMel(80).features(np.zeros(RATE_HZ, np.float32), 800)
    assert np.array_equal(silent, LogMel(80).features(np.zeros(0, np.float32), 800))
    assert np.ptp(silent) == 0
    assert np.isfinite(silent).all()


def test_the_samples_are_left_as_they_are():
    samples = sound(3)
    before = samples.copy()
    LogMel(80).features(samples, 800)
    assert np.array_equal(samples, before)
