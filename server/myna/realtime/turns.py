"""Turns: where somebody begins and stops speaking, frame by frame, as `server_vad` is set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from myna.audio.activity import FRAME
from myna.audio.windows import Cutting
from myna.engines.contract.samples import SAMPLE_RATE_HZ

Change = Literal["started", "stopped", "idle"]

ONSET_FRAMES = 3
"""Frames in a row (96 ms) that make speech: fewer are a click."""


def frames(ms: float) -> int:
    """How many frames last at least `ms`."""
    return math.ceil(ms / 1000 * SAMPLE_RATE_HZ / FRAME)


@dataclass(frozen=True, slots=True)
class TurnRules:
    """What is asked of the detection."""

    threshold: float = 0.5
    """A frame at least this likely is speech; a little less keeps it going."""
    padding_ms: int = 300
    """Audio before the first speech that belongs to the turn."""
    silence_ms: int = 500
    """This much without speech ends the turn."""
    idle_ms: int | None = None
    """This much without a turn is told; None for never."""


class Turns:
    """Probabilities in, changes out. Holds no audio."""

    def __init__(self, rules: TurnRules, *, speaking: bool = False) -> None:
        """`speaking` begins in the middle of a turn."""
        self.rules = rules
        self.speaking = speaking
        self._keep = Cutting(threshold=rules.threshold).keep_threshold
        self._silence = max(1, frames(rules.silence_ms))
        self._idle = None if rules.idle_ms is None else frames(rules.idle_ms)
        self._silent = 0
        """Frames without speech, since the last speech or since the last turn."""
        self._onset = 0
        """Frames with speech that may become a turn."""

    def step(self, probability: float) -> Change | None:
        """Take the next frame's probability of speech."""
        change = self._in_turn(probability) if self.speaking else self._between(probability)
        if change is not None:
            self.speaking = change == "started"
            self._silent = self._onset = 0
        return change

    def _in_turn(self, probability: float) -> Change | None:
        bar = self.rules.threshold if self._silent else self._keep
        self._silent = 0 if probability >= bar else self._silent + 1
        return "stopped" if self._silent >= self._silence else None

    def _between(self, probability: float) -> Change | None:
        bar = self._keep if self._onset else self.rules.threshold
        self._onset = self._onset + 1 if probability >= bar else 0
        self._silent += 1
        if self._onset >= ONSET_FRAMES:
            return "started"
        idle = self._idle is not None and self._silent >= self._idle and not self._onset
        return "idle" if idle else None
