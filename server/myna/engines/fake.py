"""Engines that need no weights: speech that is a tone code, and a listener that reads it back.

For testing software against Myna offline. `FakeSynthesizer` says a text as tones between 320 and
3280 Hz, about as long as speech takes and the same for the same text. `FakeTranscriber` gives that
text back, word by word, after resampling, 16-bit rounding or lossy coding, at any speed. Silence
says nothing; any other sound is `fake transcript of 3.0 seconds`.

The code: a symbol is a byte, sounded as three tones at once: one of 16 for each half of the byte
and one of four that says what the symbol is. Bytes of a word (UTF-8) alternate between two kinds,
so that the boundaries can be heard at any speed; before them stands a symbol of a third or fourth
kind with a checksum: a new word, or the rest of one. Words are set apart by a pause, where audio
may be cut into windows. Runs of white space become one space.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract import (
    SAMPLE_RATE_HZ,
    DecodingOptions,
    Samples,
    Voice,
    Window,
    WindowJob,
    WindowResult,
)
from myna.text.transcript import Segment, TokenLogprob, Word

SYMBOL_S = 0.06
"""Length of a byte, and of a pause, at speed 1: seven to a word of five letters make 143 words a
minute."""

_VOICES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage",
    "shimmer", "verse",
)  # fmt: skip

_WHISPER_CODES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th "
    "ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr "
    "pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt "
    "haw ln ha ba jw su yue"
)

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
_EDGE_FRAMES = _FRAME // _HOP
"""Looks that see a step in the sound."""
_SILENCE = 1e-3
"""Root mean square under which nobody speaks, -60 dBFS."""
_SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "।")
_LONGEST_SEGMENT_S = 10.0


class FakeSynthesizer:
    """Speaks the tone code at 24 kHz in 13 voices that differ in loudness."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.sample_rate_hz = 24_000
        self.voices: Sequence[Voice] = tuple(
            Voice(id=voice, name=voice.title(), language="en-US") for voice in _VOICES
        )
        self.workers = 2

    def synthesize(self, text: str, voice: Voice, speed: float) -> Iterator[Samples]:
        """A block for each word, and the pause at the end. Never raises on any text."""
        if not any(character.isalnum() for character in text):
            return
        length = round(SYMBOL_S * self.sample_rate_hz / speed)
        amplitude = self._amplitude(voice)
        for piece in _pieces(text):
            yield amplitude * _sounded(piece, length, self.sample_rate_hz)
        yield np.zeros(length, np.float32)

    def warm_up(self) -> None:
        """Nothing to warm."""

    def close(self) -> None:
        """Nothing to free."""

    def _amplitude(self, voice: Voice) -> np.float32:
        """Of each of the three tones."""
        known = [voice.id for voice in self.voices]
        place = known.index(voice.id) if voice.id in known else 0
        return np.float32(0.15 + 0.01 * place)


class FakeTranscriber:
    """Reads the tone code; finds placeholder words in other sound and none in silence."""

    def __init__(
        self, name: str = "fake", languages: frozenset[str] = frozenset(_WHISPER_CODES.split())
    ) -> None:
        self.name = name
        self.languages = languages
        self.translates = True
        self.workers = 2

    def prompt_tokens(self, options: DecodingOptions) -> int:
        """One token a word."""
        return sum(len(hint.split()) for hint in (options.prompt or "", *options.hotwords))

    def count_tokens(self, segments: Sequence[Segment]) -> int:
        """One token a word."""
        return sum(len(segment.tokens) for segment in segments)

    def prepare(self, job: WindowJob) -> None:
        """Nothing to prepare."""

    def batch_key(self, job: WindowJob) -> Hashable:  # noqa: ARG002 - all jobs are alike
        """All jobs share batches."""
        return self.name

    def cost_s(self, job: WindowJob) -> float:
        """The window's length; nothing is padded."""
        return job.window.seconds

    def run(self, jobs: Sequence[WindowJob]) -> Sequence[WindowResult | WindowJob | Exception]:
        """A result for every job."""
        return [self._heard(job) for job in jobs]

    def warm_up(self) -> None:
        """Nothing to warm."""

    def close(self) -> None:
        """Nothing to free."""

    def _heard(self, job: WindowJob) -> WindowResult:
        samples = np.nan_to_num(np.asarray(job.window.samples, np.float32))
        words = _read(samples) or _placeholder(samples)
        segments = tuple(_segment(part, job) for part in _sentences(words))
        return WindowResult(segments, job.options.language or "en")


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
class _Spoken:
    """A word and where it is in the window."""

    text: str
    start_s: float
    end_s: float


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
    """A pause and the piece's symbols, `length` samples each; tones have amplitude 1."""
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
    return np.concatenate([np.zeros(length), symbols.ravel()]).astype(np.float32)


