"""Who speaks in a request's audio: windows through the diarizer's own fair queue, beside the
transcription that decodes them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

from myna.audio.overlap import OverlappingWindows
from myna.engines.contract.diarizer import Diarizer, KnownVoice, SpeakerFollowing, SpeakerOptions
from myna.engines.contract.samples import Samples, Window
from myna.scheduling.queue import Ticket
from myna.scheduling.workers import Workers
from myna.stages import UNRECORDED, Record
from myna.text.speakers import SpeakerNames, SpeakerTurns, attributed
from myna.text.transcript import Segment, Turn

T = TypeVar("T")

_LOOKAHEAD = 8
"""Windows of one request that may wait or run at once; decoding waits when there are more."""


@dataclass(eq=False, slots=True)
class ListeningJob:
    """Something for the diarizer to do."""

    work: Callable[[], Any]
    seconds: float
    """Of audio."""
    record: Record
    """Hears how long it took."""


class ListeningRunner:
    """A diarizer as the workers want it: one job a batch."""

    def batch_key(self, job: ListeningJob) -> Hashable:
        """Windows are heard one at a time."""
        return id(job)

    def cost_s(self, job: ListeningJob) -> float:
        """Seconds of audio."""
        return job.seconds

    def run(self, jobs: Sequence[ListeningJob]) -> list[Any]:
        """Listen."""
        return [_heard(job) for job in jobs]


def _heard(job: ListeningJob) -> Any:
    begun_s = time.perf_counter()
    try:
        return job.work()
    finally:
        job.record.stage("diarize", begun_s, time.perf_counter())


class DiarizationService:
    """What transcriptions call: begin a `Hearing` for each request."""

    def __init__(
        self,
        engine: Diarizer,
        workers: Workers[ListeningJob, Any],
        threads: Executor,
        size_bytes: int = 0,
    ) -> None:
        self.engine = engine
        self.size_bytes = size_bytes
        """Of its files."""
        self.workers = workers
        self._threads = threads

    def begin(
        self,
        options: SpeakerOptions,
        known: Sequence[str] = (),
        caller: str = "",
        record: Record = UNRECORDED,
    ) -> Hearing:
        """A recording of `caller`; `known` are the names of the known speakers of `options`, and
        `record` hears where its time goes."""
        following = self.engine.follow(options)
        return Hearing(self, following, known, Ticket(caller, record=record))

    async def voice(
        self, samples: Samples, caller: str = "", record: Record = UNRECORDED
    ) -> KnownVoice | None:
        """The voice in a recording of one speaker; None where nobody speaks in it."""
        work = partial(self.engine.voice, samples)
        job = ListeningJob(work, self.engine.window_s, record)
        ticket = Ticket(caller, record=record)
        found = await self.workers.outcome(self.workers.submit(ticket, job))
        return cast("KnownVoice | None", found)

    def close(self) -> None:
        """Stop listening and give the memory back."""
        self.workers.close()
        self.engine.close()

    async def call(self, function: Callable[[], T]) -> T:
        """Run blocking work of a request outside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


class Hearing:
    """One recording: its audio goes in, its segments come out with their speakers."""

    def __init__(
        self,
        service: DiarizationService,
        following: SpeakerFollowing,
        known: Sequence[str],
        ticket: Ticket,
    ) -> None:
        self._service = service
        self._following = following
        self._names = SpeakerNames(known)
        self._ticket = ticket
        self._windows = OverlappingWindows(service.engine.window_s, service.engine.step_s)
        self._ready: list[Window] = []
        self._pending: deque[Future[Any]] = deque()
        self._turns: list[Turn] = []
        self._held: list[Segment] = []
        """Segments whose speakers have not settled."""

    def hear(self, samples: Samples) -> None:
        """Take the next block of audio, an empty one at the end; from the thread that decodes."""
        self._ready += self._windows.feed(samples) if len(samples) else self._windows.finish()

    async def advance(self) -> None:
        """Queue what has been taken, and wait while too much of it does."""
        ready, self._ready = self._ready, []
        for window in ready:
            self._pending.append(self._submitted(window))
        while self._pending and (len(self._pending) > _LOOKAHEAD or self._pending[0].done()):
            await self._follow()

    def settled(self, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        """Take the next segments in order of time, and give those whose speakers are known now."""
        self._held += segments
        until_s = self._following.settled_s
        count = 0
        while count < len(self._held) and self._held[count].end_s <= until_s:
            count += 1
        ready, self._held = self._held[:count], self._held[count:]
        return self._attributed(ready) if ready else ()

    async def rest(self) -> AsyncGenerator[tuple[Segment, ...]]:
        """The recording is over: hear what waits, and give the segments that are left as soon as
        their speakers are known."""
        await self.advance()
        while self._pending:
            if settled := self.settled(()):
                yield settled
            await self._follow()
        yield await self._service.call(self._last)

    def leave(self) -> None:
        """Take back what still waits; a window that is being heard ends by itself."""
        self._service.workers.cancel(self._ticket)

    def _submitted(self, window: Window) -> Future[Any]:
        engine = self._service.engine
        job = ListeningJob(partial(engine.hear, window), engine.step_s, self._ticket.record)
        return self._service.workers.submit(self._ticket, job)

    async def _follow(self) -> None:
        self._following.add(await self._service.workers.outcome(self._pending.popleft()))

    def _last(self) -> tuple[Segment, ...]:
        begun_s = time.perf_counter()
        self._following.finish()
        self._ticket.record.stage("diarize", begun_s, time.perf_counter())
        held, self._held = self._held, []
        return self._attributed(held)

    def _attributed(self, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        self._turns += self._following.take()
        if segments:  # what lies far behind is never asked for again
            self._turns = [turn for turn in self._turns if turn.end_s > segments[0].start_s - 60]
        return tuple(attributed(segments, SpeakerTurns(self._turns), self._names))
