"""One request, and the replicas that it is sent to until one has answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.types import Message, Send

from myna.cluster.calls import Batch, Call, Fleet, ReplicaLost
from myna.cluster.tasks import Task, repeatable
from myna.errors import EngineFailure, MynaError, Overloaded

_log = logging.getLogger("myna.cluster")

_TRIES = 3
"""How many replicas may be lost under one request."""
LOST = "replica_lost"
"""The code, and the reason, of what ends so."""


class BrokenOff(Exception):
    """The answer had begun, and has no end."""


class Relay:
    """Sends one request on."""

    def __init__(self, fleet: Fleet, task: Task, call: Call, wait_s: float) -> None:
        self._fleet = fleet
        self._task: Task = task
        self._call = call
        self._wait_s = wait_s
        self._begun = False

    async def run(self, send: Send) -> None:
        """Send the answer of one replica.

        Raises `BrokenOff` where an answer that has begun has no end, and what any replica, or the
        lack of one, comes to.

        A replica that is lost before the first byte of its answer is as if it had never been
        asked. Behind that, the missing end of the answer tells the client: nothing is sent twice.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                return await self._once(send)
            except ReplicaLost as lost:
                _log.warning("%s lost its replica, try %d", self._call.request_id, attempt)
                if self._begun:
                    raise BrokenOff from lost
                if not repeatable(self._call.scope["method"], self._call.scope["path"]):
                    raise EngineFailure(
                        "The replica that had the request was lost, and may have done it already; "
                        "look before you send it again.",
                        code=LOST,
                    ) from lost
            except MynaError as error:
                if self._begun:
                    raise BrokenOff from error
                raise
        raise nobody_left()

    async def _once(self, send: Send) -> None:
        batches = begun(self._fleet.call(self._task, self._call), self._wait_s)
        held: list[Message] = []
        async with aclosing(batches):
            async for batch in batches:
                held += batch
                # The head waits for the first of the body, as long as it is all that there is.
                if any(message["type"] != "http.response.start" for message in held):
                    self._begun = True
                    for message in held:
                        await send(message)
                    held = []


async def begun(batches: AsyncGenerator[Batch], wait_s: float) -> AsyncGenerator[Batch]:
    """The batches behind the first one, which says that a replica has the request."""
    async with aclosing(batches):
        try:
            async with asyncio.timeout(wait_s or None):
                await anext(batches)
        except TimeoutError:
            message = "No replica has had room for the request; send it again later."
            raise Overloaded(message, retry_after_s=5.0) from None
        except StopAsyncIteration:
            return
        async for batch in batches:
            yield batch


def nobody_left() -> Overloaded:
    """What is said when no replica has answered."""
    message = "The replicas that had the request were lost; send it again."
    return Overloaded(message, retry_after_s=1.0, reason=LOST)
