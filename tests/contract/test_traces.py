"""Traces as a collector receives them, over OTLP/HTTP, from a server of its own process."""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = {"decode", "queue", "encode", "generate", "encode-out"}


@contextmanager
def collector():
    """Its address, and the spans that have come to it."""
    spans = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {one.key: one.value.string_value for one in resource.resource.attributes}
                spans.extend(
                    (names["service.name"], span)
                    for scope in resource.scope_spans
                    for span in scope.spans
                )
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Nothing is to be printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", spans
        finally:
            server.shutdown()
            thread.join()


def test_a_request_is_a_span_with_its_stages_in_the_trace_of_its_client(launch, phrase):
    """Sent at the latest when the server stops."""
    with collector() as (address, spans):
        env = {"MYNA_TRACES": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": address}
        server = launch("traced", "--stt", "fake", "--tts", "fake", env=env)
        head = {**server.form_headers, "traceparent": f"00-{TRACE}-{PARENT}-01"}
        reply = server.send("POST", "/v1/audio/transcriptions", server.form(phrase), head)
        assert reply.status == 200
        assert server.stop() == 0
        found = {span.name: span for _, span in spans if span.trace_id.hex() == TRACE}
        assert {name for name, _ in spans} == {"myna"}
    assert set(found) == {"POST transcriptions", *STAGES}
    whole = found["POST transcriptions"]
    assert whole.parent_span_id.hex() == PARENT
    assert {found[stage].parent_span_id for stage in STAGES} == {whole.span_id}
    told = {one.key: one.value for one in whole.attributes}
    assert told["myna.request_id"].string_value == reply.headers["x-request-id"]
    assert told["http.response.status_code"].int_value == 200
    assert told["myna.audio_seconds"].double_value > 1
