"""The ASGI app in front of the replicas: it holds no model, and what it sends on is as it came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from prometheus_client import CollectorRegistry
from starlette.requests import HTTPConnection, Request
from starlette.types import Message, Receive, Scope, Send

from myna import __version__
from myna.api.body import Body
from myna.api.context import record
from myna.api.responses import failure, json_response, unless_gone
from myna.auth import Keyring
from myna.cluster.calls import Call, Fleet, ReplicaLost, portable
from myna.cluster.readiness import readiness
from myna.cluster.relay import LOST, BrokenOff, Relay, begun, nobody_left
from myna.cluster.reports import merged
from myna.cluster.tasks import Task, only_one_server, task_of
from myna.errors import ClientGone, MynaError, NotImplementedHere, Overloaded
from myna.gate import is_open

_BROKEN_OFF: Message = {"type": "websocket.close", "code": 1012, "reason": "replica lost"}


class Gateway:
    """Reads a request, finds it a replica, and hands the answer on as it comes."""

    def __init__(
        self,
        tasks: Sequence[Task],
        keyring: Keyring,
        registry: CollectorRegistry,
        *,
        limit_bytes: int,
        wait_s: float,
    ) -> None:
        """`limit_bytes` is the largest body; `wait_s` is how long a request waits for a replica
        that has room."""
        self.fleet: Fleet | None = None
        """None until there are replicas."""
        self._tasks = tasks
        self._keyring = keyring
        self._registry = registry
        self._limit_bytes = limit_bytes
        self._wait_s = wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one session."""
        if scope["type"] not in {"http", "websocket"}:
            return
        try:
            if scope["type"] == "websocket":
                await self._session(scope, receive, send)
            else:
                await self._request(scope, receive, send)
        except MynaError as error:
            if not isinstance(error, ClientGone):
                await failure(error)(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = scope["path"].removeprefix("/v1") if scope["method"] in {"GET", "HEAD"} else None
        if path == "/health":
            await json_response({"status": "ok", "version": __version__})(scope, receive, send)
            return
        if not is_open(scope):
            self._keyring.admit(request.headers)  # before anything is read; replicas ask again
        refusal = only_one_server(scope["method"], scope["path"])
        if refusal is not None:
            raise NotImplementedHere(refusal)
        fleet = self._ready_fleet()
        body = await self._body(request)
        if path == "/ready":
            answer = await unless_gone(request, readiness(fleet, self._tasks))
            await answer(scope, receive, send)
        elif path == "/metrics":
            answer = await unless_gone(
                request, merged(fleet, self._registry, request.headers.get("accept", ""))
            )
            await answer(scope, receive, send)
        else:
            call = Call(portable(scope), body, record(request).id)
            relay = Relay(fleet, task_of(scope["path"], self._tasks), call, self._wait_s)
            try:
                await unless_gone(request, relay.run(send))
            except BrokenOff:
                record(request).failed(LOST)  # the missing end of the answer tells the client

    async def _body(self, request: Request) -> bytes:
        body = Body(request.stream(), request.headers, self._limit_bytes)
        try:
            return b"".join([block async for block in body.blocks()])
        except MynaError as error:
            if not isinstance(error, ClientGone):
                await body.drain()
            raise

    async def _session(self, scope: Scope, receive: Receive, send: Send) -> None:
        fleet = self._ready_fleet()
        line = fleet.line()
        call = Call(portable(scope), b"", record(HTTPConnection(scope)).id, line.far_end)

        async def listen() -> None:
            while True:
                message = await receive()
                await line.put(message)
                if message["type"] == "websocket.disconnect":
                    return

        hearing = asyncio.ensure_future(listen())
        answered = False
        try:
            batches = begun(fleet.call(task_of(scope["path"], self._tasks), call), self._wait_s)
            async with aclosing(batches):
                async for batch in batches:
                    for message in batch:
                        answered = True
                        await send(message)
        except ReplicaLost:
            record(HTTPConnection(scope)).failed(LOST)
            if not answered:
                raise nobody_left() from None
            await send(_BROKEN_OFF)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
            await line.close()

    def _ready_fleet(self) -> Fleet:
        if self.fleet is None:
            message = "The replicas are still starting; /ready tells when."
            raise Overloaded(message, retry_after_s=1.0, reason="loading")
        return self.fleet
