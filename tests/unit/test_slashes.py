"""The slash too many between a base URL and what a client appends."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from myna.slashes import Slashes


def seen(scope: Scope) -> str:
    """The path that whatever stands behind it is given."""
    paths: list[str] = []

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope.get("path", ""))

    async def receive() -> Message:
        raise AssertionError("nothing is to be read")

    async def send(message: Message) -> None:
        raise AssertionError("nothing is to be sent")

    asyncio.run(Slashes(behind)(scope, receive, send))
    return paths[0]


@pytest.mark.parametrize(
    ("came", "meant"),
    [
        ("/v1//realtime", "/v1/realtime"),
        ("/openai/v1//realtime", "/openai/v1/realtime"),
        ("//realtime", "/realtime"),
        ("/openai/deployments/x//realtime", "/openai/deployments/x/realtime"),
        ("/v1/realtime", "/v1/realtime"),
        ("/v1/models/a//b", "/v1/models/a//b"),
    ],
)
def test_a_socket_comes_to_the_path_that_was_meant(came: str, meant: str) -> None:
    assert seen({"type": "websocket", "path": came}) == meant


def test_what_has_no_path_goes_by() -> None:
    assert seen({"type": "lifespan"}) == ""
