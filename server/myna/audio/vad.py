"""Voice activity: how probable speech is in every 32 ms of audio, block by block.

The model is Silero VAD as faster-whisper ships it. `VadModel` is loaded once and shared;
`SpeechDetector` keeps one request's place in the audio.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from myna.audio.activity import FRAME
from myna.audio.vad_network import in_one_picture
from myna.engines.contract.samples import Samples
from myna.engines.onnx.tensor import UnfitError
from myna.errors import EngineFailure

_log = logging.getLogger(__name__)

CONTEXT_SAMPLES = 64
"""Of the frame before, put in front of each frame; zeros before the first."""
STATE_SHAPE = (1, 1, 128)
"""Of the LSTM's h and c."""
FRAMES_A_RUN = 128
"""Frames given to the model at a time (4 s): larger runs are no faster, and those of 33 s left up
to 50 MB with malloc."""

Probabilities = NDArray[np.float32]
"""Probability of speech, shape (n_frames,), float32 in [0, 1]."""


class VadModel:
    """Silero VAD v6. Every method may be called from any thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Load `path`, or the copy in faster-whisper's package.

        Raises EngineFailure where faster-whisper has no such file, and onnxruntime's own errors on
        one that is no network.
        """
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it would keep what the longest run needed
        options.log_severity_level = 4
        file = (path or _shipped_model()).read_bytes()
        try:
            file = in_one_picture(file)
        except UnfitError as reason:
            _log.info("voice activity is found frame by frame: %s", reason)
        self._session = onnxruntime.InferenceSession(
            file, options, providers=["CPUExecutionProvider"]
        )

    def run(
        self, frames: NDArray[np.float32], h: NDArray[np.float32], c: NDArray[np.float32]
    ) -> tuple[Probabilities, NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities and the next state.

        `frames` has shape (n_frames, CONTEXT_SAMPLES + FRAME), `h` and `c` STATE_SHAPE.
        """
        probabilities, next_h, next_c = self._session.run(None, {"input": frames, "h": h, "c": c})
        return probabilities, next_h, next_c


def _shipped_model() -> Path:
    spec = find_spec("faster_whisper")  # found, not imported: that loads CTranslate2
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "assets" / "silero_vad_v6.onnx"
        if path.is_file():
            return path
    raise EngineFailure("faster-whisper has no silero_vad_v6.onnx; install version 1.2.1 or later")


class SpeechDetector:
    """Finds speech in one request's audio, given in blocks of any length. Not thread-safe.

    The cuts between blocks leave no trace: the model's state, the context and the samples short of
    a frame are carried over. The first frame's context is zeros, as in faster-whisper. That one
    also silences the last 64 samples of whatever it is given, by overwriting the context of the
    frame that does not follow; this does not, so the last frame may differ from it.
    """

    def __init__(self, model: VadModel) -> None:
        self._model = model
        self._h = np.zeros(STATE_SHAPE, np.float32)
        self._c = np.zeros(STATE_SHAPE, np.float32)
        self._tail = np.zeros(CONTEXT_SAMPLES, np.float32)
        """The context of the next frame, and the samples of it that have come."""

    def probabilities(self, samples: Samples) -> Probabilities:
        """Take the next samples (16 kHz, mono); one probability for each frame they complete."""
        audio = np.concatenate([self._tail, samples])
        n_frames = (len(audio) - CONTEXT_SAMPLES) // FRAME
        self._tail = audio[n_frames * FRAME :].copy()
        if not n_frames:
            return np.zeros(0, np.float32)
        overlapping = np.lib.stride_tricks.sliding_window_view(audio, CONTEXT_SAMPLES + FRAME)
        frames = overlapping[::FRAME]
        runs = [
            self._run(frames[first : first + FRAMES_A_RUN])
            for first in range(0, n_frames, FRAMES_A_RUN)
        ]
        return np.concatenate(runs)

    def flush(self) -> Probabilities:
        """Pad the samples short of a frame with zeros: shape (1,), or (0,) if there are none."""
        short = len(self._tail) - CONTEXT_SAMPLES
        if not short:
            return np.zeros(0, np.float32)
        return self.probabilities(np.zeros(FRAME - short, np.float32))

    def _run(self, frames: NDArray[np.float32]) -> Probabilities:
        found, self._h, self._c = self._model.run(np.ascontiguousarray(frames), self._h, self._c)
        return found
