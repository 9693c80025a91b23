"""`myna serve --cluster`: a Ray of its own on this machine, or a part of the one that RAY_ADDRESS
names, behind the same server as without."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import ray
from ray import serve
from ray.serve.config import ProxyLocation
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

from myna.cluster.deployments import deployment
from myna.cluster.fleet import RayFleet
from myna.cluster.front import front
from myna.cluster.shape import Shape, on_one_machine, processors
from myna.cluster.tasks import DEPLOYMENTS, Task, tasks_of
from myna.engines.devices import choose_threads
from myna.planning import plan
from myna.serving import Listener
from myna.settings import Settings
from myna.telemetry.logs import configure_logging

_log = logging.getLogger("myna.cluster")

_STORE_BYTES = 256 * 1024 * 1024
"""Of Ray's store in memory, through which uploads pass; what does not fit goes to disk."""


def run(settings: Settings) -> None:
    """Serve until stopped by a signal.

    Raises:
        ModelUnavailable: a model's files cannot be had.
        ValueError: what is asked for cannot be had in a cluster.
        OSError: the address is taken or not this machine's.
        SystemExit: the replicas could not be started.
    """
    configure_logging(settings.log_level, settings.log_format)
    tasks = tasks_of(settings)
    if settings.testing:
        raise ValueError("testing works on a single server only: leave --cluster out")
    listener = Listener(settings)
    plan(settings)  # fetches what is missing once, and says at once what cannot be had
    cluster = _Cluster(settings, on_one_machine(settings, tasks, choose_threads(0)))
    app, gateway = front(settings, tasks, listener.drain, cluster.living)
    cluster.found = lambda fleet: setattr(gateway, "fleet", fleet)
    cluster.failed = listener.fail
    try:
        cluster.start_ray()
        listener.run(app)
    finally:
        serve.shutdown()
        ray.shutdown()


class _Cluster:
    """Ray, and the deployments on it."""

    def __init__(self, settings: Settings, shapes: Mapping[Task, Shape]) -> None:
        self.found: Callable[[RayFleet], None] = _nobody
        self.failed: Callable[[Exception], None] = _nobody
        self._settings = settings
        self._shapes = shapes

    def start_ray(self) -> None:
        """One of our own, which only this machine can reach, or that which RAY_ADDRESS names."""
        address = os.environ.get("RAY_ADDRESS")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
        own: dict[str, Any] = {}
        if address is None:
            own = {
                "num_cpus": processors(self._shapes),
                "object_store_memory": _STORE_BYTES,
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
            }
        ray.init(address or "local", namespace="myna", configure_logging=False, **own)
        quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
        serve.start(proxy_location=ProxyLocation.Disabled, logging_config=quiet)

    @asynccontextmanager
    async def living(self, _: object) -> AsyncGenerator[None]:
        """Starts the replicas while the block runs."""
        starting = asyncio.create_task(self._start())
        try:
            yield
        finally:
            starting.cancel()

    async def _start(self) -> None:
        begun_s = time.perf_counter()
        try:
            handles = await asyncio.to_thread(self._deploy)
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, or a replica's model
            _log.error("cannot start the replicas: %s", error)
            self.failed(error)
            return
        self.found(RayFleet(dict(zip(self._shapes, handles, strict=True))))
        _log.info("ready after %.1f s", time.perf_counter() - begun_s)

    def _deploy(self) -> list[DeploymentHandle[Any]]:
        """Returns when the least number of replicas have their models; blocks."""
        return serve.run_many(
            [
                serve.RunTarget(
                    deployment(self._settings, task, shape), DEPLOYMENTS[task], route_prefix=None
                )
                for task, shape in self._shapes.items()
            ]
        )


def _nobody(_: object) -> None:
    """Until somebody wants to hear."""
