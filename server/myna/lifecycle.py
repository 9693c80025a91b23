"""The models of an app from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from myna.api.context import Context
from myna.loading import Loader
from myna.machine import give_back_freed_memory, resident_bytes
from myna.quiet import give_back_when_quiet
from myna.scheduling.casting import check_stand_ins
from myna.scheduling.residency import Observer, Residency, Terms
from myna.scheduling.residents import Residents
from myna.settings import Settings

_log = logging.getLogger("myna.lifecycle")


@asynccontextmanager
async def living(
    shared: Context,
    loader: Loader,
    observer: Observer,
    on_failure: Callable[[Exception], None] | None,
) -> AsyncGenerator[None]:
    """Loads models while the block runs, first those of the start; behind it none is left.

    `shared` has them once those of the start are loaded. If one of these cannot be, `on_failure` is
    called.
    """
    life = asyncio.create_task(_live(shared, loader, observer, on_failure))
    try:
        yield
    finally:
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life


async def _live(
    shared: Context,
    loader: Loader,
    observer: Observer,
    on_failure: Callable[[Exception], None] | None,
) -> None:
    begun_s = time.perf_counter()
    residents = await _uninterrupted(loader)
    terms = _terms(shared.settings)
    residency = Residency(
        residents.known, terms, run=asyncio.to_thread, memory=resident_bytes, observer=observer
    )
    try:
        await _preload(residents, residency, shared.settings.preload)
        check_stand_ins(residents.tts.residents, shared.settings.voices)
        shared.residency, shared.residents = residency, residents
        _log.info("ready after %.1f s", time.perf_counter() - begun_s)
        await asyncio.gather(residency.watch(), _tidy(residents))
    except Exception as failure:  # noqa: BLE001 - whatever a model's library raises about its files
        error = failure.__cause__ if isinstance(failure.__cause__, Exception) else failure
        _log.error("cannot start: %s", error)
        _log.debug("cannot start", exc_info=error)
        if on_failure is not None:
            on_failure(error)
    finally:
        shared.residency = shared.residents = None
        await residency.settle()
        await asyncio.to_thread(residents.close)


def _tidy(residents: Residents) -> Coroutine[Any, Any, None]:
    return give_back_when_quiet(
        lambda: residents.served, lambda: residents.present, give_back_freed_memory
    )


async def _uninterrupted(loader: Loader) -> Residents:
    """What the models share cannot be interrupted while it starts: wait, then give it back."""
    work = asyncio.ensure_future(asyncio.to_thread(loader.prepare))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.to_thread((await work).close)
        raise


def _terms(settings: Settings) -> Terms:
    return Terms(settings.model_memory_bytes, settings.model_ttl_s, settings.load_wait_s)


async def _preload(residents: Residents, residency: Residency, names: tuple[str, ...]) -> None:
    wanted = set(names)
    # Pinned ones first: they never make room.
    named = (*residents.stt.named, *residents.tts.named)
    for resident in sorted(named, key=lambda one: not one.pinned):
        if not (resident.pinned or "all" in wanted or {resident.id, *resident.aliases} & wanted):
            continue
        if not residency.fits(resident):
            _log.warning("%s is loaded when it is asked for: model_memory_bytes", resident.id)
            continue
        await residency.load(resident)
