"""Loudness, measured against tones whose loudness the recommendation gives, and the gain."""

from __future__ import annotations

import numpy as np
import pytest

from myna.audio.loudness import (
    CEILING_DBTP,
    MOST_GAIN_DB,
    Leveller,
    VoiceLoudness,
    held,
    integrated,
    measured,
    true_peak,
)

RATE_HZ = 24_000


def sine(
    seconds: float, dbfs: float = 0.0, hz: float = 997.0, rate_hz: int = RATE_HZ
) -> np.ndarray:
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    return (10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def syllables(seconds: float, level: float = 0.1) -> np.ndarray:
    """Noise in bursts, as peaky as a voice."""
    noise = np.random.default_rng(3).laplace(0, level / 2, round(seconds * RATE_HZ))
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(len(noise)) / RATE_HZ)
    return (noise * swell).astype(np.float32)


def true_peak_db(samples: np.ndarray) -> float:
    return float(20 * np.log10(measured(samples, RATE_HZ).true_peak + 1e-12))


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 48_000])
@pytest.mark.parametrize("dbfs", [-3.0, -20.0, -40.0])
def test_a_sine_of_1_khz_measures_3_db_below_its_peak(rate_hz: int, dbfs: float) -> None:
    """BS.1770-4: a sine of 997 Hz at full scale in one channel is -3.01 LKFS."""
    found = measured(sine(3.0, dbfs, rate_hz=rate_hz), rate_hz)
    assert found.lufs == pytest.approx(dbfs - 3.01, abs=0.1)
    assert 20 * np.log10(found.true_peak) == pytest.approx(dbfs, abs=0.1)


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.39, 0.41])
def test_what_is_shorter_than_a_block_is_measured_all_the_same(seconds: float) -> None:
    assert measured(sine(seconds, -20), RATE_HZ).lufs == pytest.approx(-23, abs=1.0)


def test_silence_around_speech_does_not_count() -> None:
    quiet = np.zeros(2 * RATE_HZ, np.float32)
    around = np.concatenate([quiet, sine(2.0, -20), quiet])
    assert measured(around, RATE_HZ).lufs == pytest.approx(-23, abs=0.8)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(RATE_HZ, np.float32)])
def test_silence_is_left_as_it_is_and_decides_nothing(samples: np.ndarray) -> None:
    leveller = Leveller(-20.0, RATE_HZ)
    assert np.array_equal(leveller.level(samples), samples)
    assert measured(leveller.level(sine(1.0, -30)), RATE_HZ).lufs == pytest.approx(-20, abs=0.2)


