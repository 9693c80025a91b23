"""The rows about short requests beside a long one: who waits, and what the long one loses."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from audio import Clip, named
from load import Refused, percentile
from report import Goal, Row
from scenarios import SETTLE_S, Bench
from subjects import Server
from tqdm import tqdm

EVERY_S = 2.0
"""A short clip is posted this often while the file runs."""
LIMIT_S = 900.0
OTHERS_S = 600.0
"""Length of the file for servers that cannot stop: they go on with it after the measurement."""


@dataclass(slots=True)
class Beside:
    """Short requests while a file was on its way."""

    latencies_ms: list[float] = field(default_factory=list[float])
    speed: float | None = None
    """Of the file, audio-seconds per second; None if it failed."""
    failures: list[str] = field(default_factory=list[str])


def _beside(server: Server, bulk: Clip, clip: Clip | None, title: str) -> Beside:
    """Post `bulk`, and `clip` every `EVERY_S` seconds until it is done."""
    found = Beside()
    over = threading.Event()

    def post() -> None:
        try:
            found.speed = bulk.seconds / server.transcribe(bulk).seconds
        except Refused as refusal:
            found.failures.append(str(refusal))
        over.set()

    threading.Thread(target=post, daemon=True).start()
    started_s = next_s = time.perf_counter()
    with tqdm(desc=title, unit="clip", leave=True) as bar:
        while not over.wait(max(next_s + EVERY_S - time.perf_counter(), 0.0)):
            next_s = time.perf_counter()
            if next_s - started_s > LIMIT_S:
                found.failures.append(f"not done after {LIMIT_S:.0f} s")
                break
            if clip is not None:
                try:
                    found.latencies_ms.append(1000 * server.transcribe(clip).seconds)
                except Refused as refusal:
                    found.failures.append(str(refusal))
                bar.update()
    time.sleep(SETTLE_S)
    return found


def fairness(bench: Bench) -> None:
    """A 3 s clip every two seconds beside an hour-long file."""
    server, plan = bench.subject, bench.plan
    clip = bench.library.nearest(3.0)
    bulk = bench.library.long(plan.bulk_s)
    length = f"{named(plan.bulk_s)} file"
    idle: list[float] = []
    busy: list[Beside] = []
    alone: list[Beside] = []
    for turn in range(max(1, plan.rounds - 1)):
        for _ in range(plan.repetitions):
            idle.append(1000 * server.transcribe(clip).seconds)
            time.sleep(SETTLE_S)
        busy.append(_beside(server, bulk, clip, f"{length} and clips, round {turn + 1}"))
        alone.append(_beside(server, bulk, None, f"{length} alone, round {turn + 1}"))
    waits = [wait for run in busy for wait in run.latencies_ms]
    failed = [failure for run in busy + alone for failure in run.failures]
    note = f"{len(failed)} failed: {failed[0][:100]}" if failed else ""
    if not waits:
        note = note or "the file was done before the first clip"
    name = f"{clip.seconds:.1f} s clip beside a {length}, p95"
    tails = [percentile(run.latencies_ms, 95) for run in busy if run.latencies_ms]
    bench.report.add(Row(name, "ms", tails, "idle p50", idle, Goal(3.0), len(waits), note))
    bench.report.add(
        Row(
            f"speed of the {length} beside a clip every {EVERY_S:g} s",
            "audio-s/s",
            [run.speed for run in busy if run.speed],
            "alone",
            [run.speed for run in alone if run.speed],
            Goal(0.7, at_least=True),
            note=note,
        )
    )
    _compare(bench, clip, name, tails)


def _compare(bench: Bench, clip: Clip, name: str, tails: list[float]) -> None:
    """The same wait at the other servers, behind a file that is not longer than ten minutes."""
    bulk_s = min(bench.plan.bulk_s, OTHERS_S)
    bulk = bench.library.long(bulk_s)
    for other in bench.others:
        run = _beside(other, bulk, clip, f"{named(bulk_s)} file and clips, {other.name}")
        if run.latencies_ms and tails:
            theirs = [percentile(run.latencies_ms, 95)]
            note = "" if bulk_s == bench.plan.bulk_s else f"{other.name}: a {named(bulk_s)} file"
            row = Row(name, "ms", tails, other.name, theirs, n=len(run.latencies_ms), note=note)
            bench.report.add(row)
