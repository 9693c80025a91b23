"""How much of Whisper's 30 s a window takes, and how many tokens it may come to.

Whisper was trained on 30 s of audio, silence included. Its encoder takes less, which costs less,
but a window that ends where the speech ends makes the decoder loop or lose the end. So a window
gets a margin of silence and a floor, and rarely a second try at full length (see `fallback`).
Figures behind the constants: `docs/capacity.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAMES_PER_S = 100
"""Whisper's log-mel frames are 10 ms apart."""
FULL_FRAMES = 3000
"""What the model was trained on: 30 s."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """Right-sizing of windows; `enabled=False` gives every window Whisper's 30 s."""

    enabled: bool = True
    margin_s: float = 1.0
    """Silence behind the speech."""
    sizes_s: tuple[float, ...] = (8.0, 10.0, 12.0, 15.0, 18.0, 22.0, 26.0, 30.0)
    """Windows come in these lengths only, so that windows of different requests share a batch."""

    def frames(self, seconds: float) -> int:
        """Frames to encode for `seconds` of audio."""
        if self.enabled:
            for size in self.sizes_s:
                if seconds + self.margin_s <= size:
                    return int(size * FRAMES_PER_S)
        return FULL_FRAMES


LONG_CONTEXT_TOKENS = 32
"""A right-sized window behind a longer prompt is written twice now and then (5 of 40 behind 54 to
116 tokens, none behind 21), so such windows get their 30 s."""


def token_budget(seconds: float) -> int:
    """The most tokens that `seconds` of speech come to; more than that is a loop.

    Fast speech is about 6 words or 9 tokens a second in English, and up to 13 in languages that
    Whisper's vocabulary covers badly; timestamps add a few a sentence.
    """
    return int(14 * seconds) + 24
