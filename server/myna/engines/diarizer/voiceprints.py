"""Voices as numbers: log-mel features, and the network that tells voices apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.diarizer import Voiceprint
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples
from myna.engines.sessions import onnx_session

LEAST_SAMPLES = SAMPLE_RATE_HZ * 3 // 10
"""Shorter sounds say nothing of a voice."""


class VoiceEncoder:
    """CAM++. May be called from any thread."""

    def __init__(self, file: Path) -> None:
        self._session = onnx_session(file, "cpu", threads=1)
        self._input = self._session.get_inputs()[0].name

    def voiceprint(self, samples: Samples) -> Voiceprint | None:
        """Shape (192,), of length 1; None for less than LEAST_SAMPLES, or digital silence.

        One sound at a time: the network pools over time, so that padding would change its answer.
        """
        if len(samples) < LEAST_SAMPLES or not samples.any():
            return None
        features = log_mel(samples)
        (found,) = self._session.run(None, {self._input: features[np.newaxis]})
        length = float(np.linalg.norm(found[0]))
        return found[0] / length if length > 0 and np.isfinite(length) else None


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """Kaldi's filter banks less their mean over time, shape (n_frames, 80): 25 ms every 10 ms,
    povey window, no dither. What CAM++ was trained on (3D-Speaker, `FBank`)."""
    import kaldi_native_fbank  # noqa: PLC0415 - of the extra `diarize`

    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE_HZ
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = 80
    bank = kaldi_native_fbank.OnlineFbank(options)
    bank.accept_waveform(SAMPLE_RATE_HZ, samples)
    bank.input_finished()
    features = np.stack([bank.get_frame(place) for place in range(bank.num_frames_ready)])
    return np.asarray(features - features.mean(axis=0), np.float32)
