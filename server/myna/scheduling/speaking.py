"""One request's text, piece by piece through an engine, and out as encoded audio."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TypeVar

import numpy as np

from myna.audio.codecs import Layout
from myna.audio.encode import SpeechEncoder, encoder
from myna.audio.joints import Piece, joined
from myna.audio.loudness import Leveller
from myna.engines.contract import Samples, Stretch, Synthesizer, Voice
from myna.errors import BadRequest, EngineFailure, MynaError
from myna.scheduling.queue import Ticket
from myna.scheduling.workers import Workers
from myna.stages import UNRECORDED, Record
from myna.text.manner import Manner
from myna.text.sentences import FIRST_CHARS, cuts, speakable
from myna.text.sentences import Piece as TextPiece
from myna.text.spoken import spoken
from myna.text.written import Original, SpokenWord

T = TypeVar("T")

_LOOKAHEAD = 2
"""Pieces of one request that may wait or run at once: the engine never waits for the encoder."""
_SILENCE_S = 0.25
"""What a text of nothing but emoji comes to: a valid file with nothing in it."""
_CHARS_PER_S = 15.0
"""About how much text a second of speech holds; what a piece costs in the fair queue."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is to be said, and how."""

    text: str
    voice: Voice
    speed: float
    layout: Layout
    words: bool = False
    """Whether the listener wants to know where each word is."""
    manner: Manner = field(default_factory=Manner)

    @property
    def pace(self) -> float:
        """The speed with what the manner asks for, within what engines take."""
        return min(4.0, max(0.25, self.speed * self.manner.pace))


@dataclass(eq=False, slots=True)
class PieceJob:
    """One piece of a text on its way through an engine."""

    text: str
    goes_on: bool
    """Whether the sentence goes on behind it."""
    utterance: Utterance
    record: Record = UNRECORDED


class PieceRunner:
    """A synthesizer as the workers want it: one piece a batch."""

    def __init__(self, engine: Synthesizer) -> None:
        self._engine = engine

    def batch_key(self, job: PieceJob) -> Hashable:
        """Pieces are spoken one at a time."""
        return id(job)

    def cost_s(self, job: PieceJob) -> float:
        """About how many seconds of audio it will be."""
        return len(job.text) / _CHARS_PER_S / job.utterance.pace

    def run(self, jobs: Sequence[PieceJob]) -> list[Piece | PieceJob | Exception]:
        """Speak."""
        return [self._speak(job) for job in jobs]

    def _speak(self, job: PieceJob) -> Piece:
        begun_s = time.perf_counter()
        asked = job.utterance
        stretches = self._engine.synthesize(job.text, asked.voice, asked.pace, words=asked.words)
        piece = joined(
            _going_on(stretches) if job.goes_on else stretches,
            self._engine.sample_rate_hz,
            speed=asked.pace,
            pauses=asked.manner.pauses,
        )
        job.record.stage("synthesise", begun_s, time.perf_counter())
        return piece


