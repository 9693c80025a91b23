"""Telling people how a download goes: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import NoReturn, Protocol, TextIO

from tqdm import tqdm

_SMALL_BYTES = 8 << 20
"""Smaller files are not worth a line at their start, nor a bar that stays."""


class Progress(Protocol):
    """Hears of what the store does."""

    def fetching(self, label: str, size: int, folder: Path) -> AbstractContextManager[None]:
        """Surrounds the fetching of one file of `size` bytes; what arrives grows in `folder`."""
        ...

    def copying(self, label: str, size: int) -> AbstractContextManager[Callable[[int], object]]:
        """Surrounds the copying of `size` bytes, and is told of every few that are done."""
        ...

    def note(self, text: str) -> None:
        """One sentence."""
        ...


class Silence:
    """Says nothing."""

    @contextmanager
    def fetching(self, label: str, size: int, folder: Path) -> Generator[None]:
        """Say nothing."""
        del label, size, folder
        yield

    @contextmanager
    def copying(self, label: str, size: int) -> Generator[Callable[[int], object]]:
        """Say nothing."""
        del label, size
        yield lambda _: None

    def note(self, text: str) -> None:
        """Say nothing."""


class TerminalProgress:
    """Writes to standard error, or to the stream given."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def fetching(self, label: str, size: int, folder: Path) -> AbstractContextManager[None]:
        """A bar, or a line at the start and one at the end."""
        if self._stream.isatty():
            return self._bar(label, size, folder)
        return self._lines(label, size)

    @contextmanager
    def copying(self, label: str, size: int) -> Generator[Callable[[int], object]]:
        """A bar, or a line at the end."""
        terminal = self._stream.isatty()
        made: tqdm[NoReturn] = tqdm(
            total=size,
            desc=label,
            unit="B",
            unit_scale=True,
            file=self._stream,
            disable=not terminal,
        )
        with made as bar:
            yield bar.update
        if not terminal:
            self.note(f"{label}: {tqdm.format_sizeof(size, 'B')}")

    def note(self, text: str) -> None:
        """Write one line."""
        tqdm.write(text, file=self._stream)

    @contextmanager
    def _lines(self, label: str, size: int) -> Generator[None]:
        amount = tqdm.format_sizeof(size, "B")
        if size >= _SMALL_BYTES:
            self.note(f"fetching {label} ({amount})")
        start_s = time.monotonic()
        yield
        self.note(f"fetched {label} ({amount}) in {time.monotonic() - start_s:.1f} s")

    @contextmanager
    def _bar(self, label: str, size: int, folder: Path) -> Generator[None]:
        stays = size >= _SMALL_BYTES
        with tqdm(
            total=size, desc=label, unit="B", unit_scale=True, file=self._stream, leave=stays
        ) as bar:
            done = Event()
            watcher = Thread(target=_follow, args=(bar, folder, done), daemon=True)
            watcher.start()
            try:
                yield
            finally:
                done.set()
                watcher.join()
            bar.update(size - bar.n)


def _follow(bar: tqdm[None], folder: Path, done: Event) -> None:
    # pip, npm and the hub's client each show progress in their own way and to nobody when they
    # are not on a terminal; the growth of the folder they write to is the same for all.
    before = folder_bytes(folder)
    total = int(bar.total or 0)
    while not done.wait(0.2):
        grown = min(folder_bytes(folder) - before, total)
        bar.update(max(grown - int(bar.n), 0))


def folder_bytes(folder: Path) -> int:
    """What all files in a folder take, however deep; files may come and go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # moved or deleted since it was listed
            continue
    return total
