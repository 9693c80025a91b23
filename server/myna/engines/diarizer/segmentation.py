"""Which of up to three local speakers is heard in each frame of a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.samples import Samples
from myna.engines.diarizer.frames import (
    FRAME_SAMPLES,
    RECEPTIVE_SAMPLES,
    WINDOW_FRAMES,
    WINDOW_SAMPLES,
)
from myna.engines.sessions import onnx_session

LOCAL_SPEAKERS = 3

Activity = NDArray[np.bool_]
"""Who is heard, shape (WINDOW_FRAMES, LOCAL_SPEAKERS). The numbers hold within one window only."""

_CLASSES = np.array(
    [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)], bool
)
"""The network's classes are sets of speakers: nobody, one, or two of them (Plaquet and Bredin,
2023)."""


class Segmenter:
    """pyannote segmentation 3.0. May be called from any thread."""

    def __init__(self, file: Path) -> None:
        self._session = onnx_session(file, "cpu", threads=1)
        self._input = self._session.get_inputs()[0].name

    def activity(self, samples: Samples) -> Activity:
        """At most WINDOW_SAMPLES at 16 kHz; nobody is heard behind their end."""
        window = np.zeros((1, 1, WINDOW_SAMPLES), np.float32)
        window[0, 0, : len(samples)] = samples
        if not window.any():
            return np.zeros((WINDOW_FRAMES, LOCAL_SPEAKERS), np.bool_)
        (scores,) = self._session.run(None, {self._input: window})
        active = _CLASSES[scores[0].argmax(axis=-1)]
        active[frames_within(len(samples)) :] = False
        return active


def frames_within(n_samples: int) -> int:
    """Frames whose middle lies in the first samples of a window."""
    behind = (n_samples - RECEPTIVE_SAMPLES // 2 - 1) // FRAME_SAMPLES + 1
    return min(max(behind, 0), WINDOW_FRAMES)
