"""The bytes of a request as they arrive, counted against a limit."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

import anyio
from starlette.requests import ClientDisconnect

from myna.errors import ClientGone, PayloadTooLarge

BODY_LIMIT_BYTES = 26_214_400
"""25 MiB, what the hosted API takes as a whole request."""

_BLOCK_BYTES = 256 * 1024
"""How much is gathered before a worker thread parses it and writes it to disk."""
_DRAIN_S = 2.0
"""How long a client may go on writing after its request was refused."""


class Body:
    """The request's body, counted against its limit."""

    def __init__(
        self, stream: AsyncIterator[bytes], headers: Mapping[str, str], limit_bytes: int
    ) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes
        declared = headers.get("content-length", "")
        self._declared = int(declared) if declared.isascii() and declared.isdigit() else 0
        self._waits = headers.get("expect", "").lower() == "100-continue"
        self._read = 0

    async def blocks(self) -> AsyncGenerator[bytes]:
        """Pieces of about 256 KiB.

        Raises `PayloadTooLarge` beyond the limit, before anything is read where the headers declare
        that much, and `ClientGone` if the client leaves.
        """
        if self._declared > self._limit_bytes:
            raise PayloadTooLarge(self._limit_bytes, self._declared)
        gathered = bytearray()
        try:
            async for chunk in self._stream:
                self._read += len(chunk)
                if self._read > self._limit_bytes:
                    raise PayloadTooLarge(self._limit_bytes, self._read)
                gathered += chunk
                if len(gathered) >= _BLOCK_BYTES:
                    yield bytes(gathered)
                    gathered.clear()
        except ClientDisconnect as gone:
            raise ClientGone("The client left before its request was complete.") from gone
        if gathered:
            yield bytes(gathered)

    async def whole(self) -> bytes:
        """All of it, in memory. Raises as `blocks` does; what a refused client goes on to write has
        been taken and dropped."""
        held = bytearray()
        try:
            async with aclosing(self.blocks()) as blocks:
                async for block in blocks:
                    held += block
        except PayloadTooLarge:
            await self.drain()
            raise
        return bytes(held)

    async def drain(self) -> None:
        """Take and drop what a refused client still writes, within bounds: it would not read an
        answer before it has written everything."""
        if self._waits and not self._read:
            return  # it asked first, and writes nothing unless it is told to go on
        dropped = 0
        with anyio.move_on_after(_DRAIN_S):
            try:
                async for chunk in self._stream:
                    dropped += len(chunk)
                    if dropped > self._limit_bytes:
                        return
            except ClientDisconnect:
                return
