"""When a decoded window is good enough, and what is tried next when it is not.

The ladder and its thresholds are Whisper's own (openai/whisper, `decode_with_fallback`):
temperatures 0, 0.2 … 1.0 while the text compresses too well or is too improbable, and silence where
the no-speech token is likely and the text is not. Two steps are added in front of any higher
temperature: text without timestamps that looks doubtful, or did not fit, is written once more with
them, since they hold the decoder to the audio and tell where to go on; and a right-sized window
that still looks doubtful is decoded once more with all of Whisper's 30 s.
"""

from __future__ import annotations

import string
import zlib
from dataclasses import dataclass

LADDER = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
COMPRESSION_RATIO_LIMIT = 2.4
LOGPROB_LIMIT = -1.0
NO_SPEECH_LIMIT = 0.6
RIGHT_SIZED_LOGPROB_LIMIT = -0.8
"""Below this mean log-probability a right-sized window is decoded again at full length."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one decoding of a window came to."""

    tokens: tuple[int, ...]
    """Timestamps included, end-of-text not."""
    text: str
    temperature: float
    avg_logprob: float
    no_speech_prob: float
    cut_off: bool
    """The decoder was stopped by the token budget, not by the end of the text."""
    full_length: bool
    """Decoded with 30 s of frames."""
    timestamps: bool
    """Written with timestamps."""

    @property
    def compression_ratio(self) -> float:
        """UTF-8 bytes of the text over their zlib length, as openai/whisper computes it."""
        raw = self.text.strip().encode()
        return len(raw) / len(zlib.compress(raw))

    @property
    def silent(self) -> bool:
        """Nobody speaks, whatever the decoder wrote."""
        return self.no_speech_prob > NO_SPEECH_LIMIT and self.avg_logprob < LOGPROB_LIMIT

    @property
    def repeats(self) -> bool:
        """The text repeats itself."""
        doubtful = not self.full_length and (self.cut_off or _says_all_again(self.text))
        return doubtful or self.compression_ratio > COMPRESSION_RATIO_LIMIT

    @property
    def good(self) -> bool:
        """Nothing to try again for."""
        if self.silent:
            return True
        limit = LOGPROB_LIMIT if self.full_length else RIGHT_SIZED_LOGPROB_LIMIT
        return not self.repeats and not self.lost_its_end and self.avg_logprob >= limit

    @property
    def lost_its_end(self) -> bool:
        """There was more to write, and nothing tells from where."""
        return self.cut_off and not self.timestamps


def _says_all_again(text: str) -> bool:
    """Whether the text is one phrase of three words or more, over and over.

    A right-sized window sometimes is, behind a prompt, with too few words for zlib to notice.
    """
    words = [word.strip(string.punctuation).lower() for word in text.split()]
    lengths = range(3, len(words) // 2 + 1)
    return any(
        len(words) % length == 0 and words == words[:length] * (len(words) // length)
        for length in lengths
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: how the window is decoded next."""

    temperature: float
    full_length: bool
    timestamps: bool


def next_step(attempt: Attempt, asked_temperature: float) -> Step | None:
    """What to try after `attempt`, or None where it stands (good, or nothing left)."""
    if attempt.good:
        return None
    if not attempt.timestamps:
        return Step(attempt.temperature, attempt.full_length, timestamps=True)
    if not attempt.full_length:
        return Step(attempt.temperature, full_length=True, timestamps=True)
    if asked_temperature > 0:
        return None
    higher = [value for value in LADDER if value > attempt.temperature]
    return Step(higher[0], full_length=True, timestamps=True) if higher else None


def best(attempts: list[Attempt]) -> Attempt:
    """The attempt to keep: the last if it is good, else the most probable that does not repeat."""
    if attempts[-1].good:
        return attempts[-1]
    sane = [attempt for attempt in attempts if not attempt.repeats]
    return max(sane or attempts, key=lambda attempt: attempt.avg_logprob)
