"""An ear: bytes as a client sends them in, frames of 16 kHz samples and their speech out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from myna.audio import g711
from myna.audio.activity import FRAME, SpeechProbabilities
from myna.audio.resample import Resampler
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples
from myna.errors import BadRequest

AudioFormat = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)

PCM_RATE_HZ = 24_000
"""The one rate that the hosted API takes for PCM."""
_LAWS: dict[AudioFormat, g711.Law] = {"audio/pcmu": "mu", "audio/pcma": "A"}
_FULL_SCALE = 32_768


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of audio in whole frames."""

    samples: Samples
    """16 kHz, shape (n_frames * FRAME,)."""
    probabilities: NDArray[np.float32]
    """Of speech, shape (n_frames,)."""


def seconds(data: bytes, format_: AudioFormat) -> float:
    """Length of what a client sent.

    Raises:
        BadRequest: half a sample at its end.
    """
    if format_ in _LAWS:
        return len(data) / g711.RATE_HZ
    if len(data) % 2:
        raise BadRequest(
            f"Invalid audio: {len(data)} bytes are no whole number of 16-bit samples. Send PCM as "
            "16-bit little-endian samples, each of them in one event; this event was dropped.",
            param="audio",
            code="invalid_value",
        )
    return len(data) / 2 / PCM_RATE_HZ


class Ear:
    """Hears one stream. What is short of a frame is kept for the next block. Not thread-safe."""

    def __init__(self, format_: AudioFormat, speech: SpeechProbabilities) -> None:
        self._law: g711.Law | None = _LAWS.get(format_)
        rate_hz = g711.RATE_HZ if self._law else PCM_RATE_HZ
        self._resampler = Resampler(rate_hz, SAMPLE_RATE_HZ)
        self._speech = speech
        self._rest: Samples = np.zeros(0, np.float32)

    def hear(self, data: bytes) -> Heard:
        """Take the next bytes, whole samples."""
        if self._law is None:
            samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(_FULL_SCALE)
        else:
            samples = g711.expand(data, self._law)
        return self._heard(self._resampler.push(samples))

    def finish(self) -> Heard:
        """The stream is over: what was kept, and silence up to a whole frame."""
        heard = self._heard(self._resampler.flush())
        if not len(self._rest):
            return heard
        padded = np.pad(self._rest, (0, FRAME - len(self._rest)))
        self._rest = np.zeros(0, np.float32)
        return Heard(
            np.concatenate([heard.samples, padded]),
            np.concatenate([heard.probabilities, self._speech.flush()]),
        )

    def _heard(self, samples: Samples) -> Heard:
        probabilities = self._speech.probabilities(samples)
        held = np.concatenate([self._rest, samples])
        whole = len(probabilities) * FRAME
        self._rest = held[whole:]
        return Heard(held[:whole], probabilities)
