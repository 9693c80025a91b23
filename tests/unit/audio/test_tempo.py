from __future__ import annotations

import math

import numpy as np
import pytest

from myna.audio.tempo import hastened

RATE_HZ = 22_050


@pytest.mark.parametrize("tempo", [1.15, 1.7, 2.5])
def test_hastened_sound_is_shorter_and_keeps_its_pitch(tempo: float) -> None:
    at = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = (0.5 * np.sin(2 * math.pi * 200 * at)).astype(np.float32)
    fast = hastened(tone, RATE_HZ, tempo)
    assert len(fast) == pytest.approx(len(tone) / tempo, rel=0.03)
    spectrum = np.abs(np.fft.rfft(fast * np.hanning(len(fast))))
    assert np.argmax(spectrum) * RATE_HZ / len(fast) == pytest.approx(200, abs=5)


def test_sound_at_its_own_tempo_is_left_as_it_is() -> None:
    samples = np.ones(100, np.float32)
    assert hastened(samples, RATE_HZ, 1.0) is samples
    assert len(hastened(samples[:0], RATE_HZ, 2.0)) == 0
