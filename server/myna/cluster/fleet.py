"""The replicas as Ray Serve knows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from typing import cast

from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    RayServeException,
    ReplicaUnavailableError,
    RequestCancelledError,
)
from ray.serve.handle import DeploymentHandle

from myna.cluster.board import Boards, board_name
from myna.cluster.calls import Batch, Call, ReplicaLost, Report
from myna.cluster.mailbox import Lines, MailboxLine
from myna.cluster.tasks import Task
from myna.errors import EngineFailure, MynaError, Overloaded

_FULL_RETRY_S = 2.0
"""When to come back where Ray does not say: a queue that is full is seldom empty in a second."""


class RayFleet:
    """Calls replicas through the handles of their deployments."""

    def __init__(self, handles: Mapping[Task, DeploymentHandle]) -> None:
        self._handles = handles
        self._lines = Lines()
        self._boards = Boards()

    async def call(self, task: Task, call: Call) -> AsyncGenerator[Batch]:
        """The answer of the replica that Ray chooses: the less busy of two."""
        handle = self._handles[task].options(stream=True, method_name="answer")
        response = handle.remote(call)
        wanted = True
        try:
            async for batch in response:
                yield batch
            wanted = False
        except asyncio.CancelledError as error:
            here = asyncio.current_task()
            if here is not None and here.cancelling():
                raise
            wanted = False
            raise ReplicaLost from error  # Ray cancels what a replica leaves behind
        except Exception as error:
            wanted = False
            raise translated(error) from error
        finally:
            if wanted:
                with suppress(RayServeException, RayError):  # of one that has failed meanwhile
                    response.cancel()

    async def reports(self) -> Sequence[Report]:
        """Of every replica that is there."""
        names = {
            board_name(one.app_name, one.name)
            for one in (handle.deployment_id for handle in self._handles.values())
        }
        return await self._boards.ask(names)

    def line(self) -> MailboxLine:
        """A line for a session."""
        return self._lines.open()


def translated(error: Exception) -> Exception:
    """What Ray's failures mean: the queue is full, the replica is gone, or the app crashed."""
    if isinstance(error, BackPressureError):
        wait_s = error.retry_after_s or _FULL_RETRY_S
        return Overloaded(
            "The server is at its limit; send the request again later.", retry_after_s=wait_s
        )
    if isinstance(error, DeploymentUnavailableError):
        return Overloaded("The replicas could not be started.", retry_after_s=10.0)
    cause = cast("object", error.cause) if isinstance(error, RayTaskError) else error
    if isinstance(cause, RayActorError | ReplicaUnavailableError | RequestCancelledError):
        return ReplicaLost()
    if isinstance(cause, MynaError):
        return cause
    return EngineFailure("The server had an error while processing your request.")
