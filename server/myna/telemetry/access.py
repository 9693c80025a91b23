"""The outermost layer: names, times, counts and logs every request."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.api.responses import HEADS, SWITCHING, failure, failure_of
from myna.errors import ClientGone, EngineFailure
from myna.telemetry.metrics import Metrics
from myna.telemetry.record import COUNTED_ROUTES, RequestRecord
from myna.telemetry.traces import Traces

_log = logging.getLogger("myna.access")


class Telemetry:
    """What one app tells of itself, and to whom."""

    def __init__(self, traces: Traces | None = None) -> None:
        self.metrics = Metrics()
        self.traces = traces

    def begin(self, scope: Scope) -> RequestRecord:
        """A request has arrived. Where a gateway has named it, it keeps that name."""
        stage_s = self.metrics.stage_s
        record = RequestRecord(
            scope.get("method", "GET"),  # as a socket begins
            scope["path"],
            lambda stage, seconds: stage_s.labels(stage).observe(seconds),
        )
        record.id = scope.get("state", {}).get("request_id", record.id)
        self.metrics.in_progress.labels(record.route).inc()
        return record

    def end(self, record: RequestRecord, scope: Scope) -> None:
        """Its answer has ended, one way or the other."""
        record.ended_s = time.perf_counter()
        self._count(record)
        if self.traces is not None:
            self.traces.tell(record, Headers(scope=scope))
        _log.info(
            "%s %s %s %d %d ms",
            record.id,
            record.method,
            _shown(record.path),
            record.status,
            round(record.seconds * 1000),
            extra={"fields": _fields(record)},
        )

    def _count(self, record: RequestRecord) -> None:
        metrics, route = self.metrics, record.route
        metrics.requests.labels(route, record.status).inc()
        metrics.request_s.labels(route).observe(record.seconds)
        if record.first_byte_s is not None:
            metrics.first_byte_s.labels(route).observe(record.first_byte_s)
        if record.cancelled:
            metrics.cancellations.labels(route).inc()
        elif record.reason is not None:
            metrics.rejections.labels(route, record.reason).inc()
        elif record.code is not None:
            metrics.errors.labels(route, record.code).inc()
        if record.audio_s:
            metrics.audio_s.labels(route).inc(record.audio_s)
            metrics.real_time_factor.labels(route).observe(record.seconds / record.audio_s)
        if record.key and route in COUNTED_ROUTES:
            metrics.key_requests.labels(record.key, route).inc()
            metrics.key_audio_s.labels(record.key, route).inc(record.audio_s)
        metrics.in_progress.labels(route).dec()


class Access:
    """Gives every request its record and every answer its headers, and a crash an envelope."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add headers to whatever comes back."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        record = self._telemetry.begin(scope)
        scope.setdefault("state", {})["record"] = record
        telling = _Telling(record, send)
        try:
            await self._app(scope, receive, telling)
        except Exception:
            if telling.gone:
                raise
            record.code = EngineFailure.type
            fields = {"request_id": record.id}
            shown = _shown(record.path)
            _log.exception(
                "%s crashed on %s %s", record.id, record.method, shown, extra={"fields": fields}
            )
            if record.status:
                raise  # the answer has begun: breaking the connection is the only honest end
            await failure(EngineFailure("The server had an error while processing your request."))(
                scope, receive, telling
            )
        finally:
            error = failure_of(scope)
            if error is not None:
                record.code = error.code or error.type
                record.reason = error.reason
            self._telemetry.end(record, scope)


class _Telling:
    """Sends an answer with our headers, and notes in the request's record how that goes."""

    def __init__(self, record: RequestRecord, send: Send) -> None:
        self._record = record
        self._send = send
        self.gone = False
        """The client of a socket had left when something was to be sent."""

    async def __call__(self, message: Message) -> None:
        """Send a message. Raises OSError where the server says so of a socket without a client."""
        record, kind = self._record, message["type"].removeprefix("websocket.")
        if message["type"] in HEADS:
            _begin(record, message)
        elif kind == "close" and not record.status:
            record.status = 403  # what becomes of a socket that is closed before it is open
        try:
            await self._send(message)
        except OSError:
            self.gone = True
            if message["type"] in HEADS:
                record.status, record.first_byte_s = ClientGone.status, None
            raise
        # A session is over when somebody leaves, which is no fault.
        if kind in {"accept", "close"} or (
            kind == "http.response.body" and not message.get("more_body")
        ):
            record.complete = True


def _begin(record: RequestRecord, message: Message) -> None:
    record.status = message.get("status", SWITCHING)
    record.first_byte_s = record.seconds
    message.setdefault("headers", [])
    headers = MutableHeaders(scope=message)
    # What a replica has said of itself, its gateway does not know better.
    headers.setdefault("x-request-id", record.id)
    headers.setdefault("openai-processing-ms", str(round(record.first_byte_s * 1000)))
    headers.setdefault("openai-version", "2020-10-01")
    headers.setdefault("server-timing", record.server_timing(record.first_byte_s))


def _fields(record: RequestRecord) -> dict[str, object]:
    fields: dict[str, object] = {
        "request_id": record.id,
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "seconds": round(record.seconds, 4),
        "key": record.key or None,
        "code": record.code,
        "audio_seconds": round(record.audio_s, 3) or None,
        "stages": {name: round(spent.total_s, 4) for name, spent in record.stages.items()} or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _shown(path: str) -> str:
    """The path as it may stand in a log: on one line, without control characters."""
    return ascii(path)[1:-1]
