"""One request's text, piece by piece through an engine, and out as encoded audio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

import numpy as np

from myna.audio.encode import SpeechEncoder, SpeechFormat, encoder
from myna.engines.contract import Samples, Synthesizer, Voice
from myna.errors import BadRequest
from myna.scheduling.queue import Ticket
from myna.scheduling.workers import Workers
from myna.text.sentences import FIRST_CHARS, cuts, speakable
from myna.text.spoken import spoken

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
    format: SpeechFormat


@dataclass(eq=False, slots=True)
class PieceJob:
    """One piece of a text on its way through an engine."""

    text: str
    voice: Voice
    speed: float


class PieceRunner:
    """A synthesizer as the workers want it: one piece a batch."""

    def __init__(self, engine: Synthesizer) -> None:
        self._engine = engine

    def batch_key(self, job: PieceJob) -> Hashable:
        """Pieces are spoken one at a time."""
        return id(job)

    def cost_s(self, job: PieceJob) -> float:
        """About how many seconds of audio it will be."""
        return len(job.text) / _CHARS_PER_S / job.speed

    def run(self, jobs: Sequence[PieceJob]) -> list[Samples | PieceJob | Exception]:
        """Speak."""
        return [self._speak(job) for job in jobs]

    def _speak(self, job: PieceJob) -> Samples:
        blocks = list(self._engine.synthesize(job.text, job.voice, job.speed))
        return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


class SpeechService:
    """What the edge calls: an utterance in, encoded audio out as it is made."""

    def __init__(
        self,
        engine: Synthesizer,
        workers: Workers[PieceJob, Samples],
        threads: Executor,
        *,
        first_chars: int = FIRST_CHARS,
        normalize: bool = True,
    ) -> None:
        self.engine = engine
        self.workers = workers
        self._threads = threads
        self._first_chars = first_chars
        self._normalize = normalize

    def pieces(self, utterance: Utterance) -> list[str]:
        """What the engine is given to say, in order.

        Raises:
            BadRequest: the text is nothing but markup.
        """
        text = utterance.text
        if self._normalize:
            text = spoken(text, utterance.voice.language)
            if speakable(utterance.text) and not speakable(text):
                raise BadRequest(
                    "Invalid 'input': there is nothing to say but markup; give some words.",
                    param="input",
                )
        return [piece.said for piece in cuts(text, first_chars=self._first_chars)]

    async def speak(self, utterance: Utterance, caller: str = "") -> AsyncGenerator[Spoken]:
        """Encoded audio piece by piece, headers with the first, in the part of `caller`.

        Left early, it takes back the pieces that still wait.

        Raises:
            BadRequest: the text is nothing but markup; nothing was yielded.
            MynaError: the engine failed; what was yielded before is a valid beginning.
        """
        ticket = Ticket(caller)
        coder = _Coder(encoder(utterance.format, self.engine.sample_rate_hz))
        pending: deque[asyncio.Future[Samples]] = deque()
        spoken_s = 0.0
        try:
            waiting = deque(await self._call(lambda: self.pieces(utterance)))
            while waiting or pending:
                while waiting and len(pending) < _LOOKAHEAD:
                    pending.append(self._submit(ticket, utterance, waiting.popleft()))
                samples = await pending.popleft()
                spoken = await self._encode(coder, samples)
                spoken_s += spoken.seconds
                yield spoken
            if not spoken_s:
                rate_hz = self.engine.sample_rate_hz
                yield await self._encode(coder, np.zeros(int(_SILENCE_S * rate_hz), np.float32))
            tail = await self._call(coder.finish)
            yield Spoken(tail, 0.0)
        finally:
            self.workers.cancel(ticket)
            for future in pending:
                future.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            await self._call(coder.close)

    def _submit(self, ticket: Ticket, utterance: Utterance, text: str) -> asyncio.Future[Samples]:
        job = PieceJob(text, utterance.voice, utterance.speed)
        return asyncio.wrap_future(self.workers.submit(ticket, job))

    async def _encode(self, coder: _Coder, samples: Samples) -> Spoken:
        data = await self._call(lambda: coder.encode(samples))
        return Spoken(data, len(samples) / self.engine.sample_rate_hz)

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


class _Coder:
    """An encoder that is not closed under the thread that still encodes for a client who left."""

    def __init__(self, coder: SpeechEncoder) -> None:
        self._coder = coder
        self._lock = Lock()
        self._closed = False

    def encode(self, samples: Samples) -> bytes:
        with self._lock:
            return b"" if self._closed else self._coder.encode(samples)

    def finish(self) -> bytes:
        with self._lock:
            return b"" if self._closed else self._coder.finish()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._coder.close()


@dataclass(frozen=True, slots=True)
class Spoken:
    """The next stretch of the encoded stream."""

    data: bytes
    """May be empty where the codec holds audio back."""
    seconds: float
    """How much audio went in."""
