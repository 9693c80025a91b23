"""A cluster as the server in front of it sees it: started with it, and ended with it."""

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

from myna.cluster.calls import Fleet
from myna.cluster.deployments import LOGGING, deployment
from myna.cluster.fleet import RayFleet
from myna.cluster.shape import Shape, processors
from myna.cluster.tasks import DEPLOYMENTS, Task
from myna.settings import Settings

_log = logging.getLogger("myna.cluster")

_STORE_BYTES = 256 * 1024 * 1024
"""Of Ray's store in memory, through which uploads pass; what does not fit goes to disk."""


class Cluster:
    """Ray, and the deployments on it."""

    def __init__(self, settings: Settings, shapes: Mapping[Task, Shape]) -> None:
        self._settings = settings
        self._shapes = shapes

        self._address = os.environ.get("RAY_ADDRESS")
        """Of a Ray that runs; without it there will be one of our own."""

    def start(self) -> None:
        """Start a Ray that only this machine can reach, or join the one that runs."""
        logging.getLogger("ray").setLevel(logging.WARNING)
        own: dict[str, Any] = {}
        if self._address is None:
            own = {
                "num_cpus": processors(self._shapes),
                "object_store_memory": _STORE_BYTES,
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
            }
        ray.init(self._address or "local", namespace="myna", configure_logging=False, **own)
        serve.start(proxy_location=ProxyLocation.Disabled, logging_config=LOGGING)
        # Serve has set its own meanwhile.
        logging.getLogger("ray.serve").setLevel(logging.WARNING)

    def stop(self) -> None:
        """End the replicas, and with them the Ray if it is ours."""
        if not ray.is_initialized():
            return
        if self._address is not None:
            for task in self._shapes:
                serve.delete(DEPLOYMENTS[task])
        ray.shutdown()

    @asynccontextmanager
    async def living(
        self, found: Callable[[Fleet], None], failed: Callable[[Exception], None]
    ) -> AsyncGenerator[None]:
        """Starts the replicas while the block runs; one of the two hears what has come of it."""
        starting = asyncio.create_task(self._start(found, failed))
        try:
            yield
        finally:
            starting.cancel()

    async def _start(
        self, found: Callable[[Fleet], None], failed: Callable[[Exception], None]
    ) -> None:
        begun_s = time.perf_counter()
        try:
            handles = await asyncio.to_thread(self._deploy)
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, or a replica's model
            _log.error("cannot start the replicas: %s", error)
            failed(error)
            return
        found(RayFleet(dict(zip(self._shapes, handles, strict=True))))
        _log.info("ready after %.1f s", time.perf_counter() - begun_s)

    def _deploy(self) -> list[DeploymentHandle]:
        """Returns when the least number of replicas have their models; blocks."""
        return serve.run_many(
            [
                serve.RunTarget(
                    deployment(self._settings, task, shape),
                    DEPLOYMENTS[task],
                    route_prefix=None,
                    logging_config=LOGGING,
                )
                for task, shape in self._shapes.items()
            ]
        )
