"""Which models are in memory: loaded when they are asked for, unloaded when they are not.

Everything here happens on the event loop, so that between two awaits nothing changes; only `build`
and `close` of a model run elsewhere. One model at a time is loaded or unloaded: memory can only be
reckoned with while one thing grows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from myna.errors import Conflict, EngineFailure, MynaError, Overloaded
from myna.scheduling.resident import Loaded, Resident, Service

T = TypeVar("T")
Reason = Literal["memory", "idle", "asked"]

_log = logging.getLogger(__name__)

_LEAST_SHARE = 0.25
"""Of what was expected: where memory grows by less, it was reused, and tells nothing."""
_RETRY_S = 5.0
"""For requests whose model finds no room: about how long one that is in use may stay so."""


class Run(Protocol):
    """Runs what blocks, outside the event loop."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """The result, or whatever `work` raises."""
        ...


class Observer(Protocol):
    """Hears of models that come and go."""

    def loaded(self, model: str, seconds: float) -> None:
        """It took so long."""
        ...

    def not_loaded(self, model: str) -> None:
        """It could not be loaded."""
        ...

    def unloaded(self, model: str, reason: Reason) -> None:
        """It is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How long models stay, and how much they may take."""

    memory_bytes: int = 0
    """All of them together; 0 for no limit."""
    ttl_s: float = 0.0
    """How long a model may be idle; 0 for ever."""
    wait_s: float = 60.0
    """How long a request waits for its model."""


class Lease(Generic[Service]):
    """The use of a model by one request; ending it twice is ending it once."""

    def __init__(self, service: Service, end: Callable[[], None]) -> None:
        self.service = service
        self._end: Callable[[], None] | None = end

    def end(self) -> None:
        """The request does not need the model any more."""
        if self._end is not None:
            self._end()
            self._end = None


class Residency:
    """Loads, lends and unloads models. Only to be used on the event loop."""

    def __init__(
        self,
        residents: Sequence[Resident[Any]],
        terms: Terms,
        *,
        run: Run,
        memory: Callable[[], int] = lambda: 0,
        observer: Observer | None = None,
    ) -> None:
        """`memory` tells the bytes that the process takes; 0 where that is not known."""
        self._residents = residents
        self._terms = terms
        self._run = run
        self._memory = memory
        self._observer = observer
        self._one_at_a_time = asyncio.Lock()
        self._loads: dict[Resident[Any], asyncio.Task[None]] = {}
        self._unloads: set[asyncio.Task[None]] = set()
        self._supplied: set[Resident[Any]] = set()
        """Those whose files are being put in place, which several may be at a time."""

    @property
    def held_bytes(self) -> int:
        """What all models in memory take, those included that are being unloaded."""
        return sum(one.memory_bytes for one in self._residents if one.held or one.unloading)

    def fits(self, resident: Resident[Any]) -> bool:
        """Whether there is room for it with nothing being unloaded."""
        limit_bytes = self._terms.memory_bytes
        return not limit_bytes or self.held_bytes + resident.memory_bytes <= limit_bytes

    async def lease(
        self, resident: Resident[Service], *, wait_s: float | None = None
    ) -> Lease[Service]:
        """The model for one request, loaded if need be; it stays until the lease ends. `wait_s` is
        how long to wait for that, by default what the terms say.

        Raises:
            Overloaded: it is not there in time, or finds no room.
            EngineFailure: it cannot be loaded.
            Conflict: its files are missing.
        """
        resident.leases += 1  # from here on, so that it is not unloaded before it is used
        try:
            await self._wait_for(resident, self._terms.wait_s if wait_s is None else wait_s)
            return self.take(resident)
        finally:
            self._release(resident)

    def take(self, resident: Resident[Service]) -> Lease[Service]:
        """The model for one request, if it is in memory.

        Raises:
            Overloaded: it is not, or is about to go.
        """
        if resident.unloading:
            raise Overloaded(f"The model {resident.id} is not loaded.", reason="loading")
        service = resident.service
        resident.leases += 1
        return Lease(service, lambda: self._release(resident))

    async def load(self, resident: Resident[Any], *, wait_s: float | None = None) -> None:
        """See to it that a model is in memory; from then on it is served.

        Raises as `lease` does; `wait_s` None waits for as long as it takes.
        """
        await self._wait_for(resident, wait_s)

    async def unload(self, resident: Resident[Any]) -> None:
        """Take a model out of memory, pinned or not; one of the reserve is not served any more.

        Raises:
            Conflict: requests use it, or it is being loaded.
        """
        self._check_unused(resident)
        await self._apart(self._unload_by_hand(resident))

    async def sweep(self) -> None:
        """Unload what has been idle for too long."""
        if not self._terms.ttl_s:
            return
        for resident in self._idle():
            await self._apart(self._unload_if_idle(resident))

    async def watch(self) -> None:
        """Sweep now and then, for ever."""
        while True:
            await asyncio.sleep(min(max(self._terms.ttl_s / 4, 0.5), 15.0))
            await self.sweep()

    async def settle(self) -> None:
        """Wait for models that are being loaded or unloaded, which cannot be interrupted; the
        fetching of files is."""
        for resident in self._supplied:
            self._loads[resident].cancel()
        await asyncio.gather(*self._loads.values(), *self._unloads, return_exceptions=True)

    async def _wait_for(self, resident: Resident[Any], wait_s: float | None) -> None:
        if resident.held is not None and not resident.unloading:
            return
        # One task for all who ask; it goes on although one of them, or all, may leave.
        task = self._loads.get(resident)
        if task is None:
            resident.loading_since_s = _now_s()
            task = self._loads[resident] = asyncio.create_task(self._load(resident))
            task.add_done_callback(_looked_at)
        done, _ = await asyncio.wait({task}, timeout=wait_s)
        if not done:
            raise resident.still_loading(_now_s())
        task.result()

    async def _apart(self, unloading: Coroutine[Any, Any, None]) -> None:
        """Unload in a task of its own: who asked for it may be cancelled, and it goes on."""
        task = asyncio.create_task(unloading)
        self._unloads.add(task)
        task.add_done_callback(self._unloads.discard)
        task.add_done_callback(_looked_at)
        await asyncio.shield(task)

    async def _unload_by_hand(self, resident: Resident[Any]) -> None:
        async with self._one_at_a_time:
            # While this waited for its turn, somebody may have come.
            self._check_unused(resident)
            resident.called_up = False
            if resident.held is not None:
                await self._unload(resident, "asked")

    def _check_unused(self, resident: Resident[Any]) -> None:
        if resident in self._loads:
            raise Conflict(f"The model {resident.id} is being loaded; unload it when it is there.")
        if resident.leases:
            raise Conflict(
                f"The model {resident.id} is in use and stays loaded: {resident.leases} "
                "requests; try again when they are answered."
            )

    async def _unload_if_idle(self, resident: Resident[Any]) -> None:
        async with self._one_at_a_time:
            # While this waited for its turn, somebody may have come.
            if resident in self._idle() and _now_s() - resident.used_s >= self._terms.ttl_s:
                await self._unload(resident, "idle")

    async def _load(self, resident: Resident[Any]) -> None:
        try:
            await self._supply(resident)
            async with self._one_at_a_time:
                await self._make_room(resident)
                await self._build(resident)
                await self._make_up_for(resident)
        finally:
            resident.loading_since_s = None
            del self._loads[resident]

    async def _supply(self, resident: Resident[Any]) -> None:
        if resident.supply is None:
            return
        self._supplied.add(resident)
        try:
            await resident.supply.ready()
        except MynaError:
            if self._observer is not None:
                self._observer.not_loaded(resident.id)
            raise
        finally:
            self._supplied.discard(resident)
        resident.loading_since_s = _now_s()  # from here on it is the disk's speed that counts

    async def _build(self, resident: Resident[Any]) -> None:
        begun_s, before_bytes = _now_s(), self._memory()
        try:
            loaded: Loaded[Any] = await self._run(resident.build)
        except Exception as failure:
            if self._observer is not None:
                self._observer.not_loaded(resident.id)
            # Libraries name paths and devices in it: not for clients.
            _log.error("cannot load %s: %s", resident.id, failure)
            _log.debug("cannot load %s", resident.id, exc_info=failure)
            raise EngineFailure(
                f"The model {resident.id} cannot be loaded; the server's log says why."
            ) from failure
        grown_bytes = self._memory() - before_bytes
        if grown_bytes > _LEAST_SHARE * resident.memory_bytes:
            resident.memory_bytes = grown_bytes
        resident.used_s = _now_s()
        resident.load_s = resident.used_s - begun_s
        resident.hold(loaded)
        resident.called_up = True
        if self._observer is not None:
            self._observer.loaded(resident.id, resident.load_s)

    async def _make_room(self, for_: Resident[Any]) -> None:
        """Unload idle models, the least recently used first, until there is room."""
        while not self.fits(for_):
            idle = self._idle()
            if not idle:
                raise Overloaded(
                    f"There is no memory for the model {for_.id} beside those that are in use "
                    "(setting model_memory_bytes); send the request again later.",
                    retry_after_s=_RETRY_S,
                    reason="memory",
                )
            await self._unload(idle[0], "memory")

    async def _make_up_for(self, resident: Resident[Any]) -> None:
        """It may have come out larger than expected: others go, as far as they can."""
        limit_bytes = self._terms.memory_bytes
        while limit_bytes and self.held_bytes > limit_bytes:
            others = [one for one in self._idle() if one is not resident]
            if not others:
                _log.warning(
                    "models take %d bytes, more than model_memory_bytes allows", self.held_bytes
                )
                return
            await self._unload(others[0], "memory")

    async def _unload(self, resident: Resident[Any], reason: Reason) -> None:
        resident.unloading = True  # from here on nobody gets it
        try:
            await self._run(resident.close)
        except Exception:  # noqa: BLE001 - whatever a model's library raises at its end
            # It is gone all the same, and those who wait for its place must not suffer.
            _log.exception("%s did not end well", resident.id)
        finally:
            resident.unloading = False
        _log.info("unloaded %s (%s)", resident.id, reason)
        if self._observer is not None:
            self._observer.unloaded(resident.id, reason)

    def _idle(self) -> list[Resident[Any]]:
        """Models that could be unloaded, the least recently used first."""
        found = [
            one
            for one in self._residents
            if one.held and not (one.leases or one.pinned or one.unloading)
        ]
        return sorted(found, key=lambda one: one.used_s)

    def _release(self, resident: Resident[Any]) -> None:
        resident.leases -= 1
        resident.used_s = _now_s()


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _looked_at(task: asyncio.Task[None]) -> None:
    """A failure that nobody waits for any more is no surprise at its end."""
    if not task.cancelled():
        task.exception()
