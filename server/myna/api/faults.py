"""Faults: answers that go wrong because a test asked for it. Only with the setting `testing`."""

from __future__ import annotations

import asyncio
import re
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.api.body import Body
from myna.api.responses import HEADS, failure, unless_gone
from myna.errors import BadRequest, ClientGone, MynaError

HEADER = "x-myna-fault"
"""A request that carries it asks for its own fault: `status=429; retry_after=1`."""

_KINDS = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", None),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("service_unavailable_error", "server_is_overloaded"),
}
"""`error.type` and `error.code` of some statuses, as the hosted API has them."""
_FLIPPED = bytes(255 - byte for byte in range(256))
_CUT_CODE = 1011
"""With which a live session is cut: the server had an error (RFC 6455, section 7.4)."""
_BROKEN_EVENT = 2
"""Which event of a stream is broken: a client has begun to read by then."""


_Model = TypeVar("_Model", bound=BaseModel)


class Fault(BaseModel):
    """What goes wrong with one answer. Several things may."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: int | None = Field(
        None, ge=400, le=599, description="Answer with this error instead of doing what was asked."
    )
    message: str | None = Field(None, description="The error's message.")
    retry_after: float | None = Field(
        None, ge=0, le=3600, description="With `status`: seconds that `retry-after` names."
    )
    should_retry: bool = Field(
        True, description="With a `status` from 500: what `x-should-retry` says."
    )
    delay_s: float = Field(
        0.0, ge=0, le=3600, description="Seconds that the answer is held back before its head."
    )
    pause_s: float = Field(0.0, ge=0, le=3600, description="Seconds before each piece of the body.")
    cut_after_bytes: int | None = Field(
        None,
        ge=0,
        description="Close the connection behind so many bytes of the body; at the latest before "
        "its last byte. A live session is closed before the event that goes beyond.",
    )
    malformed: bool = Field(
        False,
        description="Spoil the body: the second event of a stream is cut in half, so is a JSON "
        "body, and in any other every bit is flipped.",
    )

    @model_validator(mode="after")
    def _does_something(self) -> Fault:
        what = (self.status, self.delay_s, self.pause_s, self.malformed)
        if not any(what) and self.cut_after_bytes is None:
            raise ValueError(
                "names nothing that goes wrong: give status, delay_s, pause_s, cut_after_bytes or "
                "malformed"
            )
        return self


class Injected(MynaError):
    """An error that a test asked for."""

    def __init__(self, fault: Fault, status: int) -> None:
        kind, code = _KINDS.get(
            status, ("server_error" if status >= 500 else "invalid_request_error", None)
        )
        super().__init__(
            fault.message or f"A test asked for this answer of status {status}.",
            code=code,
            retry_after_s=fault.retry_after,
        )
        self.status = status
        self.type = kind
        self.retryable = fault.should_retry


def checked(kind: type[_Model], fields: object) -> _Model:
    """A `kind` from a mapping of its fields. Raises BadRequest that names the field."""
    try:
        return kind.model_validate(fields)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        said = first["msg"].removeprefix("Value error, ")
        raise BadRequest(f"Invalid '{param or 'body'}': {said}", param=param) from None


def read_header(text: str) -> Fault:
    """A fault as the header writes it. Raises BadRequest for what is none."""
    pairs = [part.partition("=") for part in re.split("[;,]", text) if part.strip()]
    fields = {name.strip(): value.strip() if sign else "true" for name, sign, value in pairs}
    return checked(Fault, fields)


async def answer_with(
    fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Let `app` answer, or an error in its place, and spoil that as the fault says."""
    answering = app if fault.status is None else _Refusal(Injected(fault, fault.status))
    if scope["type"] == "websocket":
        await answering(scope, receive, _SpoiltSession(fault, send))
        return
    try:
        await answering(scope, receive, _Spoilt(fault, Request(scope, receive), send))
    except _Cut:
        return  # a response without an end: the server closes the connection


