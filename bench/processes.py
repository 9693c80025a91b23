"""Processes that the benchmark starts, which it ends whatever happens; and those that listen."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from load import Refused, exchange

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
RESULTS = BENCH / "results"
TUNING = (
    *("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_NUM"),
    *("CT2_", "MYNA_"),
)
"""Beginnings of variables that change how engines run: none of them reaches what is measured."""


def stock_environment() -> dict[str, str]:
    """This process's environment without tuning."""
    return {name: value for name, value in os.environ.items() if not name.startswith(TUNING)}


def free_port() -> int:
    """A port of the loopback interface that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """A child process with its log. Leaving the context ends it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        piped: bool = False,
        tuning: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command` with this Python; its log is `results/NAME.log`. `tuning` goes into its
        environment."""
        self.name = name
        self.log = RESULTS / f"{name}.log"
        self.started_s = time.perf_counter()
        pipe = subprocess.PIPE if piped else None
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdin=pipe or subprocess.DEVNULL,
                stdout=pipe or log,
                stderr=log,
                bufsize=0,
                cwd=ROOT,
                env=stock_environment() | dict(tuning or {}),
                start_new_session=True,  # Ctrl-C is for the benchmark, which then ends this
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask it to end, and make it after ten seconds."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def wait_ready(self, base_url: str, *, limit_s: float = 120.0) -> float:
        """Seconds from the process's start until `GET /ready` answers 200.

        Raises RuntimeError if it ends before that or takes longer than `limit_s`.
        """
        while time.perf_counter() - self.started_s < limit_s:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended before it was ready:\n{self.last_words()}")
            try:
                exchange(f"{base_url}/ready", timeout_s=5.0)
            except Refused:
                time.sleep(0.02)
            else:
                return time.perf_counter() - self.started_s
        raise RuntimeError(f"{self.name} is not ready after {limit_s:.0f} s:\n{self.last_words()}")

    def ask(self, question: dict[str, Any], *, limit_s: float = 600.0) -> dict[str, Any]:
        """One line of JSON to its standard input, one back.

        Raises RuntimeError if it ends or takes longer than `limit_s`.
        """
        asked, answered = self.process.stdin, self.process.stdout
        assert asked is not None
        assert answered is not None
        try:
            asked.write(json.dumps(question).encode() + b"\n")
        except BrokenPipeError as failure:
            raise RuntimeError(f"{self.name} has ended:\n{self.last_words()}") from failure
        line = b""
        until_s = time.perf_counter() + limit_s
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([answered], [], [], max(until_s - time.perf_counter(), 0.0))
            piece = os.read(answered.fileno(), 1 << 16) if ready else b""
            if not piece:
                why = "ended" if ready else f"said nothing for {limit_s:.0f} s"
                raise RuntimeError(f"{self.name} {why}:\n{self.last_words()}")
            line += piece
        return json.loads(line)

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]


def listener(port: int) -> int | None:
    """The process that listens on `port` of this machine, if it is one that we may look at."""
    inodes = {
        f"socket:[{fields[9]}]"
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
        if table.exists()
        for fields in (line.split() for line in table.read_text().splitlines()[1:])
        if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port
    }
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            if str(descriptor.readlink()) in inodes:
                return int(descriptor.parts[2])
        except OSError:  # gone meanwhile, or not ours
            continue
    return None
