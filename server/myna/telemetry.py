"""Request ids, timings and the log. Nothing that was said, and no key, is ever logged."""

from __future__ import annotations

import logging
import secrets
import sys
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.api.responses import failure
from myna.errors import EngineFailure

_log = logging.getLogger("myna.access")


def configure_logging(level: str) -> None:
    """One line an event on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("myna").setLevel(level.upper())


class Telemetry:
    """Outermost layer: names, times and logs every request, turns a crash into an envelope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add headers to whatever comes back."""
        request_id = f"req_{secrets.token_hex(16)}"
        if scope["type"] == "websocket":
            await self._app(scope, receive, _naming(send, request_id))
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["request_id"] = request_id
        started_s = time.perf_counter()
        status = 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["openai-processing-ms"] = str(_since_ms(started_s))
                headers["openai-version"] = "2020-10-01"
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Exception:
            _log.exception("%s crashed on %s %s", request_id, scope["method"], _shown(scope))
            if status:
                raise  # the answer has begun: breaking the connection is the only honest end
            await failure(EngineFailure("The server had an error while processing your request."))(
                scope, receive, named
            )
        finally:
            _log.info(
                "%s %s %s %d %d ms",
                request_id,
                scope["method"],
                _shown(scope),
                status,
                _since_ms(started_s),
            )


def _naming(send: Send, request_id: str) -> Send:
    """Put the id on a WebSocket's handshake, accepted or refused."""

    async def named(message: Message) -> None:
        if message["type"] in {"websocket.accept", "websocket.http.response.start"}:
            message.setdefault("headers", [])
            MutableHeaders(scope=message)["x-request-id"] = request_id
        await send(message)

    return named


def _since_ms(started_s: float) -> int:
    return round((time.perf_counter() - started_s) * 1000)


def _shown(scope: Scope) -> str:
    """The path as it may stand in a log: on one line, without control characters."""
    return ascii(scope["path"])[1:-1]
