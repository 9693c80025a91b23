"""Where custom voices and consents are kept: on a disk that is slow, full, or gone."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread

from myna.api.spool import unstorable
from myna.errors import BadRequest, MynaError

T = TypeVar("T")

_log = logging.getLogger("myna.api.keeping")


async def kept(work: Callable[[], T]) -> T:
    """Do what waits for the disk, in a thread.

    Raises:
        Overloaded: the disk is full.
        MynaError: it cannot be read or written.
    """
    try:
        return await to_thread.run_sync(work)
    except OSError as error:
        _log.error("cannot keep custom voices (setting voices_dir): %s", error)
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            unstorable(error)
        raise MynaError(
            "The server cannot read or write its custom voices "
            f"({error.strerror or 'disk error'}); who runs it finds more in its log."
        ) from error


def full(what: str, most: int) -> BadRequest:
    """The error for one too many."""
    return BadRequest(
        f"There are {most} {what} already, which is the maximum for this server (setting "
        "max_custom_voices); delete one first.",
        code="limit_reached",
    )
