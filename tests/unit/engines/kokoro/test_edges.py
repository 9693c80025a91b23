"""The silence around what Kokoro makes."""

from __future__ import annotations

import numpy as np
import pytest

from myna.engines.kokoro.edges import AFTER_S, FADE_S, MARGIN_S, trimmed

RATE_HZ = 24_000


def tone(seconds: float, level: float = 0.3) -> np.ndarray:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (level * np.sin(2 * np.pi * 200 * at)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@pytest.mark.parametrize("before", [0.0, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("after", [0.0, 0.01, 0.5, 1.0])
def test_silence_at_both_ends_is_cut_but_for_a_margin(before: float, after: float) -> None:
    made = trimmed(np.concatenate([silence(before), tone(1.0), silence(after)]), RATE_HZ)
    kept = 1.0 + min(before, MARGIN_S) + min(after, MARGIN_S)
    assert len(made) / RATE_HZ == pytest.approx(kept, abs=0.025)
    assert made.dtype == np.float32


def test_silence_inside_stays() -> None:
    made = trimmed(np.concatenate([tone(0.5), silence(0.7), tone(0.5)]), RATE_HZ)
    assert len(made) / RATE_HZ == pytest.approx(1.7, abs=0.02)


def test_both_ends_come_out_of_nothing() -> None:
    source = np.full(RATE_HZ, 0.5, np.float32)
    made = trimmed(source, RATE_HZ)
    assert abs(made[0]) < 0.01
    assert abs(made[-1]) < 0.01
    assert np.abs(np.diff(made)).max() < 0.01
    fade = round(FADE_S * RATE_HZ)
    assert (made[fade:-fade] == 0.5).all()
    assert (source == 0.5).all(), "what was given is left alone"


def test_a_soft_consonant_at_the_end_is_speech_and_a_long_breath_is_not() -> None:
    quiet = tone(1.0, 0.3 * 10 ** (-35 / 20))
    consonant = trimmed(np.concatenate([tone(1.0), quiet[: RATE_HZ // 10]]), RATE_HZ)
    breath = trimmed(np.concatenate([tone(1.0), quiet]), RATE_HZ)
    assert len(consonant) / RATE_HZ == pytest.approx(1.1, abs=0.02)
    assert len(breath) / RATE_HZ == pytest.approx(1.0 + AFTER_S, abs=0.02)


@pytest.mark.parametrize("samples", [silence(0.0), silence(1.0)])
def test_of_silence_nothing_is_left(samples: np.ndarray) -> None:
    assert len(trimmed(samples, RATE_HZ)) == 0
