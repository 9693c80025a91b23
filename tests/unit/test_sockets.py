"""How a socket is closed on a client that broke the protocol, by a clock of the test's own."""

from __future__ import annotations

import asyncio
import json

import pytest
import uvicorn
from simulated_loop import simulated
from uvicorn.server import ServerState

from myna.sockets import Socket

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TOO_MUCH = b"\x81\xff" + (2000).to_bytes(8, "big") + bytes(4)
"""The head of a message of 2000 bytes, where 1000 are taken."""


class Line(asyncio.Transport):
    """Where the server's bytes go."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.end = ""

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.end = self.end or "closed"

    def abort(self) -> None:
        self.end = self.end or "cut off"

    def is_closing(self) -> bool:
        return bool(self.end)

    def resume_reading(self) -> None:
        """Nothing was held up."""


async def listening(scope, receive, send):
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


def connected() -> tuple[Socket, Line]:
    """A socket that has heard nothing yet."""
    config = uvicorn.Config(listening, ws=Socket, ws_max_size=1000, log_config=None)
    config.load()
    socket, line = Socket(config, ServerState(), {}), Line()
    socket.connection_made(line)
    return socket, line


async def broken_off() -> tuple[Socket, Line]:
    """A socket whose client has begun a message that is too large."""
    socket, line = connected()
    socket.data_received(HANDSHAKE)
    for _ in range(10):
        await asyncio.sleep(0)
    assert b"101 Switching Protocols" in line.written
    socket.data_received(TOO_MUCH)
    assert line.written.endswith(b"exceeds limit of 1000 bytes")
    return socket, line


def gone(socket: Socket) -> None:
    """Let go of what the loop would otherwise wait for."""
    socket.connection_lost(None)


@pytest.mark.parametrize("rounds", [0, 20])
def test_who_broke_the_protocol_may_write_to_the_end_and_read_why(rounds):
    """Closed while it writes, its connection would be reset, and what it was told might be lost."""

    async def main() -> None:
        socket, line = await broken_off()
        for _ in range(rounds):
            await asyncio.sleep(0.9)
            socket.data_received(b"x" * 100)
            assert line.end == ""
        await asyncio.sleep(0.9)
        assert line.end == ""
        await asyncio.sleep(0.2)
        assert line.end == "closed"
        gone(socket)

    simulated(main)


def test_who_never_stops_writing_is_cut_off():
    async def main() -> None:
        socket, line = await broken_off()
        for _ in range(120):
            if not line.end:
                socket.data_received(b"x" * 100)
            await asyncio.sleep(0.5)
        assert line.end == "cut off"
        gone(socket)

    simulated(main)


def test_a_handshake_that_is_too_long_is_told_so_and_has_an_end():
    async def main() -> None:
        socket, line = connected()
        socket.data_received(
            HANDSHAKE.replace(b"\r\n\r\n", b"\r\nCookie: " + b"x" * 9000 + b"\r\n\r\n")
        )
        assert line.written.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        error = json.loads(line.written.partition(b"\r\n\r\n")[2])["error"]
        assert error["type"] == "invalid_request_error"
        assert "handshake" in error["message"]
        assert not line.end
        await asyncio.sleep(1.1)
        assert line.end == "closed"
        gone(socket)

    simulated(main)
