"""How answers leave: error envelopes, and streams that stop working when nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from myna.errors import ClientGone, MynaError, envelope, headers
from myna.text.encoding import encode_json

T = TypeVar("T")

HEADS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})
"""Messages with which an answer begins."""
SWITCHING = 101
"""The status of a handshake that succeeds, which its message does not say."""


def json_response(
    content: Any, status: int = 200, extra: Mapping[str, str] | None = None
) -> Response:
    """Compact JSON, as the hosted API writes it."""
    return Response(encode_json(content), status, dict(extra or {}), media_type="application/json")


class Failure(Response):
    """An error in OpenAI's envelope, with the headers that clients' retry logic reads."""

    media_type = "application/json"

    def __init__(self, error: MynaError) -> None:
        super().__init__(encode_json(envelope(error)), error.status, headers(error))
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and leave it with the request for whoever counts."""
        scope.setdefault("state", {})["failure"] = self._error
        await super().__call__(scope, receive, send)


def failure(error: MynaError) -> Response:
    """The answer to a request that failed."""
    return Failure(error)


def failure_of(scope: Scope) -> MynaError | None:
    """The error that a request was answered with."""
    error: object = scope.get("state", {}).get("failure")
    return error if isinstance(error, MynaError) else None


def event(content: Mapping[str, Any]) -> bytes:
    """One server-sent event: data only, one line, a blank line behind."""
    return b"data: " + encode_json(content) + b"\n\n"


DONE = b"data: [DONE]\n\n"
"""What clients that copy chat parsers wait for."""


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Await `work`, and cancel it when the client leaves. The body must have been read.

    Raises:
        ClientGone: the client left first.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(_disconnected(request.receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone("the client closed the connection")
    finally:
        await _stop(task, gone)


class LiveStream(StreamingResponse):
    """A streamed body whose source is closed as soon as the client leaves, not at its next byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send until the source ends or the client is gone."""
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            await _stop(sending, gone)

    async def _send(self, send: Send) -> None:
        try:
            await self.stream_response(send)
        finally:
            close = getattr(self.body_iterator, "aclose", None)
            if close is not None:
                await close()


async def primed(source: AsyncIterator[T]) -> AsyncIterator[T]:
    """Wait for the first item, so that a failure before it can still be an error answer.

    Returns an iterator over all items, the first included.
    """
    try:
        first = await anext(source)
    except StopAsyncIteration:
        return _chained((), source)
    return _chained((first,), source)


async def _chained(begun: tuple[T, ...], rest: AsyncIterator[T]) -> AsyncIterator[T]:
    try:
        for item in begun:
            yield item
        async for item in rest:
            yield item
    finally:
        close = getattr(rest, "aclose", None)
        if close is not None:
            await close()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
