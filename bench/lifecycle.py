"""The rows about a fresh server: how soon it is ready, and what it holds in memory."""

from __future__ import annotations

import time
from contextlib import ExitStack

from audio import named
from load import Refused
from memory import MB, Memory, measure, watched
from report import Goal, Row
from scenarios import SETTLE_S, Bench
from subjects import Launcher, Server
from tqdm import tqdm


def start(bench: Bench) -> None:
    """Start each server several times, in turns; the last one of ours gets a long file."""
    if bench.launcher is None:
        if bench.subject.pid is not None:
            _running_memory(bench, bench.subject)
        return
    launchers = [bench.launcher, *bench.other_launchers]
    ready_s: list[list[float]] = [[] for _ in launchers]
    held: list[list[Memory]] = [[] for _ in launchers]
    for _ in tqdm(range(bench.plan.starts), desc="starts", unit="round"):
        for index, launcher in enumerate(launchers):
            seconds, memory = _once(launcher)
            ready_s[index].append(seconds)
            held[index].append(memory)
    bench.report.details["memory when ready"] = {
        launcher.name: [_as_json(memory) for memory in found]
        for launcher, found in zip(launchers, held, strict=True)
    }
    own_mb = _megabytes(held[0])
    startup, ready = "process start to /ready", "memory of all processes, ready"
    if len(launchers) == 1:
        bench.report.add(Row(startup, "s", ready_s[0], goal=Goal(5.0, "value")))
        bench.report.add(Row(ready, "MB", own_mb, goal=Goal(600.0, "value")))
    for index, other in enumerate(launchers[1:], start=1):
        bench.report.add(
            Row(startup, "s", ready_s[0], other.name, ready_s[index], Goal(5.0, "value"))
        )
        theirs = _megabytes(held[index])
        bench.report.add(Row(ready, "MB", own_mb, other.name, theirs, Goal(600.0, "value")))
    with ExitStack() as stack:
        running, server, _ = bench.launcher.start("-fresh")
        stack.enter_context(running)
        _running_memory(bench, server)


def _once(launcher: Launcher) -> tuple[float, Memory]:
    """Seconds until a fresh server was ready, and what it held then."""
    running, _, ready_s = launcher.start("-start")
    with running:
        time.sleep(SETTLE_S)
        return ready_s, measure(running.process.pid)


def _running_memory(bench: Bench, server: Server) -> None:
    """What a file of ten minutes, and of three hours if asked for, adds."""
    assert server.pid is not None
    before = measure(server.pid)
    for seconds in filter(None, (bench.plan.file_s, bench.plan.huge_s)):
        clip = bench.library.long(seconds)
        name = f"memory of all processes, peak during a {named(seconds)} file"
        server.timeout_s = 3600.0
        try:
            with watched(server.pid) as peak:
                answer = server.transcribe(clip)
        except Refused as refusal:
            bench.report.add(Row(name, "MB", [], note=str(refusal)[:150]))
            continue
        bench.report.details[name] = _as_json(peak.memory)
        # The goal is the three-hour file's; a shorter one can only hold less.
        row = Row(
            name,
            "MB",
            _megabytes([peak.memory]),
            "ready",
            _megabytes([before]),
            Goal(150.0, "difference"),
        )
        bench.report.add(row)
        bench.report.details[f"{named(seconds)} file, audio-s/s"] = clip.seconds / answer.seconds


def _megabytes(found: list[Memory]) -> list[float]:
    return [memory.held / MB for memory in found]


def _as_json(memory: Memory) -> dict[str, float]:
    return {
        "held_mb": memory.held / MB,
        "pss_mb": memory.pss / MB,
        "rss_mb": memory.rss / MB,
        "processes": memory.processes,
    }
