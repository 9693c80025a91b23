"""The tone code: text as sound that can be read back, word by word.

It survives resampling, 16-bit rounding and lossy coding, at any speed, between 320 and 3280 Hz.

A symbol is a byte, sounded as three tones at once: one of 16 for each half of the byte and one of
four that says what the symbol is. Bytes of a word (UTF-8) alternate between two kinds, so that the
boundaries can be heard at any speed; before them stands a symbol of a third or fourth kind with a
checksum: a new word, or the rest of one. Words are set apart by a pause. Behind a sentence, and in
the middle of a long one, there is time to breathe: a pause long enough at any speed for audio to be
cut into windows there. Runs of white space become one space.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples

SYMBOL_S = 0.06
"""Length of a byte, and of a pause, at speed 1: seven to a word of five letters make 143 words a
minute."""

SILENCE_RMS = 1e-3
"""Root mean square under which nobody speaks, -60 dBFS."""

_SPACING_HZ = 80
"""One turn in a frame: tones that far apart do not disturb each other there."""
_FRAME = SAMPLE_RATE_HZ // _SPACING_HZ
"""Samples that are looked at together, 12.5 ms."""
_HOP = 20
"""Samples from one look to the next, 1.25 ms."""
_KINDS = 4 + np.arange(4)
_HIGH = 9 + np.arange(16)
_LOW = 26 + np.arange(16)
"""Tones of a symbol's kind and of the halves of its byte, in multiples of the spacing."""
_EVEN, _ODD, _WORD, _REST = range(4)

_LONGEST_PIECE = 48
"""Bytes between two markers; a longer word gets pauses inside, since a window must find one."""
_SHORTEST_FRAMES = 5
"""A symbol takes 15 ms at speed 4, which is 12 frames; what is shorter than this is no symbol."""
_BREATH = 9
"""Symbols that the pause behind a sentence lasts: 0.54 s, and at speed 4 still 0.135 s, in which
the windower finds the three silent frames that it cuts at, wherever its frames begin."""
_LONGEST_BREATH = 100
"""Symbols that are said in one breath. At speed 0.5 they take 12 s, less than the later half of a
window, which is where it is cut; at lower speeds it can be cut between any two words."""
SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "।")
"""What a sentence's last word ends with."""
_ENDS = tuple(end.encode() for end in SENTENCE_ENDS)
_EDGE_FRAMES = _FRAME // _HOP
"""Looks that see a step in the sound."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word and where it is in the window."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes between two markers."""

    kind: int
    """`_WORD` or `_REST`."""
    utf8: bytes

    @property
    def checksum(self) -> int:
        return zlib.crc32(self.utf8) & 0xFF


@dataclass(frozen=True, slots=True)
class _Symbol:
    """A run of frames of one kind. Frames count from the window's beginning."""

    kind: int
    byte: int
    start: int
    end: int

    @property
    def frames(self) -> int:
        return self.end - self.start


def encode(text: str, rate_hz: int, speed: float = 1.0) -> Iterator[Samples]:
    """A block for each word, and the pause at the end. Never raises on any text.

    Blocks are mono at `rate_hz`, shape (n,); each of a symbol's three tones has amplitude 1.
    """
    length = round(SYMBOL_S * rate_hz / speed)
    pause, said = 1, 0
    for piece in _pieces(text):
        pause = _BREATH if said + len(piece.utf8) > _LONGEST_BREATH else pause
        said = len(piece.utf8) + (said if pause == 1 else 0)
        yield np.concatenate([_silence(pause * length), _sounded(piece, length, rate_hz)])
        pause = _BREATH if piece.utf8.endswith(_ENDS) else 1
    yield _silence(pause * length)


def decode(samples: Samples) -> list[Spoken]:
    """What the tones in a window at 16 kHz say; nothing where there are none, or other sound."""
    if len(samples) < _FRAME:
        return []
    powers, energies = _spectrum(samples)
    n_frames = len(energies)
    runs = list(_runs(_symbols(powers, energies)))
    usual = float(np.median([symbol.frames for run in runs for symbol in run])) if runs else 0.0
    read = [word for run in runs for word in _checked(run, usual, n_frames)]
    read_s = sum(word.end_s - word.start_s for word in read)
    loud_s = int(_loud(energies).sum()) * _HOP / SAMPLE_RATE_HZ
    # One in 256 pieces of any other sound passes as code by chance.
    return read if read_s > loud_s / 2 else []


def _pieces(text: str) -> Iterator[_Piece]:
    for word in text.split():
        utf8 = word.encode("utf-8", "replace")
        kind = _WORD
        while utf8:
            end = min(len(utf8), _LONGEST_PIECE)
            while end < len(utf8) and utf8[end] & 0xC0 == 0x80:  # not inside a character
                end -= 1
            yield _Piece(kind, utf8[:end])
            utf8, kind = utf8[end:], _REST


