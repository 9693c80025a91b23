"""A file as windows: read no further than it is asked for, and to its end."""

from __future__ import annotations

import numpy as np
import pytest

from myna.audio.activity import AnySound
from myna.audio.window_stream import WindowStream
from myna.audio.windows import Cutting
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Window
from myna.errors import AudioTooShort, ClientGone

from .conftest import bounds, noise, span_s


class Recording:
    """Stands in for a decoded file."""

    def __init__(self, samples: np.ndarray, declared_s: float | None = None) -> None:
        self.samples = samples
        self.declared_s = declared_s
        self.at = 0
        self.closed = False

    def read(self, n_samples: int) -> np.ndarray:
        if self.closed:
            raise ClientGone("closed")
        found = self.samples[self.at : self.at + n_samples]
        self.at += len(found)
        return found

    def close(self) -> None:
        self.closed = True


def windows_of(stream: WindowStream) -> list[Window]:
    found: list[Window] = []
    while not stream.finished:
        found += stream.next()
    return found


@pytest.fixture
def two_phrases() -> np.ndarray:
    """Noise for 20 s, 5 s of silence, noise for 3 s and a bit."""
    audio = noise(28 * SAMPLE_RATE_HZ + 123)
    audio[20 * SAMPLE_RATE_HZ : 25 * SAMPLE_RATE_HZ] = 0
    return audio


def test_a_stream_gives_the_windows_of_its_recording(two_phrases):
    stream = WindowStream(Recording(two_phrases), AnySound(), Cutting(tail_s=0.4))
    first, second = windows_of(stream)
    assert span_s(first) == pytest.approx((0, 20.4), abs=0.05)
    assert bounds(second)[1] == len(two_phrases)
    for window in (first, second):
        assert np.array_equal(window.samples, two_phrases[slice(*bounds(window))])


def test_a_stream_reads_on_only_when_asked(two_phrases):
    recording = Recording(two_phrases)
    stream = WindowStream(recording, AnySound(), Cutting())
    assert (recording.at, stream.seconds_read) == (0, 0)
    stream.next()
    assert 0 < stream.seconds_read < 28
    windows_of(stream)
    assert stream.seconds_read == len(two_phrases) / SAMPLE_RATE_HZ


def test_a_stream_tells_the_declared_length_and_closes_its_recording(two_phrases):
    recording = Recording(two_phrases, declared_s=28.0)
    stream = WindowStream(recording, AnySound(), Cutting())
    assert stream.declared_s == 28.0
    stream.close()
    assert recording.closed
    with pytest.raises(ClientGone):
        stream.next()


@pytest.mark.parametrize("n_samples", [0, 1, 1_599])
def test_less_than_a_tenth_of_a_second_is_refused(n_samples):
    stream = WindowStream(Recording(noise(n_samples)), AnySound(), Cutting())
    with pytest.raises(AudioTooShort):
        windows_of(stream)


def test_a_tenth_of_a_second_is_enough():
    stream = WindowStream(Recording(noise(1_600)), AnySound(), Cutting())
    (window,) = windows_of(stream)
    assert bounds(window) == (0, 1_600)


def test_a_silent_recording_has_no_windows():
    audio = np.zeros(40 * SAMPLE_RATE_HZ, np.float32)
    assert windows_of(WindowStream(Recording(audio), AnySound(), Cutting())) == []
