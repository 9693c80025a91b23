"""Whisper's encoder in onnxruntime, where that is the quicker way."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from myna.engines.sessions import onnx_session
from myna.engines.whisper.encoder_network import FEATURES, encoder_network
from myna.engines.whisper.weights import UnreadableError, Weights
from myna.engines.whisper.windowing import SMALL_MODEL_BYTES

_COMPUTE_TYPES = ("int8", "int8_float32")
_MEASURED = "avx2"
"""What Linux calls the processors that it was measured on, x86 with vectors of 256 bits or more."""

LONG_FRAMES = 2000
"""From here on it is the quicker one for a window that has all cores. Below, CTranslate2's threads
are faster to wake."""

_log = logging.getLogger(__name__)


def load_encoder(
    file: Path, compute_type: str, threads: int, processor: Path = Path("/proc/cpuinfo")
) -> Encoder | None:
    """The encoder of a `model.bin`; None where CTranslate2's own is to be used: for other number
    formats than that of 8 bits, on processors that it was not measured on, and for large models,
    whose attention is a small part of their work."""
    if compute_type not in _COMPUTE_TYPES or file.stat().st_size > SMALL_MODEL_BYTES:
        return None
    if not _is_measured(processor):
        return None
    try:
        return Encoder(file, threads)
    except UnreadableError as reason:
        _log.info("CTranslate2 encodes by itself: %s", reason)
        return None


class Encoder:
    """Log-mel features to what the decoder listens to. Any number of threads may use it."""

    def __init__(self, file: Path, threads: int) -> None:
        """`threads` is how many cores one run uses.

        Raises UnreadableError where the file has not the weights of Whisper's encoder.
        """
        network = encoder_network(Weights(file)).written()
        self._session = onnx_session(network, "cpu", threads)

    def encode(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features of shape (n_mels, frames), to shape (frames / 2, d_model)."""
        made = self._session.run(None, {FEATURES: features[None]})
        return np.asarray(made[0], np.float32)[0]


def _is_measured(processor: Path) -> bool:
    try:
        return _MEASURED in processor.read_text("utf-8").split()
    except OSError:
        return False
