"""The pieces of a text in front of an engine: what waits, what runs, and what comes of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from myna.audio.codecs import Layout
from myna.audio.joints import Joiner, Piece
from myna.engines.contract.synthesizer import QuickStarter, Stretch, Synthesizer
from myna.engines.contract.voice import Voice
from myna.scheduling.queue import Ticket
from myna.scheduling.workers import Workers
from myna.stages import UNRECORDED, Record
from myna.text.manner import Manner

_LOOKAHEAD = 2
"""Pieces of one request that may wait or run at once: the engine never waits for the encoder."""
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
    utterance: Utterance
    record: Record = UNRECORDED
    goes_on: bool = False
    """Whether the sentence goes on behind it."""
    soon: bool = False
    """Whether to come back as soon as there is something to listen to."""
    speech: Speech | None = None
    """The piece as far as it is made; None where it has not begun."""


@dataclass(eq=False, slots=True)
class Speech:
    """A piece that is being spoken."""

    stretches: Iterator[Stretch]
    joiner: Joiner
    goes_on: bool

    def take(self, *, soon: bool) -> tuple[Piece, bool]:
        """What there is up to a break in the sound if it is wanted `soon`, else all that is left;
        and whether that was the end."""
        taken: list[Stretch] = []
        for stretch in self.stretches:
            taken.append(stretch)
            if soon and stretch.ending == "open":
                return self.joiner.join(taken), False
        # An engine hears only that its text ends, and would take the pause behind a sentence.
        if self.goes_on and taken and taken[-1].ending == "sentence":
            taken[-1] = replace(taken[-1], ending="clause")
        return self.joiner.join(taken), True


@dataclass(frozen=True, slots=True)
class Made:
    """What a worker made of a piece."""

    piece: Piece
    rest: PieceJob | None = None
    """What goes on where this ends."""


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

    def run(self, jobs: Sequence[PieceJob]) -> list[Made | PieceJob | Exception]:
        """Speak."""
        return [self._speak(job) for job in jobs]

    def _speak(self, job: PieceJob) -> Made:
        begun_s = time.perf_counter()
        speech = job.speech or self._begin(job)
        piece, ended = speech.take(soon=job.soon)
        job.record.stage("synthesise", begun_s, time.perf_counter())
        return Made(piece, None if ended else replace(job, soon=False, speech=speech))

    def _begin(self, job: PieceJob) -> Speech:
        asked, engine = job.utterance, self._engine
        joiner = Joiner(engine.sample_rate_hz, speed=asked.pace, pauses=asked.manner.pauses)
        # Words are found in whole sentences.
        if job.soon and not asked.words and isinstance(engine, QuickStarter):
            stretches = engine.begin(job.text, asked.voice, asked.pace)
        else:
            stretches = engine.synthesize(job.text, asked.voice, asked.pace, words=asked.words)
        return Speech(stretches, joiner, job.goes_on)


class Line:
    """The pieces of one request in front of an engine, a few of them at a time."""

    def __init__(self, workers: Workers[PieceJob, Made], ticket: Ticket) -> None:
        self._workers = workers
        self._ticket = ticket
        self._waiting: deque[PieceJob] = deque()
        self._pending: deque[asyncio.Future[Made]] = deque()
        self._ahead = 1
        """How many may be in front of the engine. While the first is made and sent off, there is
        one: the cores are for that."""

    def wait(self, jobs: Iterable[PieceJob], *, soon: bool) -> None:
        """Take up the pieces; the first may come in two, if it is wanted `soon`."""
        self._waiting.extend(jobs)
        if self._waiting:
            self._waiting[0].soon = soon
        self._fill()

    async def take(self) -> Made | None:
        """The next as soon as it is made; None when there are no more."""
        self._fill()
        if not self._pending:
            return None
        made = await self._pending.popleft()
        if made.rest is not None:
            self._pending.appendleft(self._submit(made.rest))
        self._fill()
        self._ahead = _LOOKAHEAD
        return made

    async def leave(self) -> None:
        """Give up what is not made."""
        self._workers.cancel(self._ticket)
        for future in self._pending:
            future.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)

    def _fill(self) -> None:
        while self._waiting and len(self._pending) < self._ahead:
            self._pending.append(self._submit(self._waiting.popleft()))

    def _submit(self, job: PieceJob) -> asyncio.Future[Made]:
        return asyncio.wrap_future(self._workers.submit(self._ticket, job))
