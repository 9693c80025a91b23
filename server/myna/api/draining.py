"""The end of a server: nothing new is taken, and what runs is finished within a limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.api.body import Body
from myna.api.context import record
from myna.api.responses import failure
from myna.errors import Overloaded

_OPEN_PATHS = frozenset({"/health", "/metrics"})
"""What is answered to the end, and does not hold it up."""
_RETRY_S = 5.0
"""About how long another server takes to be asked instead, or this one to be replaced."""
_UNWIND_S = 5.0
"""How long requests that are broken off may take to clear up behind themselves."""


@dataclass(eq=False, slots=True)
class Running:
    """A request, or a socket, that is being served."""

    id: str
    """Empty for a socket."""
    what: str
    """Method and path."""
    begun_s: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        # The path on one line, without control characters.
        seconds = time.monotonic() - self.begun_s
        return f"{self.id} {ascii(self.what)[1:-1]} after {seconds:.1f} s".lstrip()


class Drain:
    """Which requests run, and whether more are taken. Only to be used on the event loop."""

    def __init__(self) -> None:
        self.draining = False
        self._running: dict[asyncio.Task[object], Running] = {}
        self._dropped: list[Running] = []
        self._changed = asyncio.Event()
        self._hurried = False

    @property
    def running(self) -> int:
        """How many requests are being served."""
        return len(self._running)

    def begin(self) -> None:
        """Take no more requests."""
        self.draining = True

    def hurry(self) -> None:
        """Do not wait any longer for those that run."""
        self._hurried = True
        self._changed.set()

    async def finish(self, limit_s: float) -> list[Running]:
        """Wait until all requests are answered, break off those that are not within the limit, and
        return these."""
        self.begin()
        end_s = time.monotonic() + limit_s
        while self._running and not self._hurried:
            if not await self._change(end_s - time.monotonic()):
                break
        self._dropped = list(self._running.values())
        for task in self._running:
            task.cancel()
        end_s = time.monotonic() + _UNWIND_S
        while self._running and await self._change(end_s - time.monotonic()):
            pass
        return self._dropped

    def dropped(self, running: Running) -> bool:
        """Whether it was broken off."""
        return running in self._dropped

    @contextmanager
    def serving(self, running: Running) -> Generator[None]:
        """Surrounds the work on a request."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is served by a task")
        self._running[task] = running
        try:
            yield
        finally:
            del self._running[task]
            self._changed.set()

    async def _change(self, timeout_s: float) -> bool:
        """Wait until a request has ended; False if none has in time."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), max(timeout_s, 0.0))
        except TimeoutError:
            return False
        return True


class Drainable:
    """Lets requests in until the drain begins, and answers those that it breaks off."""

    def __init__(self, app: ASGIApp, drain: Drain, limit_bytes: int) -> None:
        """`limit_bytes` is how much of the body of a refused request is taken and dropped."""
        self._app = app
        self._drain = drain
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or answer 503."""
        kind = scope["type"]
        if kind == "lifespan" or scope["path"].removeprefix("/v1") in _OPEN_PATHS:
            await self._app(scope, receive, send)
        elif not self._drain.draining:
            await self._serve(scope, receive, send)
        elif kind == "http":
            request = Request(scope, receive)
            await Body(request.stream(), request.headers, self._limit_bytes).drain()
            await _refuse(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1012, "reason": "shutting down"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        running = Running(
            record(Request(scope)).id if scope["type"] == "http" else "",
            f"{scope.get('method', 'WEBSOCKET')} {scope['path']}",
        )
        with self._drain.serving(running):
            try:
                await self._app(scope, receive, noted)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or not self._drain.dropped(running):
                    raise
                task.uncancel()
                if not begun and scope["type"] == "http":
                    await _refuse(scope, receive, send)
                # Of an answer that has begun, the missing end tells the client.


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    error = Overloaded(
        "The server is shutting down; send the request again.",
        retry_after_s=_RETRY_S,
        reason="draining",
    )
    response = failure(error)
    response.headers["connection"] = "close"
    await response(scope, receive, send)
