"""One request's way through decoding, windows and the engine, and back in order."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from typing import TypeVar

from myna.audio.activity import SpeechProbabilities
from myna.audio.decode import Decoder, PcmStream
from myna.audio.window_stream import WindowStream
from myna.audio.windows import Cutting
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Window
from myna.engines.contract.transcriber import DecodingOptions, Transcriber, WindowJob, WindowResult
from myna.errors import DeadlineExceeded
from myna.scheduling.diarization import Hearing
from myna.scheduling.queue import Ticket
from myna.scheduling.workers import Workers
from myna.stages import UNRECORDED, Record
from myna.text.transcript import Segment, Transcript

T = TypeVar("T")

_LOOKAHEAD = 16
"""Windows of one request that may wait or run at once, at most."""
_UPLOADING = 4
"""Uploads that are transcribed while they arrive; others are when they are complete."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Segments that have become final, and how much of the audio has been read."""

    segments: tuple[Segment, ...]
    """In order of time; empty where a window held no speech."""
    done_s: float
    """Seconds of audio that are finished."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a request may have."""

    caller: str = ""
    """Whose it is: requests of one caller share that caller's part of the machine."""
    longest_s: float | None = None
    """How long it may take from `open` on, in seconds."""
    record: Record = UNRECORDED
    """Told where its time goes."""


_UNBOUNDED = Bounds()


@dataclass(frozen=True, slots=True)
class _Coming:
    """A window that waits or runs."""

    result: asyncio.Task[WindowResult]
    seconds: float


