"""An ASGI app without a server in front: calls come in, and batches of events go out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from starlette.types import ASGIApp, Message

from myna.cluster.calls import Batch, Call

_PIECE_BYTES = 256 * 1024
"""In which a body is handed on: what a server reads at once."""
_UNWIND_S = 5.0
"""How long the app may take to clear up when the client has left."""


async def answer(app: ASGIApp, call: Call) -> AsyncGenerator[Batch]:
    """The app's answer, event by event; closing it is the client leaving.

    Raises:
        Exception: the app crashed in the middle of its answer.
    """
    yield []
    events = _Events(call)
    work = asyncio.ensure_future(_run(app, call, events))
    try:
        while batch := await events.said():
            yield batch
        await work
    finally:
        events.leave()
        await asyncio.wait({work}, timeout=_UNWIND_S)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _run(app: ASGIApp, call: Call, events: _Events) -> None:
    scope: dict[str, Any] = dict(call.scope)
    scope["state"] = {"request_id": call.request_id} if call.request_id else {}
    if scope["type"] == "websocket":
        scope["extensions"] = {"websocket.http.response": {}}
    try:
        await app(scope, events.receive, events.send)
    finally:
        events.end()


class _Events:
    """What the app reads, and what it says."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._pieces = _pieces(call.body)
        self._heard: list[Message] = []
        self._said: list[Message] = []
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._ended = False

    async def receive(self) -> Message:
        """The body in pieces, or what a session's client says; then that the client has left."""
        if self._call.line is None:
            piece = next(self._pieces, None)
            if piece is not None:
                return piece
            await self._gone.wait()
            return {"type": "http.disconnect"}
        if not self._heard:
            self._heard = [*await self._listen()]
        return self._heard.pop(0)

    async def send(self, message: Message) -> None:
        """The app says something."""
        self._said.append(message)
        self._news.set()

    async def said(self) -> Batch:
        """What has been said since; nothing at the end."""
        while not self._said and not self._ended:
            self._news.clear()
            await self._news.wait()
        batch, self._said = self._said, []
        return batch

    def end(self) -> None:
        """The app is done."""
        self._ended = True
        self._news.set()

    def leave(self) -> None:
        """The client has left."""
        self._gone.set()

    async def _listen(self) -> Batch:
        assert self._call.line is not None  # noqa: S101 - for the type; only sessions listen
        hearing = asyncio.ensure_future(self._call.line.take())
        leaving = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({hearing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done() and not hearing.exception():
                return hearing.result()
            return [{"type": "websocket.disconnect", "code": 1006}]
        finally:
            hearing.cancel()
            leaving.cancel()
            await asyncio.gather(hearing, leaving, return_exceptions=True)


def _pieces(body: bytes) -> Iterator[Message]:
    for start in range(0, max(len(body), 1), _PIECE_BYTES):
        end = start + _PIECE_BYTES
        yield {"type": "http.request", "body": body[start:end], "more_body": end < len(body)}
