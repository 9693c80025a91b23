"""The deployments of Ray Serve: what each replica is, and how many there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import ray
from ray import serve
from ray.serve.schema import LoggingConfig

from myna.cluster.board import Boards, board_name
from myna.cluster.calls import Batch, Call
from myna.cluster.replica import Replica
from myna.cluster.scaling import QueuedAudio
from myna.cluster.shape import Shape
from myna.cluster.tasks import DEPLOYMENTS, Task
from myna.settings import Settings

LOGGING = LoggingConfig(log_level="WARNING", enable_access_log=False)
"""Of Serve's own; the app's log says what it has done, once."""


class Deployed:
    """A replica as Ray Serve runs it: on its own event loop, in a process of its own."""

    async def __init__(self, settings: Settings, task: Task) -> None:
        """Returns when the models are loaded: until then, Ray sends no request."""
        context = ray.get_runtime_context()
        cpus = context.get_assigned_resources().get("CPU", 0)
        if not settings.threads and cpus >= 1:
            settings = settings.model_copy(update={"threads": int(cpus)})
        here = serve.get_replica_context()
        self._replica = Replica(settings, task, f"{here.deployment}#{here.replica_tag}")
        await self._replica.start()
        self._telling = asyncio.create_task(
            Boards().tell(board_name(here.app_name, here.deployment), self._replica.report)
        )

    async def answer(self, call: Call) -> AsyncGenerator[Batch]:
        """The answer to a request or a session."""
        batches = self._replica.answer(call)
        try:
            async for batch in batches:
                yield batch
        finally:
            await batches.aclose()

    async def record_autoscaling_stats(self) -> Mapping[str, float]:
        """What Ray's autoscaler is told, every few seconds."""
        return self._replica.load()

    async def check_health(self) -> None:
        """Raises where the models have failed; Ray then replaces the replica."""
        self._replica.check()

    async def __del__(self) -> None:
        """Ray takes the replica down."""
        if hasattr(self, "_telling"):
            self._telling.cancel()
        if hasattr(self, "_replica"):
            await self._replica.stop()


def deployment(settings: Settings, task: Task, shape: Shape) -> serve.Application:
    """The deployment of a task, bound to its settings, for `serve.run`."""
    options: dict[str, Any] = {
        "name": DEPLOYMENTS[task],
        "max_ongoing_requests": shape.slots,
        "max_queued_requests": settings.max_requests,
        "logging_config": LOGGING,
        "ray_actor_options": shape.resources,
        "graceful_shutdown_timeout_s": settings.drain_s,
        "health_check_period_s": 5,
    }
    if shape.least == shape.most:
        options["num_replicas"] = shape.most
    else:
        options["autoscaling_config"] = {
            "min_replicas": shape.least,
            "max_replicas": shape.most,
            "upscale_delay_s": 10.0,
            "downscale_delay_s": 300.0,
            "policy": {
                "policy_function": f"{QueuedAudio.__module__}:{QueuedAudio.__name__}",
                "policy_kwargs": {"goal_s": settings.replica_queued_s},
            },
        }
    return serve.deployment(Deployed, **options).bind(settings, task)
