"""What a server does when it has nothing to do: its processes shrink to what the models need."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

QUIET_S = 30.0
"""Long enough that clients which take turns with the server do not pay for it each time."""

_log = logging.getLogger("myna.quiet")


async def give_back_when_quiet(
    served: Callable[[], int],
    present: Callable[[], int],
    give_back: Callable[[], object],
    quiet_s: float = QUIET_S,
) -> None:
    """Call `give_back` in a thread, once, when requests have been served and none has been there
    for a while; goes on until it is cancelled.

    `served` counts all requests that have come so far, `present` those that are there now.
    """
    tidied = 0
    while True:
        before = served()
        await asyncio.sleep(quiet_s)
        if before == served() != tidied and not present():
            tidied = before
            await asyncio.to_thread(give_back)
            _log.debug("gave freed memory back after %d requests", before)
