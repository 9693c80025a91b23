"""The rows about what the server tells of itself: what a small request pays for that."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from load import closed_loop
from report import Goal, Row
from scenarios import SETTLE_S, Bench
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from subjects import Server, myna
from tqdm import tqdm

from myna.telemetry.access import Access, Telemetry
from myna.telemetry.logs import human_lines
from myna.telemetry.record import RequestRecord

FAKE = ["--stt", "none", "--tts", "fake"]
VARIANTS = {
    "metrics": ["--log-level", "warning"],
    "metrics and logs": [],
    "metrics and JSON logs": ["--log-format", "json"],
    "metrics, logs and traces": ["--traces"],
}
"""Flags of `myna serve`. The second is what a server does by default, the first as little as it
can."""
DEFAULT = "metrics and logs"
TEXT = "Yes."
CLIENTS = 4
MULTIPLE = 10
"""Of a round's requests elsewhere, as processor time is counted in hundredths of a second."""
CALLS = 2000
"""Of the layer by itself, in one round."""
_TICKS_HZ = os.sysconf("SC_CLK_TCK")


def telemetry(bench: Bench) -> None:
    """The smallest request to speak, of servers with the fake engine that tell more or less."""
    with ExitStack() as stack:
        stack.enter_context(_collector())
        servers: dict[str, Server] = {}
        for name, flags in VARIANTS.items():
            running, server, _ = myna([*FAKE, *flags]).start(f"-{name.replace(' ', '-')}")
            stack.enter_context(running)
            servers[name] = server
        cpu_ms: dict[str, list[float]] = {name: [] for name in servers}
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for server in servers.values():  # what is set up with the first request
            _loaded(server, MULTIPLE * bench.plan.requests)
        for _ in tqdm(range(2 * bench.plan.rounds), desc="telemetry", unit="round"):
            for name, server in servers.items():
                time.sleep(SETTLE_S)
                spent_s, rate = _loaded(server, MULTIPLE * bench.plan.requests)
                cpu_ms[name].append(1000 * spent_s)
                rates[name].append(rate)
    own_ms = [_layer_ms() for _ in range(2 * bench.plan.rounds)]
    for name in servers:
        if name != DEFAULT:
            title = f"processor time of a small request, {name}"
            bench.report.add(Row(title, "ms", cpu_ms[name], DEFAULT, cpu_ms[DEFAULT]))
            title = f"small requests from {CLIENTS} clients, {name}"
            bench.report.add(Row(title, "/s", rates[name], DEFAULT, rates[DEFAULT]))
    bench.report.add(
        Row(
            "ids, headers, metrics and a log line by themselves",
            "ms",
            own_ms,
            "all of a small request",
            cpu_ms[DEFAULT],
            Goal(0.03),
        )
    )


def _loaded(server: Server, requests: int) -> tuple[float, float]:
    """Processor seconds that the server spent on a request, and requests a second."""
    begun_s = _processor_s(server)
    load = closed_loop(
        lambda _: server.speak(TEXT), range(requests), clients=CLIENTS, limit_s=300.0
    )
    spent_s = _processor_s(server) - begun_s
    return spent_s / max(len(load.done), 1), len(load.done) / load.wall_s


def _processor_s(server: Server) -> float:
    """Of the server's process, by `/proc/PID/stat`, man proc_pid_stat(5)."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_HZ


def _layer_ms() -> float:
    """Processor milliseconds that the layer adds to a request which does nothing else."""
    log = logging.getLogger("myna")
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(human_lines())
    log.addHandler(handler)
    level, log.propagate = log.level, False
    log.setLevel(logging.INFO)
    try:
        with_layer = _calls_s(Access(_speak, Telemetry()))
        without = _calls_s(_speak)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = True
    return 1000 * (with_layer - without) / CALLS


def _calls_s(app: ASGIApp) -> float:
    """Processor seconds of CALLS requests."""

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(_: Message) -> None:
        return

    async def calls() -> None:
        for _ in range(CALLS):
            path = "/v1/audio/speech"
            await app({"type": "http", "method": "POST", "path": path}, receive, send)

    begun_s = time.process_time()
    asyncio.run(calls())
    return time.process_time() - begun_s


async def _speak(scope: Scope, receive: Receive, send: Send) -> None:
    """What a piece of speech tells of itself, and an answer."""
    del receive
    record = scope.get("state", {}).get("record")
    if isinstance(record, RequestRecord):
        now_s = time.perf_counter()
        for stage in ("queue", "synthesise", "encode-out"):
            record.stage(stage, now_s, now_s)
        record.audio(1.0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Collector(BaseHTTPRequestHandler):
    """Takes every trace and keeps none."""

    def do_POST(self) -> None:
        """Answer 200."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    log_message: Callable[..., None] = staticmethod(lambda *_: None)


@contextmanager
def _collector() -> Generator[None]:
    """Servers that are started within send their traces to it."""
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    before = os.environ.get(name)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        os.environ[name] = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield
        finally:
            os.environ.pop(name)
            if before is not None:
                os.environ[name] = before
            server.shutdown()
