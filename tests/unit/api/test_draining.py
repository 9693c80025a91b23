"""The end of a server, over hand-made requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.api.draining import Drain, Drainable

Serve = Callable[[Drain], Awaitable[Any]]


class Client:
    """One request and what came back."""

    def __init__(self, drain: Drain, app: ASGIApp, path: str = "/v1/audio/speech", **scope: Any):
        self.sent: list[Message] = []
        self.read = 0
        served = {"type": "http", "method": "POST", "path": path, "headers": [], **scope}
        door = Drainable(app, drain, 1000)
        self.task = asyncio.ensure_future(door(served, self._receive, self._send))

    async def _receive(self) -> Message:
        self.read += 1
        return {"type": "http.request", "body": b"half", "more_body": self.read < 3}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None


class Slow:
    """Answers when it is told to, having sent its head before if `begun`."""

    def __init__(self, *, begun: bool = False) -> None:
        self.go = asyncio.Event()
        self.begun = begun
        self.cancelled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        await PlainTextResponse("done")(scope, receive, send)


def run(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), 240))


async def turn() -> None:
    """Let everybody go on as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_what_runs_is_finished_and_nothing_is_dropped():
    async def main() -> None:
        drain, app = Drain(), Slow()
        client = Client(drain, app)
        await turn()
        finishing = asyncio.ensure_future(drain.finish(60))
        await turn()
        assert not finishing.done()
        app.go.set()
        assert await finishing == []
        assert client.status == 200

    run(main)


def test_with_nothing_to_finish_it_is_over_at_once():
    async def main() -> None:
        assert await Drain().finish(60) == []

    run(main)


def test_a_new_request_is_refused_and_its_body_taken():
    async def main() -> None:
        drain = Drain()
        drain.begin()
        client = Client(drain, Slow())
        await client.task
        assert client.status == 503
        headers = dict(client.sent[0]["headers"])
        assert int(headers[b"retry-after"]) >= 1
        assert headers[b"connection"] == b"close"
        assert json.loads(client.sent[1]["body"])["error"]["code"] == "server_is_overloaded"
        assert client.read == 3

    run(main)


@pytest.mark.parametrize("path", ["/health", "/v1/health", "/metrics"])
def test_probes_are_answered_to_the_end_and_hold_nothing_up(path):
    async def main() -> None:
        drain = Drain()
        pending = Client(drain, Slow(), path)
        await turn()
        assert drain.running == 0
        drain.begin()
        client = Client(drain, PlainTextResponse("ok"), path)
        await client.task
        assert client.status == 200
        pending.task.cancel()

    run(main)


def test_readiness_ends_with_the_drain():
    async def main() -> None:
        drain = Drain()
        drain.begin()
        client = Client(drain, PlainTextResponse("ready"), "/ready", method="GET")
        await client.task
        assert client.status == 503

    run(main)


def test_what_is_not_finished_in_time_is_broken_off_named_and_told_so():
    async def main() -> None:
        drain, app = Drain(), Slow()
        client = Client(drain, app, "/v1/audio/x\n")
        await turn()
        dropped = await drain.finish(0.0)
        assert app.cancelled
        assert client.status == 503
        await client.task  # its end is an ordinary one
        (line,) = map(str, dropped)
        assert line.startswith("POST /v1/audio/x\\n after ")

    run(main)


def test_an_answer_that_has_begun_is_left_without_its_end():
    async def main() -> None:
        drain = Drain()
        client = Client(drain, Slow(begun=True))
        await turn()
        assert len(await drain.finish(0.0)) == 1
        await client.task
        assert [message["type"] for message in client.sent] == ["http.response.start"]

    run(main)


def test_a_second_signal_does_not_wait():
    async def main() -> None:
        drain = Drain()
        client = Client(drain, Slow())
        await turn()
        finishing = asyncio.ensure_future(drain.finish(3600))
        await turn()
        drain.hurry()
        assert len(await finishing) == 1
        assert client.status == 503

    run(main)


def test_one_that_is_cancelled_for_another_reason_is_not_answered():
    async def main() -> None:
        drain = Drain()
        client = Client(drain, Slow())
        await turn()
        client.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.task
        assert client.sent == []
        assert drain.running == 0

    run(main)


def test_a_handshake_is_refused_like_a_request():
    async def main() -> None:
        drain = Drain()
        drain.begin()
        client = Client(drain, Slow(), "/v1/realtime", type="websocket")
        await client.task
        assert client.sent[0]["type"] == "websocket.http.response.start"
        assert client.status == 503

    run(main)


def test_a_session_that_is_broken_off_is_closed_with_the_code_of_a_restart():
    async def accepting(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.sleep(3600)

    async def main() -> None:
        drain = Drain()
        client = Client(drain, accepting, "/v1/realtime", type="websocket")
        await turn()
        dropped = await drain.finish(0)
        await client.task
        assert len(dropped) == 1
        assert client.sent[1:] == [
            {"type": "websocket.close", "code": 1012, "reason": "shutting down"}
        ]

    run(main)
