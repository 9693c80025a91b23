"""Stretches of speech joined: made-up ones, whose every sample is known."""

from __future__ import annotations

import numpy as np
import pytest

from myna.audio.joints import AFTER_S, FADE_S, MARGIN_S, PAUSES_S, joined, trimmed
from myna.engines.contract.synthesizer import Ending, Stretch
from myna.text.transcript import Word

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


# Joints


def burst(around_s: float = 0.3, seconds: float = 0.5) -> np.ndarray:
    """Speech as a network makes it, with silence of its own on both sides."""
    return np.concatenate([silence(around_s), tone(seconds), silence(around_s)])


def longest_silence_s(samples: np.ndarray) -> float:
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return float(np.diff(loud).max()) / RATE_HZ


@pytest.mark.parametrize("ending", ["sentence", "clause", "word"])
@pytest.mark.parametrize("around_s", [0.0, 0.03, 0.3, 1.0])
def test_the_pause_is_that_of_the_mark_whatever_silence_the_network_left(
    ending: Ending, around_s: float
) -> None:
    made = joined([Stretch(burst(around_s), ending), Stretch(burst(around_s))], RATE_HZ)
    kept_s = 2 * min(around_s, MARGIN_S)
    assert longest_silence_s(made.samples) == pytest.approx(PAUSES_S[ending] + kept_s, abs=0.025)


@pytest.mark.parametrize(("speed", "pauses"), [(0.5, 1.0), (2.0, 1.0), (1.0, 3.0), (2.0, 2.0)])
def test_pauses_follow_speed_and_manner(speed: float, pauses: float) -> None:
    made = joined([Stretch(burst()), Stretch(burst())], RATE_HZ, speed=speed, pauses=pauses)
    wanted_s = PAUSES_S["sentence"] * pauses / speed + 2 * MARGIN_S
    assert longest_silence_s(made.samples) == pytest.approx(wanted_s, abs=0.025)


@pytest.mark.parametrize("ending", ["sentence", "clause", "word"])
def test_a_joint_of_steps_does_not_click(ending: Ending) -> None:
    """The worst there is: both sides end and begin at once, far from zero."""
    steps = [Stretch(np.full(RATE_HZ // 2, level, np.float32), ending) for level in (0.8, -0.8)]
    made = joined(steps, RATE_HZ).samples
    assert np.abs(np.diff(made)).max() < 0.8 / (FADE_S * RATE_HZ) * 1.05
    at = RATE_HZ // 2
    above_4_khz = np.abs(np.fft.rfft(made[at - 1200 : at + 1200] * np.hanning(2400)))[400:]
    assert 20 * np.log10(above_4_khz.max() / 1200) < -60


def test_nothing_of_what_is_said_is_swallowed() -> None:
    parts = [tone(0.3, level) for level in (0.3, 0.1, 0.3 * 10 ** (-25 / 20))]
    loud = np.concatenate([silence(0.1), *parts, silence(0.1)])
    made = joined([Stretch(loud), Stretch(loud)], RATE_HZ).samples
    energy = float(np.sum(np.square(made)) / np.sum(np.square(loud)))
    assert energy == pytest.approx(2.0, rel=0.02)


def test_stretches_of_silence_add_nothing_not_even_a_pause() -> None:
    made = joined([Stretch(silence(1.0)), Stretch(silence(0.0))], RATE_HZ)
    assert len(made.samples) == 0
    assert len(joined([], RATE_HZ).samples) == 0


def test_words_move_with_what_they_are_spoken_in() -> None:
    """Bursts at known places come to where the words then are."""
    word = Word(" hey", 0.3, 0.8, 1.0)
    made = joined([Stretch(burst(), "clause", (word,)), Stretch(burst(), words=(word,))], RATE_HZ)
    loud = np.abs(made.samples) > 0.05
    for moved in made.words:
        inside = loud[round(moved.start_s * RATE_HZ) : round(moved.end_s * RATE_HZ)]
        assert inside.mean() > 0.85
        assert len(inside) / RATE_HZ == pytest.approx(0.5, abs=0.02)
    assert made.words[1].start_s > made.words[0].end_s
    assert [moved.text for moved in made.words] == [" hey", " hey"]


def test_a_word_ends_with_its_sound_although_the_network_counts_the_pause_to_it() -> None:
    long = Word(" hey", 0.1, 1.1, 1.0)
    (moved,) = joined([Stretch(burst(), words=(long,))], RATE_HZ).words
    assert moved.start_s == pytest.approx(MARGIN_S, abs=0.015)
    assert moved.end_s == pytest.approx(MARGIN_S + 0.5, abs=0.015)


def test_a_word_without_sound_does_not_end_behind_what_is_kept() -> None:
    late = Word(" hey", 1.0, 1.2, 1.0)
    made = joined([Stretch(burst(), "word", (late,))], RATE_HZ)
    assert made.words[0].start_s <= made.words[0].end_s <= len(made.samples) / RATE_HZ


def test_a_word_that_the_network_puts_into_its_silence_does_not_begin_before_the_sound() -> None:
    early = Word(" hey", 0.0, 0.8, 1.0)
    made = joined([Stretch(burst()), Stretch(burst(), words=(early,))], RATE_HZ)
    assert made.words[0].start_s >= 0.5 + PAUSES_S["sentence"]
