"""Whether every deployment has a replica with its models loaded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from starlette.responses import Response

from myna.api.responses import json_response
from myna.cluster.calls import Call, Fleet, ReplicaLost
from myna.cluster.tasks import Task
from myna.errors import Overloaded

_WAIT_S = 2.0
"""A replica that is ready says so at once; probes do not wait for long."""


async def readiness(fleet: Fleet, tasks: Sequence[Task], scope: Mapping[str, Any]) -> Response:
    """200 with the models of one replica of each deployment.

    Raises:
        Overloaded: one of them has none.
    """
    answers = await asyncio.gather(*(_models(fleet, task, scope) for task in tasks))
    return json_response({"status": "ready", "models": [name for one in answers for name in one]})


async def _models(fleet: Fleet, task: Task, scope: Mapping[str, Any]) -> list[str]:
    body = b""
    status = 0
    batches = fleet.call(task, Call({**scope, "method": "GET"}))
    try:
        async with asyncio.timeout(_WAIT_S), aclosing(batches):
            async for batch in batches:
                for message in batch:
                    status = message.get("status", status)
                    body += message.get("body", b"")
    except (TimeoutError, ReplicaLost):
        status = 0
    if status != 200:
        raise Overloaded(f"No replica of {task} is ready.", retry_after_s=1.0, reason="loading")
    return list(json.loads(body)["models"])
