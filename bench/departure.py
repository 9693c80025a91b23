"""The rows about clients that leave: how soon the engine is free, and what is left of them."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from urllib.parse import urlsplit

from audio import Clip, named
from memory import MB, measure
from report import Goal, Row
from scenarios import SETTLE_S, Bench
from subjects import Server
from tqdm import tqdm

ABANDONED = 2
"""Files at a time: enough that every worker of a two-core machine is at one."""
UNDER_WAY_S = 2.0
"""From the end of the uploads until their clients leave: all batches are running by then."""


def departure(bench: Bench) -> None:
    """A clip posted in the moment in which the clients of two long files leave."""
    server = bench.subject
    clip, bulk = bench.library.nearest(3.0), bench.library.long(bench.plan.file_s)
    server.transcribe(clip)
    idle: list[float] = []
    behind: list[float] = []
    first, last = _held(server), None
    for _ in tqdm(range(bench.plan.repetitions), desc="clients that leave", unit="round"):
        time.sleep(SETTLE_S)
        idle.append(1000 * server.transcribe(clip).seconds)
        left = [_abandoned(server, bulk) for _ in range(ABANDONED)]
        time.sleep(UNDER_WAY_S)
        for connection in left:
            connection.close()
        behind.append(1000 * server.transcribe(clip).seconds)
        last = _held(server)
        first = first if len(idle) > 1 else last  # the first round pays for what is set up lazily
    what = f"{ABANDONED} clients with a {named(bulk.seconds)} file each left"
    bench.report.add(
        Row(f"{clip.seconds:.1f} s clip, when {what}, p50", "ms", behind, "idle", idle)
    )
    if first and last:
        for name, unit, before, after in zip(
            ("open files", "memory"), ("files", "MB"), first, last, strict=True
        ):
            goal = Goal(0.0, "difference") if unit == "files" else None
            row = Row(f"{name} after all {what}", unit, [after], "after the first", [before], goal)
            bench.report.add(row)


def _abandoned(server: Server, clip: Clip) -> http.client.HTTPConnection:
    """A connection on which a transcription has been asked for, and nothing been read."""
    connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=60)
    boundary, body = server.form(clip)
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"} | server.key()
    connection.request("POST", "/v1/audio/transcriptions", body, kind)
    return connection


def _held(server: Server) -> tuple[float, float] | None:
    """Open descriptors and megabytes of a server on this machine."""
    if server.pid is None or not Path(f"/proc/{server.pid}/fd").exists():
        return None
    time.sleep(SETTLE_S)
    files = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
    return float(files), measure(server.pid).held / MB
