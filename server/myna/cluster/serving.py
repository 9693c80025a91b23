"""`myna serve --cluster`: the same server in front, and a cluster behind it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from myna.cluster.calls import Fleet
from myna.cluster.front import front
from myna.cluster.shape import on_one_machine
from myna.cluster.tasks import tasks_of
from myna.engines.devices import choose_threads
from myna.planning import plan
from myna.serving import Listener
from myna.settings import Settings
from myna.telemetry.logs import configure_logging

_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray would tell its makers that it runs
    "RAY_DEDUP_LOGS": "0",  # every line of every replica, when it is written
    "RAY_COLOR_PREFIX": "0",
}
"""Defaults for Ray, which reads them when it is imported."""


def run(settings: Settings) -> None:
    """Serve until stopped by a signal.

    Raises:
        ModelUnavailable: a model's files cannot be had.
        ValueError: what is asked for cannot be had in a cluster.
        ModuleNotFoundError: Ray is not installed.
        OSError: the address is taken or not this machine's.
        SystemExit: the replicas could not be started.
    """
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    from myna.cluster.local import Cluster  # noqa: PLC0415 - behind the variables

    configure_logging(settings.log_level, settings.log_format)
    tasks = tasks_of(settings)
    listener = Listener(settings)
    plan(settings)  # fetches what is missing once, and says at once what cannot be had
    cluster = Cluster(settings, on_one_machine(settings, tasks, choose_threads(0)))

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[None]:
        def found(fleet: Fleet) -> None:
            gateway.fleet = fleet

        async with cluster.living(found, listener.fail):
            yield

    app, gateway = front(settings, tasks, listener.drain, lifespan)
    try:
        cluster.start()
        listener.run(app)
    finally:
        cluster.stop()
