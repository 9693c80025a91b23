"""How pieces of real speech meet: no click, a speaker's pause, nothing lost, one loudness."""

from __future__ import annotations

import numpy as np
import pytest

from myna.audio.codecs import SPEECH_RATE_HZ
from myna.audio.joints import trimmed
from myna.audio.loudness import measured
from myna.scheduling.voices import voice_named

pytestmark = pytest.mark.models

PIPER, KOKORO = "piper-en_US-joe-medium", "kokoro-v1.0"

VOICES = [(PIPER, "alloy"), (KOKORO, "af_heart"), (KOKORO, "am_onyx")]
TEXT = (
    "Last summer, when the days were long and the nights were warm enough to sleep outside, we "
    "walked along the river to the old mill. The water was low and very clear. My brother counted "
    "eleven fish under the wooden bridge, but nobody believed him. In the afternoon a farmer gave "
    "us bread and cheese."
)
FRAME = SPEECH_RATE_HZ // 100


@pytest.fixture
def spoken(studio):
    """`spoken(model, voice)`: TEXT, which has several pieces. With words, so that the first comes
    whole as well; where it begins early, the next sound is not behind a pause."""
    return lambda model, voice: studio.say(model, voice, TEXT, words=True)


def levels_db(samples):
    """Of frames of 10 ms, against the loudest."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.maximum(np.square(frames).mean(axis=1), 1e-12)
    return 10 * np.log10(power / power.max())


@pytest.mark.parametrize(("model", "voice"), VOICES)
def test_a_joint_is_as_quiet_as_the_pause_around_it(spoken, model, voice):
    """A click would be energy above 4 kHz where there is no speech."""
    speech = spoken(model, voice)
    assert len(speech.joints) >= 2
    loudest = np.abs(np.fft.rfft(speech.samples[: 10 * FRAME] * np.hanning(10 * FRAME))).max()
    for at in speech.joints:
        around = speech.samples[at - 2 * FRAME : at + 2 * FRAME]
        assert np.abs(np.diff(around)).max() < 0.02
        above_4_khz = np.abs(np.fft.rfft(around * np.hanning(len(around))))[160:].max()
        assert 20 * np.log10(above_4_khz / loudest + 1e-9) < -40


@pytest.mark.parametrize(("model", "voice"), VOICES)
def test_the_silence_at_a_joint_is_a_pause_and_not_two(spoken, model, voice):
    speech = spoken(model, voice)
    loud = levels_db(speech.samples) > -40
    for at in speech.joints:
        before = np.flatnonzero(loud[: at // FRAME])[-1]
        after = np.flatnonzero(loud[at // FRAME :])[0] + at // FRAME
        assert 0.05 < (after - before) / 100 < 0.6


@pytest.mark.parametrize(("model", "voice"), VOICES)
def test_what_is_cut_off_at_the_edges_is_far_below_what_is_kept(studio, model, voice):
    engine = studio.residents.speaker(model, strict=True).service.engine
    for text in ("She sells fresh fish.", "Stop that, please!", "He asked for the bus"):
        for stretch in engine.synthesize(text, voice_named(voice, engine), 1.0):
            kept = trimmed(stretch.samples, engine.sample_rate_hz)
            whole, left = (float(np.square(s).sum()) for s in (stretch.samples, kept))
            assert left / whole > 0.998


@pytest.mark.parametrize(("model", "voice"), VOICES)
def test_every_voice_comes_to_the_loudness_that_is_set_and_never_peaks(spoken, model, voice):
    found = measured(spoken(model, voice).samples, SPEECH_RATE_HZ)
    assert found.lufs == pytest.approx(-20, abs=1.5)
    assert 20 * np.log10(found.true_peak) < -0.9


def test_short_texts_of_different_voices_are_equally_loud(studio):
    made = [
        studio.say(model, voice, "Good morning, everybody.")
        for model, voice in (*VOICES, (KOKORO, "af_nova"), (KOKORO, "bm_fable"))
    ]
    lufs = [measured(speech.samples, SPEECH_RATE_HZ).lufs for speech in made]
    assert max(lufs) - min(lufs) < 1.5, lufs
