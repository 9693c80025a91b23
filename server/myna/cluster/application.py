"""The application of Ray Serve's own commands: `serve run`, `serve deploy`, KubeRay.

Ray's proxies listen there, one on each node, and hand requests to gateways that are replicas of a
deployment themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.cluster.deployments import LOGGING, deployment
from myna.cluster.fleet import RayFleet
from myna.cluster.front import front
from myna.cluster.shape import shape_of
from myna.cluster.tasks import Task, tasks_of
from myna.settings import Settings, load
from myna.telemetry.logs import configure_logging

GATEWAY = "Gateway"
"""What Ray calls the deployment in front."""
_SLOTS = 1000
"""Requests that one gateway has at once; it holds what they upload, and waits."""
_CPUS = 0.5
_NAME = re.compile(r"[\w.:-]{1,128}", re.ASCII)
"""What a request may be called."""


def build(args: Mapping[str, Any]) -> serve.Application:
    """The application for `import_path: myna.cluster.application:build`.

    `args` are settings by their names, and `config`, the path of a TOML file with more of them;
    what is in neither comes from the variables `MYNA_*`. How many replicas there are and what they
    take, the settings say; `deployments` in Ray's own file wins over them.

    Raises:
        ValueError: a setting is out of range, or there is no model.
    """
    given = {**args}
    config = given.pop("config", None)
    settings = load(None if config is None else Path(config), **given)
    replicas = {
        task: deployment(settings, task, shape_of(settings, task, settings.threads or 1))
        for task in tasks_of(settings)
    }
    options: dict[str, Any] = {
        "name": GATEWAY,
        "max_ongoing_requests": _SLOTS,
        "ray_actor_options": {"num_cpus": _CPUS},
        "logging_config": LOGGING,
        "graceful_shutdown_timeout_s": settings.drain_s,
    }
    return serve.deployment(serve.ingress()(Ingress), **options).bind(settings, replicas)


class Ingress:
    """A gateway as a deployment."""

    def __init__(self, settings: Settings, replicas: Mapping[Task, DeploymentHandle]) -> None:
        """`replicas` are the deployments that do the work."""
        configure_logging(settings.log_level, settings.log_format)
        self._settings = settings
        self._replicas = replicas

    def __serve_build_asgi_app__(self) -> ASGIApp:
        app, gateway = front(self._settings, tuple(self._replicas))
        gateway.fleet = RayFleet(self._replicas)
        return NamedByProxy(app)


class NamedByProxy:
    """Ray's proxy names every request, in a header of its own; so it is called everywhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the proxy's name for the request, and leave it to the proxy to tell the client."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        name = Headers(scope=scope).get("x-request-id")
        # The proxy takes what the client calls it, which then stands in logs.
        if name and _NAME.fullmatch(name):
            scope.setdefault("state", {})["request_id"] = name

        async def unnamed(message: Message) -> None:
            if name and message["type"] == "http.response.start":
                del MutableHeaders(scope=message)["x-request-id"]
            await send(message)

        await self._app(scope, receive, unnamed)
