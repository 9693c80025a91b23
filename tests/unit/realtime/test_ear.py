"""The ear: bytes of three formats, however they are cut, become the same frames."""

import numpy as np
import pytest

from myna.audio.activity import FRAME, AnySound
from myna.errors import BadRequest
from myna.realtime.ear import Ear, seconds


def tone(rate_hz, length_s=0.5):
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate_hz * length_s)) / rate_hz)


def pcm(samples):
    return (samples * 32767).astype("<i2").tobytes()


def mu_law(samples):
    """The nearest of G.711's codes for each sample."""
    from myna.audio.g711 import expand

    levels = expand(bytes(range(256)), "mu")
    return bytes(np.abs(levels[:, None] - samples[None]).argmin(axis=0).astype(np.uint8))


def heard(ear, blocks):
    found = [ear.hear(block) for block in blocks]
    found.append(ear.finish())
    return (
        np.concatenate([one.samples for one in found]),
        np.concatenate([one.probabilities for one in found]),
    )


def loudest_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * 16_000 / len(samples)


@pytest.mark.parametrize(
    ("name", "data"),
    [("audio/pcm", pcm(tone(24_000))), ("audio/pcmu", mu_law(tone(8_000)))],
)
def test_sound_keeps_its_pitch_length_and_loudness(name, data):
    samples, probabilities = heard(Ear(name, AnySound()), [data])
    assert len(samples) == len(probabilities) * FRAME
    assert 0 <= len(samples) - 8000 < FRAME
    assert loudest_hz(samples[:8000]) == pytest.approx(440, abs=3)
    assert np.abs(samples[1000:7000]).max() == pytest.approx(0.5, abs=0.02)
    assert probabilities.tolist() == [1.0] * len(probabilities)


@pytest.mark.parametrize("size", [2, 46, 480, 4800, 23_998])
def test_cuts_between_blocks_leave_no_trace(size):
    data = pcm(tone(24_000))
    blocks = [data[at : at + size] for at in range(0, len(data), size)]
    whole, _ = heard(Ear("audio/pcm", AnySound()), [data])
    parts, _ = heard(Ear("audio/pcm", AnySound()), blocks)
    assert np.allclose(whole, parts, atol=1e-6)


def test_nothing_is_heard_of_nothing():
    samples, probabilities = heard(Ear("audio/pcma", AnySound()), [b""])
    assert (len(samples), len(probabilities)) == (0, 0)


@pytest.mark.parametrize(
    ("name", "count", "length_s"), [("audio/pcm", 4800, 0.1), ("audio/pcmu", 800, 0.1)]
)
def test_a_length_is_told_before_anything_is_heard(name, count, length_s):
    assert seconds(bytes(count), name) == pytest.approx(length_s)


def test_half_a_sample_is_refused():
    with pytest.raises(BadRequest, match="4801 bytes are no whole number") as refusal:
        seconds(bytes(4801), "audio/pcm")
    assert refusal.value.param == "audio"
    assert seconds(bytes(4801), "audio/pcma") == pytest.approx(0.600125)
