"""OpenTelemetry: a span for each request and one for each of its stages (extra `otel`)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from myna import __version__
from myna.telemetry.record import RequestRecord

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

_MISSING = "traces need the extra `otel`: pip install 'myna[otel]'"


def exporting() -> Traces:
    """Traces that go to a collector over OTLP/HTTP, in batches, from a thread of their own.

    Where to and as what is said by OpenTelemetry's variables (OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER …).

    Raises:
        ValueError: the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import (  # noqa: PLC0415 - an extra
            OTELResourceDetector,
            Resource,
        )
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an extra
    except ImportError as absent:
        raise ValueError(_MISSING) from absent
    service = {"service.name": "myna", "service.version": __version__}
    # What the variables say wins over our name, and our name over the SDK's for whoever has none.
    told = Resource.create(service).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=told)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider)


class Traces:
    """Turns the record of a request into spans when it has ended."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("myna", __version__)

    def tell(self, record: RequestRecord, headers: Mapping[str, str]) -> None:
        """Make the spans; `traceparent` among the request's headers says whose children they are.

        A stage's span reaches from its first stretch to its last; `myna.seconds` is how much of
        that it was worked on, all stretches together.
        """
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context  # noqa: PLC0415 - an extra

        whole = self._tracer.start_span(
            f"{record.method} {record.route}",
            context=_parent(headers),
            kind=SpanKind.SERVER,
            start_time=_unix_ns(record.begun_s),
            attributes={
                "http.request.method": record.method,
                "url.path": record.path,
                "http.response.status_code": record.status,
                "myna.request_id": record.id,
                "myna.audio_seconds": record.audio_s,
            },
        )
        if not whole.is_recording():  # the sampler passes it over, and so would its stages be
            return
        if record.code is not None:
            whole.set_attribute("error.type", record.code)
        if record.status >= 500 or not record.complete:
            whole.set_status(Status(StatusCode.ERROR, record.code or "the client left"))
        inside = set_span_in_context(whole)
        for name, spent in record.stages.items():
            part = self._tracer.start_span(
                name,
                context=inside,
                start_time=_unix_ns(spent.begun_s),
                attributes={"myna.seconds": spent.total_s, "myna.count": spent.count},
            )
            part.end(_unix_ns(spent.ended_s))
        whole.end(_unix_ns(record.begun_s + record.seconds))

    def close(self) -> None:
        """Send what has not been sent; may take as long as the collector takes to answer."""
        self._provider.shutdown()


def _parent(headers: Mapping[str, str]) -> Context:
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - an extra
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator().extract(dict(headers))


def _unix_ns(moment_s: float) -> int:
    """`time.perf_counter` to nanoseconds since 1970."""
    return time.time_ns() - round((time.perf_counter() - moment_s) * 1e9)
