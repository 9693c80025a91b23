"""The gateway with what stands around it: names and counts, origins, and the drain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.routing import Router
from starlette.types import ASGIApp

from myna.api.draining import Drain, Drainable
from myna.app import allowing_origins
from myna.auth import Keyring
from myna.cluster.gateway import Gateway
from myna.cluster.tasks import Task
from myna.settings import Settings
from myna.slashes import Slashes
from myna.telemetry.access import Access, Telemetry

_LEAST_WAIT_S = 1.0
"""That a request waits for a replica, whatever the settings say: the way there takes a moment."""


def front(
    settings: Settings,
    tasks: Sequence[Task],
    drain: Drain | None = None,
    lifespan: Callable[[Any], AbstractAsyncContextManager[None]] | None = None,
) -> tuple[ASGIApp, Gateway]:
    """The app to serve, and the gateway in it, which wants a fleet."""
    telemetry = Telemetry()
    gateway = Gateway(
        tasks,
        Keyring.load(settings.api_keys, settings.api_keys_file, admin=settings.admin_key),
        telemetry.metrics.registry,
        limit_bytes=settings.max_upload_bytes,
        wait_s=max(settings.load_wait_s, _LEAST_WAIT_S),
    )
    living = Router(default=gateway, lifespan=lifespan)
    drained = Drainable(living, drain or Drain(), settings.max_upload_bytes)
    served: ASGIApp = Access(allowing_origins(drained, settings.cors_origins), telemetry)
    return served if settings.strict else Slashes(served), gateway
