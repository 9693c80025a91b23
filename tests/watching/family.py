"""The processes that a server has started, and that none is left of them (Linux)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE_S = 240


@contextmanager
def ended_wholly(process, stop):
    """Behind it nothing is left of what `process` has started, whatever happened inside."""
    try:
        yield
    finally:
        family = descendants(process.pid)
        try:
            stop()
            left = lasting(family)
        finally:
            for pid in family:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    assert left == []


def lasting(family):
    """Those that do not end. The kernel takes its time with those whose parent was killed."""
    until_s = time.monotonic() + PATIENCE_S
    while (left := [pid for pid in family if alive(pid)]) and time.monotonic() < until_s:
        time.sleep(0.05)
    return left


def descendants(root):
    """Ids of the processes that `root` has started, and of theirs."""
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            pid, rest = file.read_text().split(" ", 1)
            parents[int(pid)] = int(rest.rpartition(") ")[2].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def alive(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False