@pytest.mark.parametrize("level", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("target", [-24.0, -20.0])
def test_a_first_piece_comes_to_the_target(level: float, target: float) -> None:
    made = Leveller(target, RATE_HZ).level(syllables(3.0, level))
    assert measured(made, RATE_HZ).lufs == pytest.approx(target, abs=0.3)
    assert made.dtype == np.float32


def test_the_first_piece_decides_and_later_ones_keep_their_distance_to_it() -> None:
    leveller = Leveller(-20.0, RATE_HZ)
    first, softer = leveller.level(sine(1.0, -30)), leveller.level(sine(1.0, -36))
    assert measured(first, RATE_HZ).lufs == pytest.approx(-20, abs=0.1)
    assert measured(softer, RATE_HZ).lufs == pytest.approx(-26, abs=0.1)
    assert np.allclose(softer, sine(1.0, -36) * (first[10] / sine(1.0, -30)[10]), atol=1e-6)


def test_near_silence_is_not_blown_up() -> None:
    made = Leveller(-20.0, RATE_HZ).level(sine(1.0, -50))
    assert measured(made, RATE_HZ).lufs == pytest.approx(-53 + MOST_GAIN_DB, abs=0.2)


@pytest.mark.parametrize("hz", [997.0, 6_000.0, 7_919.0])
def test_true_peaks_stay_below_the_ceiling_even_between_samples(hz: float) -> None:
    at = np.arange(RATE_HZ) / RATE_HZ
    loud = (1.4 * np.sin(2 * np.pi * hz * at + np.pi / 4)).astype(np.float32)
    assert true_peak_db(loud) > 1
    made = held(loud, RATE_HZ)
    assert 20 * np.log10(between_samples(made).max()) <= CEILING_DBTP + 0.1
    assert len(made) == len(loud)


@pytest.mark.parametrize("where", [0, 1, 400, RATE_HZ // 2, RATE_HZ - 2, RATE_HZ - 1])
def test_a_peak_is_turned_down_and_nothing_from_60_ms_away_of_it(where: int) -> None:
    said = sine(1.0, -20)
    said[where] = 1.5
    made = held(said, RATE_HZ)
    assert true_peak(made) <= 10 ** (CEILING_DBTP / 20) * 1.0001
    away = np.abs(np.arange(RATE_HZ) - where) > 0.06 * RATE_HZ
    assert np.array_equal(made[away], said[away])
    assert (np.abs(made) <= np.abs(said)).all()


def test_the_gain_around_a_peak_moves_without_steps() -> None:
    said = np.full(RATE_HZ, 0.25, np.float32)
    said[RATE_HZ // 2] = said[RATE_HZ // 2 + 300] = 1.8
    gains = held(said, RATE_HZ) / said
    fastest = (1 - gains.min()) / (0.005 * RATE_HZ)
    assert np.abs(np.diff(gains)).max() <= fastest * 1.05


def test_a_whole_piece_that_is_too_loud_is_held() -> None:
    made = held(syllables(2.0, 1.0), RATE_HZ)
    assert true_peak(made) <= 10 ** (CEILING_DBTP / 20) * 1.0001


def between_samples(samples: np.ndarray) -> np.ndarray:
    """The curve through the samples at eight points to each, by the Fourier transform; without the
    ends, where that takes the sound to go round."""
    spectrum = np.fft.rfft(samples)
    padded = np.zeros(4 * len(samples) + 1, complex)
    padded[: len(spectrum)] = spectrum
    return np.abs(8 * np.fft.irfft(padded, 8 * len(samples)))[800:-800]


@pytest.mark.parametrize("hz", [100.0, 997.0, 4_321.0, 6_500.0])
@pytest.mark.parametrize("phase", [0.0, 0.4, 0.8])
def test_a_true_peak_is_found_between_samples(hz: float, phase: float) -> None:
    at = np.arange(RATE_HZ) / RATE_HZ
    swell = np.hanning(RATE_HZ)
    said = (0.9 * swell * np.sin(2 * np.pi * hz * at + phase)).astype(np.float32)
    found, curve = true_peak(said), between_samples(said).max()
    assert 20 * np.log10(found) == pytest.approx(20 * np.log10(curve), abs=0.15)


def test_the_true_peak_of_nothing_is_zero() -> None:
    assert true_peak(np.zeros(0, np.float32)) == 0
    assert true_peak(np.full(10, 0.25, np.float32)) == 0.25


def test_loudness_alone_is_the_same_as_with_the_peak() -> None:
    said = syllables(2.0)
    assert integrated(said, RATE_HZ) == measured(said, RATE_HZ).lufs


def test_a_voice_is_known_by_a_second_of_it_and_what_was_last_said_counts() -> None:
    voice = VoiceLoudness()
    assert voice.lufs is None
    voice.hear(-30, 0.7)
    assert voice.lufs is None, "it may be one loud word"
    voice.hear(-30, 0.7)
    assert voice.lufs == pytest.approx(-30)
    for _ in range(50):
        voice.hear(-20, 5)
    assert voice.lufs == pytest.approx(-20, abs=0.1)


def test_a_beginning_is_judged_by_its_voice_and_is_not_measured() -> None:
    voice = VoiceLoudness()
    Leveller(-20.0, RATE_HZ, voice=voice).level(sine(2.0, -27))  # -30 LUFS
    leveller = Leveller(-20.0, RATE_HZ, voice=voice)
    loud = sine(0.4, -24)
    beginning = leveller.level(loud, beginning=True)
    assert np.allclose(beginning, loud * 10 ** (10 / 20), atol=1e-3)
    assert voice.lufs == pytest.approx(-30, abs=0.1)
    assert np.allclose(leveller.level(loud), beginning), "the gain is that of the stream"


def test_a_loud_later_piece_is_held_and_the_rest_of_it_is_as_it_was() -> None:
    leveller = Leveller(-20.0, RATE_HZ)
    leveller.level(sine(1.0, -37))  # the gain is 20 dB
    said = sine(1.0, -37)
    said[RATE_HZ // 2] = 0.5
    made = leveller.level(said)
    assert true_peak_db(made) <= CEILING_DBTP + 0.1
    calm = slice(0, RATE_HZ // 2 - RATE_HZ // 50)
    assert np.allclose(made[calm], said[calm] * 10, atol=1e-3)


def test_without_a_target_only_the_manners_gain_is_applied() -> None:
    said = syllables(1.0)
    assert np.array_equal(Leveller(None, RATE_HZ).level(said), said)
    assert np.allclose(Leveller(None, RATE_HZ, gain_db=-20.0).level(said), said / 10, atol=1e-6)


def test_the_manners_gain_comes_on_top_of_the_target() -> None:
    made = Leveller(-20.0, RATE_HZ, gain_db=-9.0).level(sine(1.0, -12))
    assert measured(made, RATE_HZ).lufs == pytest.approx(-29, abs=0.1)
