"""How much of a request is taken, seen through the forms that are read from it."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.requests import ClientDisconnect

from myna.api.multipart import read_form
from myna.errors import BadRequest, ClientGone, PayloadTooLarge

HEADERS = {"content-type": "multipart/form-data; boundary=b0und"}


def upload(data: bytes) -> bytes:
    head = 'Content-Disposition: form-data; name="file"; filename="a.wav"'
    return b"--b0und\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


def closed(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b0und--\r\n"


class Stream:
    """A body that counts how much of it was taken, and may end in an exception."""

    def __init__(self, chunks: Iterable[bytes], error: Exception | None = None) -> None:
        self.chunks, self.error, self.taken = iter(chunks), error, 0

    def __aiter__(self):
        return self

    async def __anext__(self) -> bytes:
        for chunk in self.chunks:
            self.taken += len(chunk)
            return chunk
        if self.error:
            raise self.error
        raise StopAsyncIteration


def test_a_declared_length_over_the_limit_is_refused_after_taking_what_is_sent():
    body = closed(upload(b"x" * 1000))
    stream = Stream([body[:600], body[600:]])
    headers = {**HEADERS, "content-length": str(len(body))}
    with pytest.raises(PayloadTooLarge, match=f"{len(body)} bytes read"):
        asyncio.run(read_form(stream, headers, limit_bytes=1000))
    assert stream.taken == len(body)


def test_a_client_that_waits_for_permission_to_send_is_refused_at_once():
    stream = Stream([b"x"])
    headers = {**HEADERS, "content-length": "5000", "expect": "100-Continue"}
    with pytest.raises(PayloadTooLarge):
        asyncio.run(read_form(stream, headers, limit_bytes=1000))
    assert stream.taken == 0


def test_an_endless_body_is_given_up_after_the_limit_once_more():
    def forever():
        yield upload(b"")[:-2]
        while True:
            yield b"x" * 100

    stream = Stream(forever())
    with pytest.raises(PayloadTooLarge):
        asyncio.run(read_form(stream, HEADERS, limit_bytes=1000))
    assert 2000 <= stream.taken <= 2400


def test_a_client_that_stops_writing_without_leaving_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("myna.api.body._DRAIN_S", 0.01)

    async def stalled():
        yield b"x" * 2000
        await asyncio.Event().wait()

    with pytest.raises(PayloadTooLarge):
        asyncio.run(read_form(stalled(), HEADERS, limit_bytes=1000))


def test_a_refused_form_is_taken_to_its_end():
    stream = Stream([closed(), b"more", b"and more"])
    with pytest.raises(BadRequest):
        asyncio.run(read_form(stream, {"content-type": "text/plain"}))
    assert stream.taken == len(closed()) + 12


def test_a_client_that_leaves_is_gone():
    for sent in ([], [upload(b"abc")]):
        with pytest.raises(ClientGone):
            asyncio.run(read_form(Stream(sent, ClientDisconnect()), HEADERS))


def test_a_client_that_leaves_while_it_is_refused_is_still_refused():
    stream = Stream([b"x" * 2000], ClientDisconnect())
    with pytest.raises(PayloadTooLarge):
        asyncio.run(read_form(stream, HEADERS, limit_bytes=1000))
