"""One window, heard: who is active when, and what each chunk's voice is like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myna.engines.contract import Samples, Voiceprint
from myna.engines.diarizer.chunks import Chunk, chunks
from myna.engines.diarizer.frames import FRAME_SAMPLES, sample
from myna.engines.diarizer.segmentation import Activity, Segmenter
from myna.engines.diarizer.voiceprints import VoiceEncoder


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


def hear(samples: Samples, segmenter: Segmenter, encoder: VoiceEncoder) -> HeardWindow:
    """Listen to a window of at most 10 s."""
    activity = segmenter.activity(samples)
    heard = tuple(
        HeardChunk(chunk, encoder.voiceprint(_sound(samples, chunk))) for chunk in chunks(activity)
    )
    return HeardWindow(activity, heard)


def _sound(samples: Samples, chunk: Chunk) -> Samples:
    """The chunk's frames, put together."""
    mask = np.repeat(chunk.heard, FRAME_SAMPLES)
    start = sample(0)
    return samples[start : start + len(mask)][mask[: max(len(samples) - start, 0)]]
