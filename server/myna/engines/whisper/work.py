"""What the engine knows of a job from one try to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from myna.engines.whisper.fallback import Attempt, Step

Features = NDArray[np.float32]
"""Log-mel, shape (n_mels, frames)."""


@dataclass(slots=True)
class Work:
    """Of one job."""

    step: Step
    features: Features | None = None
    encoded: NDArray[np.float32] | None = None
    """Encoder output, shape (frames / 2, d_model), kept while the same frames are tried again."""
    context: tuple[int, ...] = ()
    """Tokens of the prompt and hotwords."""
    language: str | None = None
    attempts: list[Attempt] = field(default_factory=list[Attempt])
