"""Whether every deployment has a replica with its models loaded."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from myna.api.responses import json_response
from myna.cluster.calls import Fleet
from myna.cluster.tasks import Task
from myna.errors import Overloaded


async def readiness(fleet: Fleet, tasks: Sequence[Task]) -> Response:
    """200 with the models of the replicas, be they idle or full.

    Raises:
        Overloaded: a deployment has no replica.
    """
    reports = await fleet.reports()
    present = {one.task for one in reports}
    for task in tasks:
        if task not in present:
            raise Overloaded(f"No replica of {task} is ready.", retry_after_s=1.0, reason="loading")
    loaded = {name: None for one in reports for name in one.models}
    return json_response({"status": "ready", "models": [*loaded]})
