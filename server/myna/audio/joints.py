"""Stretches of speech joined to one: no click, no doubled silence, and a pause that fits the mark.

Networks leave silence of their own around what they say, Kokoro a third of a second before and up
to one after, Piper a tenth or two. It is cut off, and the pause that a speaker would make is put
there instead, whichever network made the sound and wherever a text was cut in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.samples import Samples
from myna.engines.contract.synthesizer import Ending, Stretch
from myna.text.transcript import Word

PAUSES_S: Mapping[Ending, float] = MappingProxyType(
    {"sentence": 0.3, "clause": 0.08, "word": 0.0, "open": 0.0}
)
"""Silence after a stretch at speed 1, beside what is left at its edges: speakers take about 0.4 s
between sentences."""

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


@dataclass(frozen=True, slots=True)
class Piece:
    """What a piece of text came to."""

    samples: Samples
    """The pause at its end included."""
    words: tuple[Word, ...] = ()
    """In seconds from its beginning; empty unless they were asked for."""


def joined(
    stretches: Iterable[Stretch], rate_hz: int, *, speed: float = 1.0, pauses: float = 1.0
) -> Piece:
    """The stretches one after the other, each without the silence around it and with the pause that
    its ending asks for: PAUSES_S, shorter as `speed` is faster, and `pauses` times as long."""
    joiner = Joiner(rate_hz, speed=speed, pauses=pauses)
    return joiner.join(stretches)


class Joiner:
    """Joins the stretches of a text as they come. Not thread-safe."""

    def __init__(self, rate_hz: int, *, speed: float = 1.0, pauses: float = 1.0) -> None:
        """`speed` and `pauses` are those of `joined`."""
        self._rate_hz = rate_hz
        self._scale = pauses / speed
        self._loudest = 0.0
        """Power of the loudest frame of the sound that goes on, 0 where none does."""

    def join(self, stretches: Iterable[Stretch]) -> Piece:
        """As `joined`. Words are in seconds from the beginning of these stretches."""
        blocks: list[Samples] = []
        words: list[Word] = []
        at = 0
        for stretch in stretches:
            kept, begin, levels = self._kept(stretch)
            words += _moved(
                _sounding(stretch.words, levels),
                (at - begin) / self._rate_hz,
                at / self._rate_hz,
                (at + len(kept)) / self._rate_hz,
            )
            pause_s = PAUSES_S[stretch.ending] * self._scale if len(kept) else 0.0
            blocks += [kept, np.zeros(round(pause_s * self._rate_hz), np.float32)]
            at += len(blocks[-2]) + len(blocks[-1])
        return Piece(np.concatenate(blocks) if blocks else np.zeros(0, np.float32), tuple(words))

    def _kept(self, stretch: Stretch) -> tuple[Samples, int, NDArray[np.float64]]:
        """What is kept of a stretch, where in it that begins, and the levels of its frames."""
        length, opens = len(stretch.samples), stretch.ending == "open"
        goes_on = self._loudest > 0
        powers = _powers(stretch.samples, self._rate_hz)
        loudest = max(self._loudest, float(powers.max(initial=0.0)))
        levels = _levels_db(powers, loudest)
        begin, end = _bounds(levels, length, self._rate_hz)
        if goes_on:
            begin, end = 0, max(end, min(length, round(MARGIN_S * self._rate_hz)))
        if opens and end:
            end = length
        self._loudest = loudest if opens and end else 0.0
        kept = stretch.samples[begin:end]
        return _faded(kept, self._rate_hz, before=not goes_on, after=not opens), begin, levels


def trimmed(samples: Samples, rate_hz: int) -> Samples:
    """The samples without the silence at both ends, faded there; of pure silence nothing is left.

    Shape (n_samples,) in and out.
    """
    powers = _powers(samples, rate_hz)
    begin, end = _bounds(_levels_db(powers, powers.max(initial=0.0)), len(samples), rate_hz)
    return _faded(samples[begin:end], rate_hz)


def _moved(words: Iterable[Word], by_s: float, earliest_s: float, latest_s: float) -> list[Word]:
    """The words later by so much, none before or behind what they are spoken in."""
    return [
        replace(
            word,
            start_s=min(max(earliest_s, word.start_s + by_s), latest_s),
            end_s=min(max(earliest_s, word.end_s + by_s), latest_s),
        )
        for word in words
    ]


def _sounding(words: Iterable[Word], levels: NDArray[np.float64]) -> Iterator[Word]:
    """Each word without the silence that the network counts to its phonemes: Kokoro gives a whole
    pause to what stands before it."""
    for word in words:
        first, last = int(word.start_s / FRAME_S), int(np.ceil(word.end_s / FRAME_S))
        heard = np.flatnonzero(levels[first:last] > SOUND_DB)
        spoken = np.flatnonzero(levels[first:last] > SPEECH_DB)
        if len(heard):
            start_s = max(word.start_s, (first + heard[0]) * FRAME_S)
            # Not by its last sound, which may be a breath.
            final = spoken[-1] if len(spoken) else heard[-1]
            end_s = min(word.end_s, (first + final + 1) * FRAME_S)
            yield replace(word, start_s=float(start_s), end_s=float(max(start_s, end_s)))
        else:
            yield word


def _bounds(levels: NDArray[np.float64], length: int, rate_hz: int) -> tuple[int, int]:
    """Where what is kept begins and ends; twice the same where nobody speaks."""
    sound, speech = np.flatnonzero(levels > SOUND_DB), np.flatnonzero(levels > SPEECH_DB)
    if not len(speech):
        return 0, 0
    begin = max(sound[0] * FRAME_S - MARGIN_S, speech[0] * FRAME_S - BEFORE_S)
    end = min((sound[-1] + 1) * FRAME_S + MARGIN_S, (speech[-1] + 1) * FRAME_S + AFTER_S)
    return max(0, round(begin * rate_hz)), min(length, round(end * rate_hz))


def _faded(samples: Samples, rate_hz: int, *, before: bool = True, after: bool = True) -> Samples:
    kept = samples.copy()
    ramp = np.linspace(0, 1, min(round(FADE_S * rate_hz), len(kept) // 2), dtype=np.float32)
    if before:
        kept[: len(ramp)] *= ramp
    if after:
        kept[len(kept) - len(ramp) :] *= ramp[::-1]
    return kept


def _powers(samples: Samples, rate_hz: int) -> NDArray[np.float64]:
    """Mean power of each frame; the last may be short, and counts as if silence followed."""
    frame = round(FRAME_S * rate_hz)
    whole = len(samples) // frame * frame
    frames, rest = samples[:whole].reshape(-1, frame), samples[whole:]
    powers = np.einsum("ij,ij->i", frames, frames).tolist()
    if len(rest):
        powers.append(float(rest @ rest))
    return np.array(powers) / frame


def _levels_db(powers: NDArray[np.float64], loudest: float) -> NDArray[np.float64]:
    """Level of each frame against the loudest, in dB; none where all is silent."""
    if loudest <= 1e-10:
        return np.zeros(0)
    return 10 * np.log10(np.maximum(powers / loudest, 1e-12))
