"""Samples as libav takes and gives them: frames of mono float32."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np

from myna.engines.contract.samples import Samples


def frame_of(samples: Samples, rate_hz: int, pts: int) -> av.AudioFrame:
    """Samples of shape (n,), n > 0, as a frame that begins at sample `pts` of its stream."""
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="flt", layout="mono")
    frame.sample_rate = rate_hz
    frame.time_base = Fraction(1, rate_hz)
    frame.pts = pts
    return frame


def samples_of(frames: Iterable[av.AudioFrame]) -> Samples:
    """The samples of consecutive mono `flt` frames, shape (n,), n = 0 where there is no frame."""
    blocks = [frame.to_ndarray()[0] for frame in frames]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
