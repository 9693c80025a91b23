"""Where replicas tell of themselves when a gateway asks: beside the requests, not among them.

Ray has every call to a replica wait until one of its places is free, hence a replica that is full
would answer no question about itself, least of all at the time when somebody wants to know. So the
question stands on a board, at which replicas wait for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import ray

from myna import __version__
from myna.cluster.calls import Report

_log = logging.getLogger("myna.cluster")

_NAME, _NAMESPACE = f"myna-board-{__version__}", "myna"
"""By version: replicas of another one may speak otherwise."""
_MOST_WAITING = 4096
"""Replicas and gateways that wait at a board."""
_LIMIT_S = 2.0
"""How long a replica has to tell; one that is silent is not waited for again until it does."""
_REPLY_S = 5.0
"""How long the board itself may take; it has to start, the first time."""
_AGAIN_S = 0.5
"""Before a replica whose board is gone looks for another one."""


@dataclass(slots=True)
class _Member:
    deployment: str
    answered: int
    """The last question that it has answered."""
    report: Report


class Board:
    """One question, by its number, and every replica's last answer; all on one event loop."""

    def __init__(self) -> None:
        self._question = 0
        self._members: dict[str, _Member] = {}
        self._changed = asyncio.Condition()

    async def tell(self, deployment: str, answered: int, report: Report) -> int:
        """Answer a question, 0 for none, and wait for the next; returns its number."""
        async with self._changed:
            self._members[report.replica] = _Member(deployment, answered, report)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._question != answered)
            return self._question

    async def ask(self, deployments: Collection[str], limit_s: float = _LIMIT_S) -> list[Report]:
        """What every replica of these deployments tells within so many seconds."""
        async with self._changed:
            self._question += 1
            asked = self._question
            self._changed.notify_all()

            def silent() -> list[str]:
                return [
                    name
                    for name, one in self._members.items()
                    if one.deployment in deployments and one.answered < asked
                ]

            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await self._changed.wait_for(lambda: not silent())
            for name in silent():
                del self._members[name]
            return [one.report for one in self._members.values() if one.deployment in deployments]


def board_name(app: str, deployment: str) -> str:
    """What a deployment is called at the board, which all of a Ray's applications share."""
    return f"{app}#{deployment}"


class Boards:
    """Finds the board of this Ray, or puts one up. It has no owner, as whoever puts it up may end
    before others do, and ends with its Ray."""

    def __init__(self) -> None:
        self._board: ray.ActorHandle | None = None

    async def tell(self, deployment: str, report: Callable[[], Awaitable[Report]]) -> None:
        """Answer every question; ends only when it is cancelled."""
        while True:
            answered = 0
            try:
                board = await self._found()
                while True:
                    told = await report()
                    answered = cast("int", await board.tell.remote(deployment, answered, told))
            except Exception as error:  # noqa: BLE001 - whoever cannot tell must go on trying
                if not isinstance(error, ray.exceptions.RayActorError):
                    _log.warning("nothing told to the board: %s", type(error).__name__)
                self._board = None
                await asyncio.sleep(_AGAIN_S)

    async def ask(self, deployments: Collection[str]) -> Sequence[Report]:
        """What the replicas of these deployments tell; nothing where there is no board."""
        try:
            async with asyncio.timeout(_REPLY_S):
                board = await self._found()
                return cast("Sequence[Report]", await board.ask.remote(deployments))
        except (TimeoutError, ray.exceptions.RayError) as error:
            _log.warning("the board does not answer: %s", type(error).__name__)
            self._board = None
            return []

    async def _found(self) -> ray.ActorHandle:
        if self._board is None:
            self._board = await asyncio.to_thread(_put_up)
        return self._board


def _put_up() -> ray.ActorHandle:
    board = ray.remote(num_cpus=0, max_concurrency=_MOST_WAITING)(Board)
    return board.options(
        name=_NAME,
        namespace=_NAMESPACE,
        get_if_exists=True,
        lifetime="detached",
        max_restarts=-1,
    ).remote()