def _read(samples: Samples) -> list[_Spoken]:
    """What the tones in a window say; nothing where there are none, or other sound."""
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
    audible = energies[energies > _SILENCE**2]
    # Not relative to the peak: coders at low rates make short loud noises from pure tones.
    usual = float(np.quantile(audible, 0.75)) if len(audible) else 0.0
    return energies > max(0.05 * usual, _SILENCE**2)


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


def _checked(run: list[_Symbol], usual: float, n_frames: int) -> Iterator[_Spoken]:
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
        yield _Spoken(space + piece.utf8.decode("utf-8", "ignore"), *times)


def _placeholder(samples: Samples) -> list[_Spoken]:
    """Words for sound that is no code, spread evenly over where it is."""
    frame = SAMPLE_RATE_HZ // 50
    blocks = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
    loud = np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) > _SILENCE)
    if not len(loud):
        return []
    seconds = len(samples) / SAMPLE_RATE_HZ
    words = f"fake transcript of {seconds:.1f} seconds".split()
    start_s, end_s = float(loud[0]) / 50, min((float(loud[-1]) + 1) / 50, seconds)
    step_s = (end_s - start_s) / len(words)
    return [
        _Spoken(f" {word}", start_s + place * step_s, start_s + (place + 1) * step_s)
        for place, word in enumerate(words)
    ]


def _sentences(words: Sequence[_Spoken]) -> Iterator[list[_Spoken]]:
    part: list[_Spoken] = []
    for word in words:
        part.append(word)
        long = word.end_s - part[0].start_s >= _LONGEST_SEGMENT_S
        if long or word.text.endswith(_SENTENCE_ENDS):
            yield part
            part = []
    if part:
        yield part


def _segment(spoken: Sequence[_Spoken], job: WindowJob) -> Segment:
    """Figures as a sure model would give them, the same for the same words."""
    window, options = job.window, job.options
    text = "".join(word.text for word in spoken)
    utf8 = text.encode()
    scores = [_logprob(word) for word in spoken]
    return Segment(
        seek=round(window.start_s * 100),
        start_s=window.start_s + spoken[0].start_s,
        end_s=window.start_s + spoken[-1].end_s,
        text=text,
        tokens=_tokens(spoken),
        temperature=options.temperature,
        avg_logprob=sum(scores) / len(scores),
        compression_ratio=len(utf8) / len(zlib.compress(utf8)),
        no_speech_prob=0.01,
        words=_words(spoken, window) if options.word_timestamps else (),
        logprobs=_token_logprobs(spoken) if options.token_logprobs else (),
    )


def _words(spoken: Sequence[_Spoken], window: Window) -> tuple[Word, ...]:
    start_s = window.start_s
    return tuple(
        Word(word.text, start_s + word.start_s, start_s + word.end_s, float(np.exp(_logprob(word))))
        for word in spoken
    )


def _token_logprobs(spoken: Sequence[_Spoken]) -> tuple[TokenLogprob, ...]:
    return tuple(TokenLogprob(word.text, word.text.encode(), _logprob(word)) for word in spoken)


def _tokens(spoken: Sequence[_Spoken]) -> tuple[int, ...]:
    """One for each word, between timestamps as multilingual Whisper numbers them."""
    text_ids = (zlib.crc32(word.text.encode()) % 50_257 for word in spoken)
    first, last = (50_364 + round(at / 0.02) for at in (spoken[0].start_s, spoken[-1].end_s))
    return (first, *text_ids, last)


def _logprob(word: _Spoken) -> float:
    """Between 0 and -0.5."""
    return -(zlib.crc32(word.text.encode()) % 100) / 200
