"""A replica: the very same app as on a single machine, with its scheduler, without a socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from prometheus_client import generate_latest

from myna.api.context import Context
from myna.app import create_app
from myna.cluster.calls import Batch, Call, Report
from myna.cluster.hosting import answer
from myna.cluster.scaling import BUSY, QUEUED
from myna.cluster.tasks import Task, narrowed
from myna.machine import suit_engines
from myna.planning import heaps, plan
from myna.settings import Settings
from myna.telemetry.access import Telemetry
from myna.telemetry.logs import configure_logging
from myna.telemetry.traces import exporting

_log = logging.getLogger("myna.cluster")

_LOOK_S = 0.02
"""How often a replica that starts looks whether its models are loaded."""


class Replica:
    """One app and the models of one task."""

    def __init__(self, settings: Settings, task: Task, name: str) -> None:
        """Nothing is loaded yet. `name` is what Ray calls it."""
        self.task: Task = task
        self._settings = settings
        self._name = name
        self._stack = AsyncExitStack()
        self._failure: Exception | None = None

    async def start(self) -> None:
        """Return when the models are loaded and warm.

        Raises:
            Exception: they cannot be; whatever is wrong with their files.
        """
        configure_logging(self._settings.log_level, self._settings.log_format)
        suit_engines(heaps(self._settings))
        planned = await asyncio.to_thread(plan, self._settings)
        settings = narrowed(self._settings, planned, self.task)
        self._app = create_app(
            settings,
            planned,
            on_failure=self._fail,
            telemetry=Telemetry(exporting() if settings.traces else None),
        )
        await self._stack.enter_async_context(self._app.router.lifespan_context(self._app))
        while self._context.residents is None:
            self.check()
            await asyncio.sleep(_LOOK_S)
        _log.info("%s has its models on %d threads", self._name, planned.threads)

    async def stop(self) -> None:
        """Unload everything."""
        await self._stack.aclose()

    def answer(self, call: Call) -> AsyncGenerator[Batch]:
        """The app's answer to a request or a session."""
        return answer(self._app, call)

    def check(self) -> None:
        """Raises what the models have failed with."""
        if self._failure is not None:
            raise self._failure

    def load(self) -> dict[str, float]:
        """What scaling goes by."""
        residents = self._context.residents
        if residents is None:
            return {QUEUED: 0.0, BUSY: 0.0}
        admission = (residents.stt if self.task == "stt" else residents.tts).admission
        return {QUEUED: admission.queued_s, BUSY: float(admission.requests > 0)}

    async def report(self) -> Report:
        """What it tells of itself."""
        page: bytes = await asyncio.to_thread(generate_latest, self._context.registry)
        loaded = self._context.loaded().names
        return Report(self.task, self._name, loaded, page.decode("utf-8"))

    @property
    def _context(self) -> Context:
        found: Context = self._app.state.context
        return found

    def _fail(self, error: Exception) -> None:
        self._failure = error