def _going_on(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """The stretches of a piece that ends inside a sentence: an engine hears only that its text
    ends, and would take the pause behind a sentence."""
    held: Stretch | None = None
    for stretch in stretches:
        if held:
            yield held
        held = stretch
    if held:
        yield replace(held, ending="clause") if held.ending == "sentence" else held


class SpeechService:
    """What the edge calls: an utterance in, encoded audio out as it is made."""

    def __init__(
        self,
        engine: Synthesizer,
        workers: Workers[PieceJob, Piece],
        threads: Executor,
        *,
        first_chars: int = FIRST_CHARS,
        normalize: bool = True,
        loudness_lufs: float | None = None,
    ) -> None:
        """Utterances are brought to `loudness_lufs`; None leaves what the engine makes."""
        self.engine = engine
        self.workers = workers
        self._threads = threads
        self._loudness_lufs = loudness_lufs
        self._first_chars = first_chars
        self._normalize = normalize

    def pieces(self, utterance: Utterance) -> list[TextPiece]:
        """The text as it is said, in the pieces that the engine is given in turn.

        Raises:
            BadRequest: the text is nothing but markup.
        """
        return self._cut(self._reading(utterance))

    def _original(self, utterance: Utterance, said: str) -> Original | None:
        return Original(utterance.text, said) if utterance.words else None

    def _cut(self, said: str) -> list[TextPiece]:
        return list(cuts(said, first_chars=self._first_chars))

    def _reading(self, utterance: Utterance) -> str:
        if not self._normalize:
            return utterance.text
        text = spoken(utterance.text, utterance.voice.language)
        if speakable(utterance.text) and not speakable(text):
            raise BadRequest(
                "Invalid 'input': there is nothing to say but markup; give some words.",
                param="input",
            )
        return text

    async def speak(
        self, utterance: Utterance, caller: str = "", record: Record = UNRECORDED
    ) -> AsyncGenerator[Spoken]:
        """Encoded audio piece by piece, headers with the first, in the part of `caller`.

        Left early, it takes back the pieces that still wait.

        Raises:
            BadRequest: the text is nothing but markup, the voice cannot read it, or words are
                wanted of an engine that does not know where they are.
            MynaError: the engine or the encoder failed; what was yielded before is a valid
                beginning.
        """
        if utterance.words and not self.engine.times_words:
            raise BadRequest(
                f"The model {self.engine.name} does not tell where its words are; leave out "
                "'timestamp_granularities' and 'subtitles', or take another model.",
                param="timestamp_granularities",
            )
        ticket = Ticket(caller, record=record)
        coder = _Coder(utterance, self.engine.sample_rate_hz, self._loudness_lufs)
        pending: deque[asyncio.Future[Piece]] = deque()
        spoken_s = 0.0
        try:
            said = await self._call(lambda: self._reading(utterance))
            texts = await self._call(lambda: self._cut(said))
            original = await self._call(lambda: self._original(utterance, said))
            waiting = deque(texts)
            for text in texts:
                while waiting and len(pending) < _LOOKAHEAD:
                    pending.append(self._submit(ticket, utterance, waiting.popleft()))
                piece = await pending.popleft()
                begun_s = time.perf_counter()
                words = original.words(text, piece.words, spoken_s) if original else ()
                spoken = await self._encode(coder, piece, words)
                record.stage("encode-out", begun_s, time.perf_counter())
                record.audio(spoken.seconds)
                spoken_s += spoken.seconds
                yield spoken
            if not spoken_s:
                rate_hz = self.engine.sample_rate_hz
                silence = Piece(np.zeros(int(_SILENCE_S * rate_hz), np.float32))
                yield await self._encode(coder, silence)
            tail = await self._call(coder.finish)
            yield Spoken(tail, 0.0)
        finally:
            self.workers.cancel(ticket)
            for future in pending:
                future.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            await self._call(coder.close)

    def _submit(
        self, ticket: Ticket, utterance: Utterance, piece: TextPiece
    ) -> asyncio.Future[Piece]:
        text = piece.said if self._normalize else piece.text
        job = PieceJob(text, piece.goes_on, utterance, ticket.record)
        return asyncio.wrap_future(self.workers.submit(ticket, job))

    async def _encode(
        self, coder: _Coder, piece: Piece, words: Iterable[SpokenWord] = ()
    ) -> Spoken:
        data = await self._call(lambda: coder.encode(piece.samples))
        return Spoken(data, len(piece.samples) / self.engine.sample_rate_hz, tuple(words))

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


class _Coder:
    """The levelling and the encoder of one stream: not closed under the thread that still encodes
    for a client who left. What goes wrong in a codec is an EngineFailure."""

    def __init__(self, utterance: Utterance, rate_hz: int, loudness_lufs: float | None) -> None:
        self._coder: SpeechEncoder = encoder(utterance.layout, rate_hz)
        self._leveller = Leveller(loudness_lufs, rate_hz, gain_db=utterance.manner.gain_db)
        self._lock = Lock()
        self._closed = False

    def encode(self, samples: Samples) -> bytes:
        return self._safely(lambda: self._coder.encode(self._leveller.level(samples)))

    def finish(self) -> bytes:
        return self._safely(self._coder.finish)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._coder.close()

    def _safely(self, work: Callable[[], bytes]) -> bytes:
        with self._lock:
            if self._closed:
                return b""
            try:
                return work()
            except MynaError:
                raise
            except Exception as error:
                raise EngineFailure(f"the speech could not be encoded: {error}") from error


@dataclass(frozen=True, slots=True)
class Spoken:
    """The next stretch of the encoded stream."""

    data: bytes
    """May be empty where the codec holds audio back."""
    seconds: float
    """How much audio went in."""
    words: tuple[SpokenWord, ...] = ()
    """What was said in it, in seconds of the whole stream, if that was asked for."""
