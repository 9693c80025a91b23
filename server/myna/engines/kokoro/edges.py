"""The edges of what Kokoro makes: it leaves a third of a second before, and up to one after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract import Samples

FRAME_S = 0.01
SOUND_DB = -40.0
"""Against the loudest frame: where there is sound at all."""
SPEECH_DB = -30.0
"""The same, where somebody speaks. Some voices breathe for half a second after a sentence."""
BEFORE_S = 0.15
AFTER_S = 0.2
"""How far sound may go on before and after speech: the length of a long f or s."""
MARGIN_S = 0.03
"""Kept of the silence at either end."""
FADE_S = 0.01
"""Over which either end comes out of silence and goes into it, so that no joint clicks."""


def trimmed(samples: Samples, rate_hz: int) -> Samples:
    """The samples without the silence at both ends, faded there; of pure silence nothing is left.

    Shape (n_samples,) in and out.
    """
    frame = round(FRAME_S * rate_hz)
    levels = _levels_db(samples, frame)
    sound, speech = np.flatnonzero(levels > SOUND_DB), np.flatnonzero(levels > SPEECH_DB)
    if not len(speech):
        return samples[:0]
    begin = max(sound[0] * FRAME_S - MARGIN_S, speech[0] * FRAME_S - BEFORE_S)
    end = min((sound[-1] + 1) * FRAME_S + MARGIN_S, (speech[-1] + 1) * FRAME_S + AFTER_S)
    kept = samples[max(0, round(begin * rate_hz)) : round(end * rate_hz)].copy()
    ramp = np.linspace(0, 1, min(round(FADE_S * rate_hz), len(kept) // 2), dtype=np.float32)
    kept[: len(ramp)] *= ramp
    kept[len(kept) - len(ramp) :] *= ramp[::-1]
    return kept


def _levels_db(samples: Samples, frame: int) -> NDArray[np.float64]:
    """Level of each frame against the loudest, in dB; none where all is silent."""
    padded = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
    power = np.square(padded, dtype=np.float64).mean(axis=1)
    loudest = float(power.max(initial=0.0))
    if loudest <= 1e-10:
        return np.zeros(0)
    return 10 * np.log10(np.maximum(power / loudest, 1e-12))
