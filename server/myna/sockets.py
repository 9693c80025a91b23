"""WebSockets as uvicorn serves them, with an end that comes whatever the client does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

MOST_MESSAGE_BYTES = 16 * 1024 * 1024
"""15 MiB of base64, as hosted, and the JSON around it; a larger message closes with code 1009."""
_LEAVE_S = 5.0
"""How long a client has to read what is left for it."""


class Socket(WebSocketsSansIOProtocol):
    """Closing a connection waits until everything is written; one whose client does not read would
    stay for ever."""

    _deadline: asyncio.TimerHandle | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """Send an event of the app's; a refusal completes the handshake as well."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The app is done with the connection."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._deadline = self.loop.call_later(_LEAVE_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
