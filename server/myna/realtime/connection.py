"""A connection: brings messages and results to a session, one at a time, and events back.

What it is connected to is an argument, so that it knows nothing of WebSockets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from myna.engines.contract.transcriber import WindowResult
from myna.errors import MynaError
from myna.realtime.events import Event
from myna.realtime.items import Ask
from myna.realtime.session import Session, Step
from myna.scheduling.queue import Ticket
from myna.stages import UNRECORDED, Record
from myna.text.encoding import encode_json

MOST_EVENTS = 512
"""That a client may leave unread on our side; what the network holds comes on top."""
MOST_BACKLOG = 8
"""Windows and items that may wait; beyond it nothing more is read from the client."""
_SEND_S = 20.0
"""Longest that one event may take to leave."""
_LAST_EVENTS_S = 2.0
"""Longest that all together may take once the session is over."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why we hang up, as a close frame says it (RFC 6455, section 7.4)."""

    code: int
    reason: str


TOO_SLOW = Ending(1008, "events are not read")
EXPIRED = Ending(1001, "session expired")


class _Over(Exception):
    def __init__(self, ending: Ending | None) -> None:
        super().__init__(ending)
        self.ending = ending


class Connection:
    """Runs one session."""

    def __init__(
        self,
        session: Session,
        receive: Callable[[], Awaitable[str | bytes | None]],
        send: Callable[[str], Awaitable[None]],
        *,
        threads: Executor,
        guessing: asyncio.Semaphore | None = None,
        caller: str = "",
        record: Record = UNRECORDED,
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        """`receive` gives the client's next message, None when it has left. `threads` do the work
        of listening, `guessing` is how many hypotheses all sessions may have at the engine,
        `caller` is whose part of the machine the session uses, and `record` hears where the time
        goes and how much audio is written down. `admit` raises MynaError where the caller may not
        have an item written down now."""
        self._session = session
        self._receive = receive
        self._send = send
        self._threads = threads
        self._guessing = guessing or asyncio.Semaphore(1)
        self._caller = caller
        self._record = record
        self._admit = admit
        self._heard_s = 0.0
        """Spent on what the client sent since a window was written down."""
        self._ticket = Ticket(caller, live=True, record=record)
        self._events: asyncio.Queue[str] = asyncio.Queue(MOST_EVENTS)
        self._turn = asyncio.Lock()
        """A session does one thing at a time."""
        self._answered = asyncio.Event()
        self._engine: asyncio.Task[None] | None = None

    async def run(self, longest_s: float | None = None) -> Ending | None:
        """Until the client leaves (None), or until we do."""
        ending = None
        try:
            async with asyncio.TaskGroup() as tasks:
                self._do(tasks, self._session.open())
                tasks.create_task(self._write())
                tasks.create_task(self._listen(tasks))
                if longest_s is not None:
                    tasks.create_task(self._expire(tasks, longest_s))
        except* _Over as over:
            ending = _innermost(over).ending
        if guessed_s := self._session.left():
            self._tell(guessed_s)
        if ending is not None:
            await self._say_the_rest()
        return ending

    async def _listen(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while (message := await self._receive()) is not None:
            async with self._turn:
                step = await loop.run_in_executor(self._threads, self._hear, message)
                self._do(tasks, step)
            while self._session.backlog > MOST_BACKLOG:
                self._answered.clear()
                await self._answered.wait()
        raise _Over(None)

    def _hear(self, message: str | bytes) -> Step:
        begun_s = time.perf_counter()
        try:
            return self._session.receive(message)
        finally:
            self._heard_s += time.perf_counter() - begun_s

    async def _write(self) -> None:
        try:
            while True:
                event = await self._events.get()
                async with asyncio.timeout(_SEND_S):
                    await self._send(event)
        except TimeoutError:
            raise _Over(TOO_SLOW) from None

    async def _expire(self, tasks: asyncio.TaskGroup, longest_s: float) -> None:
        await asyncio.sleep(longest_s)
        async with self._turn:
            self._do(tasks, self._session.expire(longest_s))
        raise _Over(EXPIRED)

    async def _decode(self, tasks: asyncio.TaskGroup, ask: Ask) -> None:
        try:
            if not ask.item.understood:
                self._admit()
            if ask.kind == "partial":
                result = await self._guess(ask)
            else:
                hearing = ask.item.manner.hearing
                result = await hearing.decode_whole(self._ticket, ask.window, ask.options)
        except MynaError as failure:
            result = failure
        async with self._turn:
            self._do(tasks, self._session.answered(ask, result))
        self._answered.set()

    async def _guess(self, ask: Ask) -> WindowResult:
        """A hypothesis waits like anybody's short clip, and for those of other sessions."""
        hearing = ask.item.manner.hearing
        ticket = Ticket(self._caller, record=self._record)
        try:
            async with self._guessing:
                return await hearing.decode_whole(ticket, ask.window, ask.options)
        except asyncio.CancelledError:
            hearing.cancel(ticket)
            raise

    def _do(self, tasks: asyncio.TaskGroup, step: Step) -> None:
        if step.drop and self._engine is not None:
            self._engine.cancel()
        if step.written_s:
            self._tell(step.written_s)
        if step.events:
            self._put(step.events)
        if step.ask is not None:
            self._engine = tasks.create_task(self._decode(tasks, step.ask))

    def _put(self, events: Sequence[Event]) -> None:
        begun_s = time.perf_counter()
        for event in events:
            try:
                self._events.put_nowait(encode_json(event).decode())
            except asyncio.QueueFull:
                raise _Over(TOO_SLOW) from None
        self._record.stage("encode-out", begun_s, time.perf_counter())

    def _tell(self, written_s: float) -> None:
        """Windows have been written down. What it took to hear them is one stretch: noting every
        message would cost about as much as hearing it."""
        self._record.audio(written_s)
        now_s = time.perf_counter()
        self._record.stage("decode", now_s - self._heard_s, now_s)
        self._heard_s = 0.0

    async def _say_the_rest(self) -> None:
        try:
            async with asyncio.timeout(_LAST_EVENTS_S):
                while not self._events.empty():
                    await self._send(self._events.get_nowait())
        except TimeoutError:
            return


def _innermost(group: BaseExceptionGroup[_Over]) -> _Over:
    first = group.exceptions[0]
    return _innermost(first) if isinstance(first, BaseExceptionGroup) else first
