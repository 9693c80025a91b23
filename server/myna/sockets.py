"""WebSockets as uvicorn serves them, with an end that comes whatever the client does."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from myna.errors import BadRequest, envelope

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

MOST_MESSAGE_BYTES = 16 * 1024 * 1024
"""15 MiB of base64, as hosted, and the JSON around it; a larger message closes with code 1009."""
_LINGER_S = 1.0
"""How long a client that broke the protocol has to read so, from the last that it has written."""
_LEAVE_S = 5.0
"""How long a client has to read what is left for it."""
_WRITE_S = 30.0
"""How long one that broke the protocol may go on writing."""


class Socket(WebSocketsSansIOProtocol):
    """Closing a connection waits until everything is written; one whose client does not read would
    stay for ever."""

    _broken = False
    """The client broke the protocol."""
    _deadline: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._broken:
            self._linger()
            return
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._turn_away(self.conn.handshake_exc)

    def _turn_away(self, reason: Exception) -> None:
        """The client's handshake cannot be read, so the app never hears of it."""
        self._broken = True
        body = json.dumps(envelope(BadRequest(f"Invalid handshake: {reason}."))).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self._linger()
        self._deadline = self.loop.call_later(_WRITE_S, self.transport.abort)

    def send_receive_event_to_app(self) -> None:
        """A message is complete."""
        try:
            if self.curr_msg_data_type == "text":
                self.frames = [b"".join(self.frames)]
                self.frames[0].decode()
        except UnicodeDecodeError:
            self.frames = []
            self.conn.send_close(1007, "not UTF-8")
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """The client broke the protocol. It is told why, and what it goes on to write is dropped
        until it is silent: closing before would reset the connection, and it might never read
        that."""
        self._broken = True
        self._linger()
        closing = self.conn.close_sent
        code = closing.code if closing is not None else 1002
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def _linger(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(_LINGER_S, self.transport.close)

    async def send(self, message: ASGISendEvent) -> None:
        """Send an event of the app's; a refusal completes the handshake as well."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The app is done with the connection."""
        super().on_task_complete(task)
        if not self.disconnected:
            leave_s = _WRITE_S if self._broken else _LEAVE_S
            self._deadline = self.loop.call_later(leave_s, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
