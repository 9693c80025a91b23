"""How much of Whisper's 30 s a window takes, and how many tokens it may come to.

Whisper was trained on 30 s of audio, silence included. Its encoder takes less, which costs less,
but a window that ends where the speech ends makes the decoder loop or lose the end. So a window
gets a margin of silence and a floor, and rarely a second try at full length (see `fallback`).
Figures behind the constants: `docs/capacity.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from myna.engines.devices import Device

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
    sizes_s: tuple[float, ...] = (8.0, 12.0, 16.0, 20.0, 25.0, 30.0)
    """Windows come in these lengths only, so that windows of different requests share a batch."""

    def frames(self, seconds: float) -> int:
        """Frames to encode for `seconds` of audio."""
        if self.enabled:
            for size in self.sizes_s:
                if seconds + self.margin_s <= size:
                    return int(size * FRAMES_PER_S)
        return FULL_FRAMES


@dataclass(frozen=True, slots=True)
class Pools:
    """How CTranslate2's threads are laid out for one model."""

    workers: int
    """Batches that are decoded at the same time."""
    express: int
    """Further batches, for short requests that would wait behind long ones."""
    apart: bool
    """Whether encoder and decoder have a copy of the weights each, with threads of their own."""
    encoder_threads: int
    decoder_threads: int

    @property
    def pairs(self) -> bool:
        """Whether a batch on all cores has two of them, and there are no more."""
        return self.apart and self.workers == self.encoder_threads == 2

    @property
    def decoders(self) -> int:
        """Decodings that may run at the same time."""
        return self.workers + self.express


def plan_pools(cores: int, weights_bytes: int, device: Device = "cpu") -> Pools:
    """Threads for a model of this size.

    Two cores encode a window in half the time of one, and decode it in two thirds, but two batches
    at a time on a core each get more done. So small models are held twice, which costs their size
    in memory. Large ones are held once: there, memory is dear and steps are long. A GPU takes one
    batch at a time. Measured on two cores (`docs/capacity.md`); beyond that it is reasoned, not
    measured.
    """
    if device == "cuda":
        return Pools(1, 0, apart=False, encoder_threads=1, decoder_threads=1)
    if weights_bytes > SMALL_MODEL_BYTES:
        return Pools(1, 0, apart=False, encoder_threads=cores, decoder_threads=cores)
    apart = cores > 1
    return Pools(
        workers=cores,
        express=1 if apart else 0,
        apart=apart,
        encoder_threads=min(cores, 4),
        decoder_threads=1,
    )


SMALL_MODEL_BYTES = 600_000_000
"""Of `model.bin`: up to Whisper small, at 16 bits a weight."""
LONG_CONTEXT_TOKENS = 32
"""A right-sized window behind a longer prompt is written twice now and then (5 of 40 behind 54 to
116 tokens, none behind 21), so such windows get their 30 s."""


def needs_timestamps(seconds: float, frames: int) -> bool:
    """Whether a right-sized window is written with timestamps although nobody asked for them.

    They are what keeps the decoder from writing a few seconds of speech again and again into the
    silence behind (1 of 57 recordings did, a sentence of 3.5 s in 8 s).
    """
    return frames < FULL_FRAMES and seconds < _LEAST_FILLED * frames / FRAMES_PER_S


_LEAST_FILLED = 0.6


def token_budget(seconds: float) -> int:
    """The most tokens that `seconds` of speech come to; more than that is a loop.

    Fast speech is about 6 words or 9 tokens a second in English, and up to 13 in languages that
    Whisper's vocabulary covers badly; timestamps add a few a sentence.
    """
    return int(14 * seconds) + 24