class TranscriptionService:
    """What the edge calls: a file and options in, a `Transcription` out."""

    def __init__(
        self,
        engine: Transcriber,
        workers: Workers[WindowJob, WindowResult],
        decoder: Decoder,
        speech: Callable[[], SpeechProbabilities],
        threads: Executor,
    ) -> None:
        self.engine = engine
        self.workers = workers
        self.speech = speech
        """Makes what finds speech in one stream of audio."""
        self._decoder = decoder
        self._threads = threads
        self.uploading = BoundedSemaphore(_UPLOADING)
        """Transcriptions of files that are still being uploaded: each may hold a thread while it
        waits for its client."""

    def on(self, threads: Executor) -> TranscriptionService:
        """The same engine and queue, with other threads for the work beside them."""
        return TranscriptionService(self.engine, self.workers, self._decoder, self.speech, threads)

    async def open(
        self,
        fd: int,
        options: DecodingOptions,
        cutting: Cutting,
        bounds: Bounds = _UNBOUNDED,
        growth: int | None = None,
        hearing: Hearing | None = None,
    ) -> Transcription:
        """Begin with the media file behind `fd`; `growth` tells when a file that is not complete
        has grown (see `Decoder.open`). Both stay the caller's. `hearing` tells its speakers apart;
        it needs word timestamps, and is the transcription's from here on."""
        prompt_tokens = await self.call(lambda: self.engine.prompt_tokens(options))
        listener = hearing.hear if hearing else None
        begun_s = time.perf_counter()
        stream = WindowStream(await self.decoded(fd, growth), self.speech(), cutting, listener)
        bounds.record.stage("decode", begun_s, time.perf_counter())
        return Transcription(self, stream, options, prompt_tokens, bounds, hearing)

    async def call(self, function: Callable[[], T]) -> T:
        """Run blocking work of a request outside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    async def decode(self, ticket: Ticket, job: WindowJob) -> WindowResult:
        """Prepare a window, queue it, and wait for its result."""
        await self.call(lambda: self.engine.prepare(job))
        return await self.workers.outcome(self.workers.submit(ticket, job))

    def cancel(self, ticket: Ticket) -> None:
        """Forget what waits for the engine with this ticket; it cannot be used again."""
        self.workers.cancel(ticket)

    async def decode_whole(
        self, ticket: Ticket, window: Window, options: DecodingOptions
    ) -> WindowResult:
        """Decode a window, and what the engine left of it as a window of its own."""
        job = WindowJob(window, options, record=ticket.record)
        result = await self.decode(ticket, job)
        if result.rest_from_s is None:
            return result
        skipped = round((result.rest_from_s - window.start_s) * SAMPLE_RATE_HZ)
        behind = Window(window.samples[skipped:], result.rest_from_s)
        rest = await self.decode_whole(ticket, behind, replace(options, language=result.language))
        return WindowResult(result.segments + rest.segments, result.language)

    def _opened(self, own: Sequence[int]) -> PcmStream:
        try:
            return self._decoder.open(*own)
        finally:
            for fd in own:
                os.close(fd)

    async def decoded(self, fd: int, growth: int | None = None) -> PcmStream:
        """The audio of the media file behind `fd`. Arguments are those of `open`."""
        # Descriptors of our own: the caller may close his while the thread is still opening it.
        own = [os.dup(each) for each in (fd, growth) if each is not None]
        opening = asyncio.ensure_future(self.call(lambda: self._opened(own)))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise


def _now_s() -> float:
    return asyncio.get_running_loop().time()


class Transcription:
    """A request on its way: iterate over `progress`, then read `transcript`; or just `run`."""

    def __init__(
        self,
        service: TranscriptionService,
        stream: WindowStream,
        options: DecodingOptions,
        prompt_tokens: int = 0,
        bounds: Bounds = _UNBOUNDED,
        hearing: Hearing | None = None,
    ) -> None:
        self._service = service
        self._stream = stream
        self._options = options
        self._prompt_tokens = prompt_tokens
        self._ticket = Ticket(bounds.caller, record=bounds.record)
        self._record = bounds.record
        self._longest_s = bounds.longest_s
        self._end_s = None if bounds.longest_s is None else _now_s() + bounds.longest_s
        self._first: asyncio.Task[WindowResult] | None = None
        self._pending: deque[_Coming] = deque()
        self._language = options.language
        self._segments: list[Segment] = []
        self._hearing = hearing

    async def run(self) -> Transcript:
        """Everything at once."""
        async for _ in self.progress():
            pass
        return self.transcript

    async def progress(self) -> AsyncIterator[Progress]:
        """Segments in order of time, as windows finish.

        Ends when all is said. Left early, it takes back what still waits and stops decoding.

        Raises:
            DeadlineExceeded: it took longer than its bounds allow.
            MynaError: the audio or the engine failed; what was yielded before stays true.
        """
        told_s = 0.0
        try:
            while (result := await self._in_time(self._next())) is not None:
                self._language = self._language or result.language
                said = self._said(result.segments)
                told_s = said.done_s
                yield said
            if self._hearing is not None:
                async with aclosing(self._hearing.rest()) as rest:
                    while (settled := await self._in_time(anext(rest, None))) is not None:
                        yield Progress(self._kept(settled), self._done_s)
            elif 0 < told_s < self._done_s:  # that this window was the last was not known yet
                yield Progress((), self._done_s)
        finally:
            await self._leave()

    def _said(self, segments: Sequence[Segment]) -> Progress:
        """What a window said, or as much of all that was said as has its speakers."""
        kept = self._kept(self._hearing.settled(segments) if self._hearing else segments)
        return Progress(kept, self._done_s)

    def _kept(self, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        self._segments.extend(segments)
        return tuple(segments)

    async def _next(self) -> WindowResult | None:
        """The next window's result; None at the end."""
        await self._fill()
        return await self._pending.popleft().result if self._pending else None

    async def _in_time(self, step: Awaitable[T]) -> T:
        limit = asyncio.timeout_at(self._end_s)
        try:
            async with limit:
                return await step
        except TimeoutError:
            if limit.expired() and self._longest_s is not None:
                raise DeadlineExceeded(self._longest_s) from None
            raise

    @property
    def declared_s(self) -> float | None:
        """How long the recording says it is, in seconds."""
        return self._stream.declared_s

    @property
    def transcript(self) -> Transcript:
        """What has been said so far; all of it once `progress` has ended."""
        return Transcript(
            task=self._options.task,
            language=self._language or "en",
            duration_s=self._stream.seconds_read,
            segments=tuple(self._segments),
            prompt_tokens=self._prompt_tokens,
            language_detected=self._options.language is None,
        )

    @property
    def _done_s(self) -> float:
        if self._stream.finished and not self._pending:
            return self._stream.seconds_read
        return self._segments[-1].end_s if self._segments else 0.0

    async def _fill(self) -> None:
        """Keep windows coming until enough wait, or the first of them can be delivered."""
        while not self._stream.finished and not self._enough:
            if self._pending and self._pending[0].result.done():
                return
            for window in await self._windows():
                task = asyncio.create_task(self._decode(window))
                self._first = self._first or task
                self._pending.append(_Coming(task, window.seconds))
            if self._hearing is not None:
                await self._hearing.advance()

    @property
    def _enough(self) -> bool:
        """Whether as much waits or runs as fills what the engine runs at once, and a batch behind.
        A window of 30 s takes 5 MB while it waits."""
        engine = self._service.engine
        enough_s = (engine.long_lanes() + 1) * engine.long_limit_s
        waiting_s = sum(coming.seconds for coming in self._pending)
        return len(self._pending) >= _LOOKAHEAD or waiting_s >= enough_s

    async def _windows(self) -> Sequence[Window]:
        begun_s, before_s = time.perf_counter(), self._stream.seconds_read
        windows = await self._service.call(self._stream.next)
        self._record.stage("decode", begun_s, time.perf_counter())
        self._record.audio(self._stream.seconds_read - before_s)
        return windows

    async def _decode(self, window: Window) -> WindowResult:
        options = replace(self._options, language=await self._spoken_language())
        return await self._service.decode_whole(self._ticket, window, options)

    async def _spoken_language(self) -> str | None:
        """A recording has one language: its first window finds it, the others are told."""
        if self._options.language or self._first is None or self._first is asyncio.current_task():
            return self._options.language
        return (await asyncio.shield(self._first)).language

    async def _leave(self) -> None:
        self._service.workers.cancel(self._ticket)
        self._stream.close()
        tasks = [coming.result for coming in self._pending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._hearing is not None:
            self._hearing.leave()


def _close_unwanted(opening: asyncio.Future[PcmStream]) -> None:
    """The client left while its file was being opened."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
