"""What passes between a gateway and a replica: a whole request one way, ASGI events the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.types import Message, Scope

from myna.cluster.tasks import Task

Batch = Sequence[Message]
"""ASGI events of an answer, as many as there were at the time. The first batch of an answer is
empty: it says that a replica has the request."""

_PLAIN = (
    *("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string"),
    *("root_path", "headers", "client", "server", "subprotocols"),
)
"""Keys of a scope that are data. `extensions` are those of the server in front, not all of which
reach through; a replica has its own."""


class Line(Protocol):
    """What the client of a session says, one event after the other."""

    async def take(self) -> Sequence[Message]:
        """The next events; waits for one."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way to a replica."""

    scope: Mapping[str, Any]
    body: bytes = b""
    """As it came, compressed as it was; empty for a session."""
    request_id: str = ""
    line: Line | None = None
    """Of a session."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a replica tells of itself."""

    task: Task
    replica: str
    """Its name."""
    models: Sequence[str]
    """Those that are loaded."""
    metrics: str
    """What it tells Prometheus, in the text format."""


class ReplicaLost(Exception):
    """The replica that had the request is gone."""


class Fleet(Protocol):
    """The replicas, as a gateway sees them."""

    def call(self, task: Task, call: Call) -> AsyncGenerator[Batch]:
        """The answer of one replica; closing it tells the replica that nobody listens.

        Raises:
            ReplicaLost: it died in the middle.
            Overloaded: none has room.
        """
        ...

    async def reports(self) -> Sequence[Report]:
        """Of every replica that is there, however many requests it has."""
        ...

    def line(self) -> OpenLine:
        """A line for a session."""
        ...


class OpenLine(Protocol):
    """The gateway's end of a line."""

    @property
    def far_end(self) -> Line:
        """The replica's end, which can be sent there."""
        ...

    async def put(self, message: Message) -> None:
        """Say something."""
        ...

    async def close(self) -> None:
        """Nothing more is said."""
        ...


def portable(scope: Scope) -> dict[str, Any]:
    """The part of a scope that can be sent to another process.

    Where a page's request comes from, the gateway has dealt with; that of a session, it leaves to
    the replica.
    """
    plain = {key: scope[key] for key in _PLAIN if key in scope}
    if scope["type"] == "http":
        plain["headers"] = [pair for pair in scope["headers"] if pair[0] != b"origin"]
    return plain
