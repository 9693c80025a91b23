"""A body that is wanted whole: its limit, and clients that leave."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from starlette.requests import ClientDisconnect

from myna.api.body import Body
from myna.errors import ClientGone, PayloadTooLarge


async def chunks(*sent: bytes, read: list[bytes] | None = None) -> AsyncIterator[bytes]:
    for chunk in sent:
        if read is not None:
            read.append(chunk)
        yield chunk


def test_a_body_within_its_limit_is_read_whole() -> None:
    assert anyio.run(Body(chunks(b"ab", b"", b"cd"), {}, 4).whole) == b"abcd"


def test_one_byte_too_many_is_refused_and_what_follows_is_dropped() -> None:
    read: list[bytes] = []
    with pytest.raises(PayloadTooLarge):
        anyio.run(Body(chunks(b"abcd", b"e", b"f", read=read), {}, 4).whole)
    assert read == [b"abcd", b"e", b"f"]


def test_a_declared_length_is_refused_before_the_body_is_waited_for() -> None:
    read: list[bytes] = []
    headers = {"content-length": "5", "expect": "100-continue"}
    with pytest.raises(PayloadTooLarge):
        anyio.run(Body(chunks(b"abcde", read=read), headers, 4).whole)
    assert not read


def test_a_client_that_leaves_is_gone() -> None:
    async def leaving() -> AsyncIterator[bytes]:
        yield b"a"
        raise ClientDisconnect

    with pytest.raises(ClientGone):
        anyio.run(Body(leaving(), {}, 4).whole)
