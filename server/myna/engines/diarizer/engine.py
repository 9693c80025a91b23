"""The two networks, loaded when they are first needed, behind the `Diarizer` contract."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np

from myna.engines.contract.diarizer import KnownVoice, SpeakerOptions
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples, Window
from myna.engines.diarizer.following import Live, Whole
from myna.engines.diarizer.frames import STEP_SAMPLES, WINDOW_SAMPLES
from myna.engines.diarizer.hearing import HeardWindow, hear
from myna.engines.diarizer.segmentation import Segmenter
from myna.engines.diarizer.voiceprints import VoiceEncoder

SEGMENTATION, EMBEDDING = "segmentation.onnx", "embedding.onnx"
"""The networks' files in the model's folder."""


class SpeakerDiarizer:
    """pyannote segmentation 3.0 and CAM++ on the CPU. One thread a call, any number of calls."""

    window_s = WINDOW_SAMPLES / SAMPLE_RATE_HZ
    step_s = STEP_SAMPLES / SAMPLE_RATE_HZ

    def __init__(self, folder: Path, name: str) -> None:
        """`folder` holds the two networks. They are read by the first call that needs them."""
        self.name = name
        self._folder = folder
        self._lock = Lock()
        self._networks: tuple[Segmenter, VoiceEncoder] | None = None

    def hear(self, window: Window) -> HeardWindow:
        """Listen to one window, about 0.15 s of work where people talk all the time."""
        return hear(window.samples, *self._loaded())

    def voice(self, samples: Samples) -> KnownVoice | None:
        """The voice of whoever speaks most in at most 10 s; None where nobody does."""
        heard = self.hear(Window(samples[:WINDOW_SAMPLES], 0.0))
        weights = [one.chunk.clean_s for one in heard.chunks if one.print is not None]
        prints = [one.print for one in heard.chunks if one.print is not None]
        if not prints:
            return None
        total = np.average(np.stack(prints), axis=0, weights=np.maximum(weights, 0.1))
        return KnownVoice(np.asarray(total / np.linalg.norm(total), np.float32), heard.narrow)

    def follow(self, options: SpeakerOptions) -> Live | Whole:
        """Begin with a recording."""
        return Live(options) if options.live else Whole(options)

    def warm_up(self) -> None:
        """Load the networks and run both."""
        segmenter, encoder = self._loaded()
        noise = np.random.default_rng(0).normal(0, 0.1, WINDOW_SAMPLES).astype(np.float32)
        segmenter.activity(noise)
        encoder.voiceprint(noise[: 2 * SAMPLE_RATE_HZ])

    def close(self) -> None:
        """Free the memory."""
        with self._lock:
            self._networks = None

    def _loaded(self) -> tuple[Segmenter, VoiceEncoder]:
        with self._lock:
            if self._networks is None:
                self._networks = (
                    Segmenter(self._folder / SEGMENTATION),
                    VoiceEncoder(self._folder / EMBEDDING),
                )
            return self._networks
