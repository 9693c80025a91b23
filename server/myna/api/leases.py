"""The models that one request or live session is lent, each once, however often it asks."""

from __future__ import annotations

import asyncio
from typing import Generic

from myna.errors import Overloaded
from myna.scheduling.residency import Lease, Residency
from myna.scheduling.resident import Resident, Service

_ANSWER_S = 10.0
"""Longest that the event loop may take to say whether a model is in memory."""


class Leases(Generic[Service]):
    """All stay in memory until the end. To be made on the event loop."""

    def __init__(self, residency: Residency) -> None:
        self._residency = residency
        self._loop = asyncio.get_running_loop()
        self._held: dict[Resident[Service], Lease[Service]] = {}
        self._ended = False

    async def take(self, resident: Resident[Service], *, wait_s: float | None = None) -> None:
        """Have a model, loaded if need be; raises as `Residency.lease` does."""
        if resident in self._held:
            return
        lease = await self._residency.lease(resident, wait_s=wait_s)
        if self._ended:
            lease.end()
            raise Overloaded("The request or session is over.")
        self._held[resident] = lease

    def now(self, resident: Resident[Service]) -> Service:
        """A model that is held already, or one that is in memory; on the event loop.

        Raises:
            Overloaded: it is not in memory, and is not loaded for this.
        """
        if resident not in self._held:
            self._held[resident] = self._residency.take(resident)
        return self._held[resident].service

    def service(self, resident: Resident[Service]) -> Service:
        """A model that is held already, or one that is in memory; called from any thread but, for
        one that is not held, that of the event loop. One that is not in memory is then loaded.

        Raises:
            Overloaded: it is not in memory yet; it says when to ask again.
        """
        if resident not in self._held:
            taking = self.take(resident, wait_s=0.0)
            asyncio.run_coroutine_threadsafe(taking, self._loop).result(_ANSWER_S)
        return self._held[resident].service

    def end(self) -> None:
        """None of them is needed any more."""
        self._ended = True
        for lease in self._held.values():
            lease.end()
