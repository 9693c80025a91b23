"""Uploads on disk: files without a name, whose space comes back when they are closed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import NoReturn

import anyio
from anyio import to_thread

from myna.errors import MynaError, Overloaded

SPOOL_BYTES = 4 << 30
"""Usual limit of all uploads together."""
_LEFT_FREE_BYTES = 256 << 20
"""Of the disk, for everybody else on the machine."""
_LOOK_EVERY_BYTES = 8 << 20
"""How often a file that grows looks at the disk."""
_RETRY_S = 5.0


class Spool:
    """The place of uploads, and how much they may take there together. Thread-safe."""

    def __init__(self, folder: Path | None = None, limit_bytes: int = SPOOL_BYTES) -> None:
        """`folder` None is the system's directory for temporary files."""
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._lock = Lock()
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """What the files that are open take."""
        with self._lock:
            return self._held_bytes

    def file(self) -> SpoolFile:
        """An empty file. Who holds it closes it.

        Raises OSError where it cannot be made.
        """
        return SpoolFile(self, self._folder)

    def take(self, n_bytes: int) -> None:
        """Count what a file is about to write.

        Raises Overloaded where all files together would be beyond the limit.
        """
        with self._lock:
            if self._held_bytes + n_bytes > self._limit_bytes:
                raise Overloaded(
                    "The server has no room for another upload; send it again later.",
                    retry_after_s=_RETRY_S,
                )
            self._held_bytes += n_bytes

    def give_back(self, n_bytes: int) -> None:
        """A file is closed."""
        with self._lock:
            self._held_bytes -= n_bytes

    def look(self) -> None:
        """Raises Overloaded where the disk is nearly full."""
        free = shutil.disk_usage(self._folder or tempfile.gettempdir()).free
        if free < _LEFT_FREE_BYTES:
            raise Overloaded(
                "The server's disk is nearly full; send the upload again later.",
                retry_after_s=_RETRY_S,
            )


class SpoolFile:
    """One upload. Only one thread at a time may use it."""

    def __init__(self, spool: Spool, folder: Path | None) -> None:
        self._spool = spool
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._size = 0
        self._looked_at = -_LOOK_EVERY_BYTES
        self._growth: int | None = None

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    @property
    def closed(self) -> bool:
        """Whether its space has been given back."""
        return self._file.closed

    def write(self, data: bytes) -> None:
        """Add to its end. Raises Overloaded where there is no room, OSError where it fails."""
        if self._size - self._looked_at >= _LOOK_EVERY_BYTES:
            self._spool.look()
            self._looked_at = self._size
        self._spool.take(len(data))
        self._size += len(data)
        self._file.write(data)
        if self._growth is not None:
            self._file.flush()
            with suppress(BlockingIOError, BrokenPipeError):  # told already, or nobody listens
                os.write(self._growth, b"+")

    def follow(self) -> int:
        """The end to read of a pipe that says when there is more to read in the file, and ends when
        it is complete. Who asks closes it. Can be had once.

        Raises OSError where what is buffered cannot be written.
        """
        reader, self._growth = os.pipe()
        os.set_blocking(self._growth, False)
        try:
            self._file.flush()
        except OSError:
            os.close(reader)
            raise
        return reader

    def rewind(self) -> None:
        """The file is complete: write out what is buffered, and go to the beginning.

        Raises OSError where it fails.
        """
        self._file.seek(0)
        self._complete()

    def read(self, n_bytes: int = -1) -> bytes:
        """The next `n_bytes`, fewer at the end; by default all that is left."""
        return self._file.read(n_bytes)

    def fileno(self) -> int:
        """The descriptor."""
        return self._file.fileno()

    def close(self) -> None:
        """Give the space back; may be called again. Raises OSError where the rest cannot be
        written, and gives the space back all the same."""
        if not self._file.closed:
            self._complete()
            self._spool.give_back(self._size)
            self._file.close()

    def _complete(self) -> None:
        if self._growth is not None:
            os.close(self._growth)
            self._growth = None


async def release(close: Callable[[], object]) -> None:
    """Close files in a worker thread, to the end although the task may be cancelled already."""
    with anyio.CancelScope(shield=True):
        await to_thread.run_sync(close)


def unstorable(error: OSError) -> NoReturn:
    """Raise what a disk that cannot be written means for the request: the server's fault."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        raise Overloaded(
            "The server's disk is full; send the upload again later.", retry_after_s=_RETRY_S
        ) from error
    raise MynaError(f"The upload could not be stored: {error.strerror or error}") from error
