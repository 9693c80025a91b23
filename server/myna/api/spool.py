"""Uploads on disk: files without a name, whose space comes back when they are closed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import anyio
from anyio import to_thread

from myna.errors import MynaError


def spool_file(spool_dir: Path | None) -> BinaryIO:
    """An empty file in a directory, None for the system's. Who holds it closes it.

    Raises OSError where it cannot be made.
    """
    return cast("BinaryIO", tempfile.TemporaryFile(dir=spool_dir))


async def release(close: Callable[[], object]) -> None:
    """Close files in a worker thread, to the end although the task may be cancelled already."""
    with anyio.CancelScope(shield=True):
        await to_thread.run_sync(close)


def unstorable(error: OSError) -> NoReturn:
    """Raise what a disk that cannot be written means for the request: the server's fault."""
    raise MynaError(f"The upload could not be stored: {error.strerror or error}") from error
