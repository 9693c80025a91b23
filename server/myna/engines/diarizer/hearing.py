"""One window, heard: who is active when, and what each chunk's voice is like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myna.engines.contract.diarizer import Voiceprint
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples
from myna.engines.diarizer.chunks import Chunk, chunks
from myna.engines.diarizer.frames import FRAME_SAMPLES, sample
from myna.engines.diarizer.segmentation import Activity, Segmenter
from myna.engines.diarizer.voiceprints import VoiceEncoder

_BAND_HZ = (300, 4200)
"""Where a telephone's band begins, and where it and a resampler's slope have ended."""
_ABOVE = 10**-3.6
"""Power above it over all power, below which nothing is."""


@dataclass(frozen=True, slots=True)
class HeardChunk:
    """A chunk with its voice."""

    chunk: Chunk
    print: Voiceprint | None
    """None where there is too little sound."""


@dataclass(frozen=True, slots=True)
class HeardWindow:
    """All that is kept of a window: some 10 KB."""

    activity: Activity
    chunks: tuple[HeardChunk, ...]
    narrow: bool = False
    """Whether it sounds like a telephone."""


def hear(samples: Samples, segmenter: Segmenter, encoder: VoiceEncoder) -> HeardWindow:
    """Listen to a window of at most 10 s."""
    activity = segmenter.activity(samples)
    heard = tuple(
        HeardChunk(chunk, encoder.voiceprint(_sound(samples, chunk))) for chunk in chunks(activity)
    )
    return HeardWindow(activity, heard, narrow=is_narrow(samples))


def is_narrow(samples: Samples) -> bool:
    """Whether there is next to nothing above what a telephone lets through. Resampled telephone
    speech has -39 dB there or less, speech of the full band -34 dB or more."""
    if not len(samples):
        return False
    power = np.abs(np.fft.rfft(samples)) ** 2
    from_hz = len(power) / (SAMPLE_RATE_HZ / 2)
    voice, above = (float(power[round(hz * from_hz) :].sum()) for hz in _BAND_HZ)
    return above < _ABOVE * voice


def _sound(samples: Samples, chunk: Chunk) -> Samples:
    """The chunk's frames, put together."""
    mask = np.repeat(chunk.heard, FRAME_SAMPLES)
    start = sample(0)
    return samples[start : start + len(mask)][mask[: max(len(samples) - start, 0)]]