def _sounded(piece: _Piece, length: int, rate_hz: int) -> Samples:
    """The piece's symbols, `length` samples each; tones have amplitude 1."""
    values = np.frombuffer(bytes([piece.checksum]) + piece.utf8, np.uint8)
    kinds = np.arange(-1, len(values) - 1) % 2
    kinds[0] = piece.kind
    tones = np.stack([_KINDS[kinds], _HIGH[values >> 4], _LOW[values & 15]])
    at = np.arange(length)
    phases = 2 * np.pi * _SPACING_HZ / rate_hz * tones[:, :, None] * at
    # Edges of at most 2 ms, so that the steps between symbols do not click over all tones.
    edge = min(rate_hz // 500, length // 8) + 1
    envelope = np.minimum(1.0, np.minimum(at + 1, length - at) / edge)
    symbols = np.sin(phases).sum(axis=0) * envelope
    return symbols.ravel().astype(np.float32)


def _silence(length: int) -> Samples:
    return np.zeros(length, np.float32)


def _spectrum(samples: Samples) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """For each look: power of the code's 38 tones, and the mean square of all there is."""
    padded = np.pad(samples, _FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    tones = np.arange(_KINDS[0], _LOW[-1] + 1, dtype=np.float32)
    angles = np.arange(_FRAME, dtype=np.float32)[:, None] * tones * np.float32(2 * np.pi / _FRAME)
    real, imaginary = frames @ np.cos(angles), frames @ np.sin(angles)
    powers: Samples = (real**2 + imaginary**2) * np.float32(2 / _FRAME**2)  # a tone's mean square
    return powers, np.einsum("ij,ij->i", frames, frames) / _FRAME


def _loud(energies: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Looks that are no pause."""
    audible = energies[energies > SILENCE_RMS**2]
    # Not relative to the peak: coders at low rates make short loud noises from pure tones.
    usual = float(np.quantile(audible, 0.75)) if len(audible) else 0.0
    return energies > max(0.05 * usual, SILENCE_RMS**2)


def _symbols(powers: NDArray[np.float32], energies: NDArray[np.float32]) -> list[_Symbol]:
    """Runs of frames with one kind of symbol; pauses and impure sound have kind -1."""
    kinds = np.where(_loud(energies), powers[:, _KINDS - _KINDS[0]].argmax(axis=1), -1)
    bounds = np.flatnonzero(np.diff(kinds)) + 1
    starts, ends = np.append(0, bounds), np.append(bounds, len(kinds))
    long_enough = ends - starts >= _SHORTEST_FRAMES
    found: list[_Symbol] = []
    for start, end in zip(starts[long_enough].tolist(), ends[long_enough].tolist(), strict=True):
        symbol = _symbol(int(kinds[start]), start, end, powers, energies)
        if symbol.kind < 0 <= kinds[start] and symbol.frames < _EDGE_FRAMES:
            continue  # the step from one symbol to the next
        if found and found[-1].kind == symbol.kind:
            symbol = _symbol(symbol.kind, found.pop().start, end, powers, energies)
        found.append(symbol)
    return _snapped(found, len(kinds))


def _snapped(symbols: list[_Symbol], n_frames: int) -> list[_Symbol]:
    """A window's edge is a step, which hides or spoils the few looks next to it."""
    inside = [
        symbol
        for symbol in symbols
        if symbol.kind >= 0
        or (symbol.end > _EDGE_FRAMES and symbol.start < n_frames - _EDGE_FRAMES)
    ]
    if inside and inside[0].start < _EDGE_FRAMES:
        inside[0] = replace(inside[0], start=0)
    if inside and inside[-1].end > n_frames - _EDGE_FRAMES:
        inside[-1] = replace(inside[-1], end=n_frames)
    return inside


def _symbol(
    kind: int, start: int, end: int, powers: NDArray[np.float32], energies: NDArray[np.float32]
) -> _Symbol:
    margin = min((end - start) // 3, _FRAME // _HOP)
    inner = slice(start + margin, end - margin)
    power = powers[inner].sum(axis=0)
    tones = [power[group - _KINDS[0]] for group in (_KINDS, _HIGH, _LOW)]
    weakest, total = min(float(tone.max()) for tone in tones), float(energies[inner].sum())
    pure = sum(float(tone.max()) for tone in tones) > 0.4 * total and weakest > 0.01 * total
    byte = int(tones[1].argmax()) << 4 | int(tones[2].argmax())
    return _Symbol(kind if pure else -1, byte, start, end)


def _runs(symbols: list[_Symbol]) -> Iterator[list[_Symbol]]:
    """Symbols from a marker, or the window's beginning, to the next pause or marker."""
    run: list[_Symbol] = []
    for symbol in symbols:
        if run and symbol.kind not in {_EVEN, _ODD}:
            yield run
            run = []
        if symbol.kind >= 0:
            run.append(symbol)
    if run:
        yield run


def _whole(run: list[_Symbol], usual: float, n_frames: int) -> list[_Symbol]:
    """Without echoes, and without what is less than half a symbol at the window's edge: it belongs
    to the window that has the other half. `usual` is a symbol's length where no other tells."""
    inside = [symbol.frames for symbol in run if symbol.start > 0 and symbol.end < n_frames]
    half = float(np.median(inside or [usual])) / 2
    return [symbol for symbol in run if symbol.frames > half - (symbol.start == 0)]


def _checked(run: list[_Symbol], usual: float, n_frames: int) -> Iterator[Spoken]:
    """The run's text if its checksum holds, or if the window's edge has cut it."""
    whole = _whole(run, usual, n_frames)
    if not whole:
        return
    marked = whole[0].kind in {_WORD, _REST}
    piece = _Piece(whole[0].kind, bytes(symbol.byte for symbol in whole[marked:]))
    cut = run[-1].end == n_frames if marked else run[0].start == 0
    if cut or (marked and piece.checksum == whole[0].byte):
        space = " " if piece.kind == _WORD else ""
        times = (frame * _HOP / SAMPLE_RATE_HZ for frame in (whole[0].start, whole[-1].end))
        yield Spoken(space + piece.utf8.decode("utf-8", "ignore"), *times)