class _Refusal:
    """An app that answers with one error, when the request has been read: a client that is still
    writing would not read an answer."""

    def __init__(self, error: MynaError) -> None:
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            await Body(request.stream(), request.headers, limit_bytes=1 << 40).drain()
        await failure(self._error)(scope, receive, send)


class _Cut(Exception):
    """The answer ends here. No failure of ours, so no `MynaError`."""


class _Spoilt:
    """Sends an answer the way a fault says."""

    def __init__(self, fault: Fault, request: Request, send: Send) -> None:
        self._fault = fault
        self._request = request
        self._send = send
        self._left = fault.cut_after_bytes
        self._kind = ""
        self._events = 0

    async def __call__(self, message: Message) -> None:
        """One message of the answer. Raises `_Cut` at its end where that comes early."""
        if message["type"] == "http.response.start":
            await self._wait(self._fault.delay_s)
            self._begin(message)
            await self._send(message)
        elif message["type"] == "http.response.body":
            await self._wait(self._fault.pause_s)
            await self._go_on(message)
        else:
            await self._send(message)

    def _begin(self, head: Message) -> None:
        headers = MutableHeaders(scope=head)
        self._kind = headers.get("content-type", "").partition(";")[0]
        if self._fault.malformed:
            del headers["content-length"]  # half of it would not come: that would be a cut

    async def _go_on(self, message: Message) -> None:
        body = message.get("body", b"")
        more = message.get("more_body", False)
        if self._fault.malformed:
            body = self._garbled(body)
        if self._left is None:
            await self._send({**message, "body": body})
            return
        ends_here = self._left < len(body) or not more
        room = min(self._left, max(0, len(body) - (not more)))
        self._left -= room
        await self._send({"type": message["type"], "body": body[:room], "more_body": True})
        if ends_here:
            raise _Cut

    def _garbled(self, body: bytes) -> bytes:
        if self._kind == "text/event-stream":
            return b"".join(map(self._event, body.splitlines(keepends=True)))
        if self._kind == "application/json":
            return body[: len(body) // 2]
        return body.translate(_FLIPPED)

    def _event(self, line: bytes) -> bytes:
        """A line of an event stream; events are one line each."""
        self._events += line.startswith(b"data:")
        if self._events != _BROKEN_EVENT or not line.startswith(b"data:"):
            return line
        return line[: len(line) // 2].decode(errors="ignore").encode() + b"\n"

    async def _wait(self, seconds: float) -> None:
        """Raises `_Cut` if the client leaves meanwhile."""
        if not seconds:
            return
        try:
            await unless_gone(self._request, asyncio.sleep(seconds))
        except ClientGone:
            raise _Cut from None


class _SpoiltSession:
    """Answers a handshake, and says what a live session says, the way a fault wants."""

    def __init__(self, fault: Fault, send: Send) -> None:
        self._fault = fault
        self._send = send
        self._left = fault.cut_after_bytes
        self._events = 0
        self._cut = False

    async def __call__(self, message: Message) -> None:
        """One message to the client. Of a session that is cut, nothing more leaves: the app sees
        that it is over, as if the client had left."""
        if self._cut:
            return
        if message["type"] in HEADS:
            await asyncio.sleep(self._fault.delay_s)
        elif message["type"] == "websocket.send":
            await asyncio.sleep(self._fault.pause_s)
            message = self._event(message)
        await self._send(message)

    def _event(self, message: Message) -> Message:
        text: str = message["text"]
        self._events += 1
        if self._fault.malformed and self._events == _BROKEN_EVENT:
            text = text[: len(text) // 2]
        if self._left is not None:
            self._left -= len(text.encode())
            if self._left < 0:
                self._cut = True
                return {"type": "websocket.close", "code": _CUT_CODE, "reason": "cut by a test"}
        return {**message, "text": text}
