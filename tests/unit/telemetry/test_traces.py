"""Spans, as an exporter in memory receives them."""

from __future__ import annotations

import asyncio
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.api.responses import failure
from myna.errors import EngineFailure
from myna.telemetry.access import Access, Telemetry
from myna.telemetry.traces import Traces, exporting

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


def spans(app: ASGIApp, *headers: tuple[bytes, bytes]):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/audio/speech",
        "headers": list(headers),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        pass

    asyncio.run(Access(app, Telemetry(Traces(provider)))(scope, receive, send))
    return {span.name: span for span in exporter.get_finished_spans()}


async def staged(scope: Scope, receive: Receive, send: Send) -> None:
    record = scope["state"]["record"]
    begun_s = record.begun_s
    record.stage("queue", begun_s + 1.0, begun_s + 1.5)
    record.stage("queue", begun_s + 3.0, begun_s + 4.0)
    record.stage("synthesise", begun_s + 1.5, begun_s + 2.0)
    record.audio(3.0)
    await PlainTextResponse("hello")(scope, receive, send)


def test_a_request_is_a_span_and_its_stages_are_its_children():
    found = spans(staged)
    assert set(found) == {"POST speech", "queue", "synthesise"}
    whole = found["POST speech"]
    assert whole.kind is SpanKind.SERVER
    assert whole.parent is None
    assert whole.attributes["http.response.status_code"] == 200
    assert whole.attributes["myna.audio_seconds"] == 3.0
    assert whole.attributes["myna.request_id"].startswith("req_")
    assert whole.status.status_code is StatusCode.UNSET
    for name in ("queue", "synthesise"):
        assert found[name].parent.span_id == whole.context.span_id
        assert found[name].context.trace_id == whole.context.trace_id


def test_the_span_of_a_stage_reaches_from_its_first_stretch_to_its_last():
    queue = spans(staged)["queue"]
    assert (queue.end_time - queue.start_time) / 1e9 == pytest.approx(3.0, abs=0.01)
    assert dict(queue.attributes) == {"myna.seconds": pytest.approx(1.5), "myna.count": 2}


def test_the_trace_of_the_client_goes_on():
    header = (b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())
    whole = spans(staged, header)["POST speech"]
    assert f"{whole.context.trace_id:032x}" == TRACE
    assert f"{whole.parent.span_id:016x}" == PARENT


def test_a_failure_is_marked_on_the_span():
    whole = spans(failure(EngineFailure("broken")))["POST speech"]
    assert whole.status.status_code is StatusCode.ERROR
    assert whole.attributes["error.type"] == "server_error"


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ValueError, match=r"myna\[otel\]"):
        exporting()


def test_spans_are_exported_to_where_the_variable_says(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "speech-eu")
    traces = exporting()
    assert traces._provider.resource.attributes["service.name"] == "speech-eu"
    traces.close()
