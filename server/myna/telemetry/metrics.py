"""Every metric, declared once. docs/metrics.md has each of them, and a test holds it to that."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from myna import __version__
from myna.scheduling.residency import Reason
from myna.scheduling.residents import Residents

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""From the encoding of a piece of speech to the wait behind a full queue."""
_REQUEST_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
_FACTORS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_BATCH_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
_BATCH_AUDIO_S = (1, 2.5, 5, 10, 20, 30, 60, 120, 240, 480)


class Metrics:
    """The metrics of one app, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        Gauge(
            "myna_info", "1; the label tells the version.", ["version"], registry=registry
        ).labels(__version__).set(1)
        self.requests = Counter(
            "myna_requests", "Requests that were answered.", ["route", "status"], registry=registry
        )
        self.in_progress = Gauge(
            "myna_requests_in_progress",
            "Requests that are being answered.",
            ["route"],
            registry=registry,
        )
        self.errors = Counter(
            "myna_errors",
            "Requests that failed, by the code of their error.",
            ["route", "code"],
            registry=registry,
        )
        self.rejections = Counter(
            "myna_rejections",
            "Requests that were sent away with 429 or 503.",
            ["route", "reason"],
            registry=registry,
        )
        self.cancellations = Counter(
            "myna_cancellations",
            "Requests whose client left before the end of its answer.",
            ["route"],
            registry=registry,
        )
        self.request_s = Histogram(
            "myna_request_seconds",
            "From a request's head to the end of its answer.",
            ["route"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self.first_byte_s = Histogram(
            "myna_first_byte_seconds",
            "From a request's head to the head of its answer.",
            ["route"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self.stage_s = Histogram(
            "myna_stage_seconds",
            "One stretch of a stage: a window, a piece of text, or a block of the file.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.real_time_factor = Histogram(
            "myna_request_real_time_factor",
            "A request's seconds for each second of its audio.",
            ["route"],
            buckets=_FACTORS,
            registry=registry,
        )
        self.audio_s = Counter(
            "myna_audio_seconds",
            "Seconds of audio that were read or spoken.",
            ["route"],
            registry=registry,
        )
        self.key_requests = Counter(
            "myna_key_requests",
            "Audio requests of an API key.",
            ["key", "route"],
            registry=registry,
        )
        self.key_audio_s = Counter(
            "myna_key_audio_seconds",
            "Seconds of audio that were read or spoken for an API key.",
            ["key", "route"],
            registry=registry,
        )
        self.batch_size = Histogram(
            "myna_batch_size",
            "Windows or pieces of text in a batch.",
            ["model"],
            buckets=_BATCH_SIZES,
            registry=registry,
        )
        self.batch_audio_s = Histogram(
            "myna_batch_audio_seconds",
            "Audio in a batch, padding included.",
            ["model"],
            buckets=_BATCH_AUDIO_S,
            registry=registry,
        )
        self.batch_s = Histogram(
            "myna_batch_seconds",
            "How long an engine took for a batch.",
            ["model"],
            buckets=_SECONDS,
            registry=registry,
        )

        self.load_s = Histogram(
            "myna_model_load_seconds",
            "How long it took to load a model and to warm it.",
            ["model"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self.load_failures = Counter(
            "myna_model_load_failures",
            "Times that a model could not be loaded.",
            ["model"],
            registry=registry,
        )
        self.unloads = Counter(
            "myna_model_unloads",
            "Times that a model was unloaded.",
            ["model", "reason"],
            registry=registry,
        )

    def watch(
        self, residents: Callable[[], Residents | None], held_bytes: Callable[[], int]
    ) -> None:
        """Tell also what the scheduler and the spool are at whenever somebody asks."""
        self.registry.register(_Now(residents, held_bytes))

    def ran(self, model: str, size: int, audio_s: float, seconds: float) -> None:
        """An engine has ended a batch."""
        self.batch_size.labels(model).observe(size)
        self.batch_audio_s.labels(model).observe(audio_s)
        self.batch_s.labels(model).observe(seconds)

    def loaded(self, model: str, seconds: float) -> None:
        """A model is in memory."""
        self.load_s.labels(model).observe(seconds)

    def not_loaded(self, model: str) -> None:
        """A model could not be loaded."""
        self.load_failures.labels(model).inc()

    def unloaded(self, model: str, reason: Reason) -> None:
        """A model is gone."""
        self.unloads.labels(model, reason).inc()


class _Now(Collector):
    """What is read off the server when it is asked for, rather than counted."""

    def __init__(
        self, residents: Callable[[], Residents | None], held_bytes: Callable[[], int]
    ) -> None:
        self._residents = residents
        self._held_bytes = held_bytes

    def describe(self) -> Iterable[Metric]:
        """All families, without samples."""
        return self._families().values()

    def collect(self) -> Iterable[Metric]:
        """All families as they are now."""
        found = self._families()
        found["spool"].add_metric([], self._held_bytes())
        residents = self._residents()
        if residents is None:
            return found.values()
        if (listening := residents.diarization) is not None:
            labels = [listening.engine.name, "diarization"]
            found["loaded"].add_metric(labels, float(listening.engine.loaded))
            found["memory"].add_metric(
                labels, listening.size_bytes if listening.engine.loaded else 0
            )
        for shelf in (residents.stt, residents.tts):
            found["admitted"].add_metric([shelf.task], shelf.admission.requests)
            for resident in shelf.residents:
                held = resident.held
                found["loaded"].add_metric([resident.id, shelf.task], float(held is not None))
                found["memory"].add_metric(
                    [resident.id, shelf.task], resident.memory_bytes if held else 0
                )
                found["leases"].add_metric([resident.id, shelf.task], resident.leases)
                if held is None:
                    continue
                workers = held.service.workers
                found["queued"].add_metric([resident.id, shelf.task], workers.queued_s)
                found["running"].add_metric([resident.id, shelf.task], workers.running_s)
                if workers.speed:
                    found["speed"].add_metric([resident.id, shelf.task], 1 / workers.speed)
        return found.values()

    @staticmethod
    def _families() -> dict[str, GaugeMetricFamily]:
        def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(name, text, labels=labels)

        return {
            "spool": gauge("myna_spool_bytes", "What uploads take on disk."),
            "admitted": gauge("myna_admitted_requests", "Requests that hold a place.", "task"),
            "loaded": gauge("myna_model_loaded", "1 where it is in memory.", "model", "task"),
            "memory": gauge("myna_model_memory_bytes", "What it takes in memory.", "model", "task"),
            "leases": gauge(
                "myna_model_requests",
                "Requests that use the model or wait for it.",
                "model",
                "task",
            ),
            "queued": gauge("myna_queued_audio_seconds", "Audio that waits.", "model", "task"),
            "running": gauge(
                "myna_running_audio_seconds", "Audio in batches that run.", "model", "task"
            ),
            "speed": gauge(
                "myna_engine_real_time_factor",
                "Seconds that the engine lately took for a second of audio.",
                "model",
                "task",
            ),
        }
