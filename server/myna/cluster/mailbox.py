"""Lines for sessions: what a client says reaches the replica that serves it.

Ray streams answers, not questions. Hence an actor beside the gateway keeps what clients say until
their replicas ask for it. It ends with its gateway, and then so do the sessions.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import ray
from starlette.types import Message

from myna.cluster.calls import Line

_MOST_LINES = 4096
"""That may wait for a word at the same time."""
_MOST_WAITING = 256
"""Events of a client that no replica has taken; beyond it the client is not read on."""
_GONE: Message = {"type": "websocket.disconnect", "code": 1006}


@dataclass(slots=True)
class _Box:
    messages: list[Message] = field(default_factory=list[Message])
    news: asyncio.Event = field(default_factory=asyncio.Event)
    room: asyncio.Event = field(default_factory=asyncio.Event)


class Mailbox:
    """Keeps what clients say; all on one event loop."""

    def __init__(self) -> None:
        self._boxes: dict[str, _Box] = {}

    async def put(self, line: str, message: Message) -> None:
        """Keep an event, when there is room for it."""
        box = self._boxes.setdefault(line, _Box())
        while len(box.messages) >= _MOST_WAITING and self._boxes.get(line) is box:
            box.room.clear()
            await box.room.wait()
        box.messages.append(message)
        box.news.set()

    async def take(self, line: str) -> Sequence[Message]:
        """All that is there, when there is something; that the client has left, where the line
        is closed."""
        box = self._boxes.setdefault(line, _Box())
        while not box.messages and self._boxes.get(line) is box:
            box.news.clear()
            await box.news.wait()
        if not box.messages:
            return [_GONE]
        taken, box.messages = box.messages, []
        box.room.set()
        return taken

    async def close(self, line: str) -> None:
        """Forget a line."""
        box = self._boxes.pop(line, None)
        if box is not None:
            box.news.set()
            box.room.set()


class MailboxLine:
    """A line through the mailbox; either end of it."""

    def __init__(self, mailbox: ray.ActorHandle, name: str) -> None:
        self._mailbox = mailbox
        self._name = name

    @property
    def far_end(self) -> Line:
        """The same, as it can be sent to a replica."""
        return self

    async def put(self, message: Message) -> None:
        """Say something."""
        await self._mailbox.put.remote(self._name, message)

    async def take(self) -> Sequence[Message]:
        """What has been said; that the client has left where the mailbox is gone."""
        try:
            return cast("Sequence[Message]", await self._mailbox.take.remote(self._name))
        except ray.exceptions.RayActorError:
            return [_GONE]

    async def close(self) -> None:
        """Nothing more is said."""
        await self._mailbox.close.remote(self._name)


class Lines:
    """Opens lines; the mailbox is there from the first one on."""

    def __init__(self) -> None:
        self._mailbox: ray.ActorHandle | None = None

    def open(self) -> MailboxLine:
        """A new one."""
        if self._mailbox is None:
            self._mailbox = ray.remote(num_cpus=0, max_concurrency=_MOST_LINES)(Mailbox).remote()
        return MailboxLine(self._mailbox, secrets.token_hex(8))
