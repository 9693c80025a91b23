"""Memory that a server's processes hold, all of them together (Linux).

Summed RSS counts shared pages once per process; summed PSS hands part of a library's pages to
unrelated programs that happen to use it too. `held` avoids both: anonymous memory is shared inside
the tree only, so its PSS is summed, and a file's pages are counted once however many of the
processes map them.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MB = 1_000_000
_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ ([0-9a-f]+) (\S+) (\d+) *(.*)")
_SHARED = ("/dev/zero", "/dev/shm/", "/memfd:", "/SYSV")
"""Mappings that are no files: the rollup's `Pss_Shmem` has them."""
_SIZE = re.compile(r"^(\w+): +(\d+) kB")


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a process and all below it, in bytes."""

    held: int
    pss: int
    rss: int
    processes: int


def tree(pid: int) -> list[int]:
    """`pid` and all its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        children[int(fields[1])].append(int(stat.parts[2]))
    found = [pid]
    for parent in found:  # grows while it is read
        found += children[parent]
    return found


def measure(pid: int) -> Memory:
    """What the tree of `pid` holds now."""
    sums: dict[str, int] = defaultdict(int)
    files: dict[tuple[str, str, str], int] = defaultdict(int)
    pids = tree(pid)
    for process in pids:
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            mappings = _file_pages(Path(f"/proc/{process}/smaps").read_text())
        except OSError:  # it has ended meanwhile
            continue
        for name, kilobytes in _sizes(rollup):
            sums[name] += kilobytes
        for mapping, kilobytes in mappings.items():
            files[mapping] = max(files[mapping], kilobytes)
    held = sums["Pss_Anon"] + sums["Pss_Shmem"] + sum(files.values())
    return Memory(held * 1024, sums["Pss"] * 1024, sums["Rss"] * 1024, len(pids))


def _sizes(text: str) -> Iterator[tuple[str, int]]:
    for line in text.splitlines():
        if match := _SIZE.match(line):
            yield match[1], int(match[2])


def _file_pages(smaps: str) -> dict[tuple[str, str, str], int]:
    """Resident kB of every mapped stretch of a file (device, inode, offset), copies left out."""
    pages: dict[tuple[str, str, str], int] = {}
    mapping: tuple[str, str, str] | None = None
    for line in smaps.splitlines():
        if head := _MAPPING.match(line):
            of_file = head[3] != "0" and not head[4].startswith(_SHARED)
            mapping = (head[2], head[3], head[1]) if of_file else None
        elif mapping and (size := _SIZE.match(line)) and size[1] in {"Rss", "Anonymous"}:
            kilobytes = int(size[2]) if size[1] == "Rss" else -int(size[2])
            pages[mapping] = pages.get(mapping, 0) + kilobytes
    return pages


@dataclass
class Peak:
    """The largest of the samples so far."""

    memory: Memory = field(default_factory=lambda: Memory(0, 0, 0, 0))

    def sample(self, pid: int) -> None:
        """Look once."""
        now = measure(pid)
        if now.held > self.memory.held:
            self.memory = now


@contextmanager
def watched(pid: int, every_s: float = 1.0) -> Generator[Peak]:
    """The peak of the tree of `pid` while the context is open."""
    peak = Peak()
    over = threading.Event()

    def watch() -> None:
        while True:
            peak.sample(pid)
            if over.wait(every_s):
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
