"""Multipart forms, read as they arrive: files to disk, fields into memory."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, NoReturn, cast
from urllib.parse import unquote_to_bytes

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from myna.api.body import BODY_LIMIT_BYTES, Body
from myna.api.forms import Form, Upload, refuse, split_name
from myna.api.spool import Spool, SpoolFile, release, unstorable
from myna.errors import BadRequest, MynaError

_MOST_PARTS = 1000
_MOST_FILES = 8
_FIELD_BYTES = 8 * 1024 * 1024
"""Of one field: reference recordings come as data URLs of several MB."""
_FIELDS_BYTES = 16 * 1024 * 1024
"""Of all fields together; they are held in memory."""
_ARRIVING_BYTES = 1024 * 1024
"""Smaller files are complete before it would be worth while to begin."""
_HEADER_BYTES = 64 * 1024
"""Of all headers of one part."""


async def read_form(
    stream: AsyncIterator[bytes],
    headers: Mapping[str, str],
    *,
    limit_bytes: int = BODY_LIMIT_BYTES,
    spool: Spool | None = None,
    arriving: Callable[[Form], Awaitable[object]] | None = None,
) -> Form:
    """Read a multipart/form-data request.

    `stream` yields the body (starlette's `Request.stream()`), `headers` has lower-case names or
    ignores case, `limit_bytes` is for the whole body, `spool` is where files are kept (None for the
    system's directory). A part is a file if it has a filename or is called `file`. `arriving` is
    given, once, a form of what came before a large `file` that is still being written.

    Raises `BadRequest` for a body that is not such a form, `PayloadTooLarge` beyond the limit,
    `Overloaded` where the spool has no room and `ClientGone` if the client leaves; until a refused
    client has stopped writing, or for two seconds, its bytes are taken and dropped.
    """
    body = Body(stream, headers, limit_bytes)
    parts: _Parts | None = None
    try:
        parts = _Parts(_boundary(headers), spool or Spool())
        async with aclosing(body.blocks()) as blocks:
            async for block in blocks:
                await to_thread.run_sync(parts.feed, block)
                if arriving and (begun := parts.begun()):
                    await arriving(begun)
                    arriving = None
        return await to_thread.run_sync(parts.form)
    except BaseException as error:
        if parts:
            await release(parts.close)
        if isinstance(error, MynaError):
            await body.drain()
        raise


@dataclass(slots=True)
class _Part:
    """What is known so far of the part that is being read."""

    headers: dict[str, bytes]
    name: str = ""
    filename: str = ""
    file: SpoolFile | None = None


class _Parts:
    """The parser's callbacks. Only ever called from one worker thread at a time."""

    def __init__(self, boundary: bytes, spool: Spool) -> None:
        self._spool = spool
        self._fields: list[tuple[str, str]] = []
        self._uploads: dict[str, Upload] = {}
        self._files: list[SpoolFile] = []
        self._part = _Part({})
        self._n_parts = 0
        self._value = bytearray()
        self._fields_bytes = 0
        self._header = (bytearray(), bytearray())
        self._header_bytes = 0
        self._ended = False
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, cast("Any", callbacks))
        except FormParserError as error:
            _unparsable(str(error), error)

    def feed(self, block: bytes) -> None:
        """Parse a piece of the body, writing files as they come."""
        try:
            self._parser.write(block)
        except FormParserError as error:
            _unparsable(str(error), error)
        except OSError as error:
            unstorable(error)

    def begun(self) -> Form | None:
        """What there is while `file` is being written, from a size on that takes time to send."""
        part = self._part
        if part.file is None or part.file.size < _ARRIVING_BYTES or part.name != "file":
            return None
        return Form(self._fields, {"file": Upload(part.file, part.filename, "", part.file.size)})

    def form(self) -> Form:
        """All of it, when the body has ended."""
        if not self._ended:
            _unparsable("the body ends before the closing boundary")
        try:
            for upload in self._uploads.values():
                upload.file.rewind()  # writes what is buffered, too
        except OSError as error:
            unstorable(error)
        kept = {id(upload.file) for upload in self._uploads.values()}
        for file in self._files:
            if id(file) not in kept:
                file.close()
        return Form(self._fields, self._uploads)

    def close(self) -> None:
        """Give the disk space back, whether or not the rest could still be written."""
        for file in self._files:
            with suppress(OSError):
                file.close()

    def _part_begin(self) -> None:
        self._n_parts += 1
        if self._n_parts > _MOST_PARTS:
            _unparsable(f"it has more than {_MOST_PARTS} parts")
        self._part = _Part({})
        self._value = bytearray()
        self._header_bytes = 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._gather_header(self._header[0], data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._gather_header(self._header[1], data[start:end])

    def _gather_header(self, into: bytearray, data: bytes) -> None:
        self._header_bytes += len(data)
        if self._header_bytes > _HEADER_BYTES:
            _unparsable("a part's headers are too long")
        into += data

    def _header_end(self) -> None:
        name, value = self._header
        self._part.headers[name.decode("latin-1").lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _headers_finished(self) -> None:
        part = self._part
        disposition = part.headers.get("content-disposition", b"")
        _, options = parse_options_header(disposition)
        if b"name" not in options:
            _unparsable("a part has no name in its content-disposition")
        part.name = options[b"name"].decode("utf-8", "replace")
        filename = _filename(disposition, options)
        if filename is None and part.name != "file":
            return
        part.filename = filename or ""
        if len(self._files) >= _MOST_FILES:
            _unparsable(f"it has more than {_MOST_FILES} files")
        part.file = self._spool.file()
        self._files.append(part.file)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.file:
            self._part.file.write(data[start:end])
            return
        self._fields_bytes += end - start
        if len(self._value) + end - start > _FIELD_BYTES or self._fields_bytes > _FIELDS_BYTES:
            refuse(
                self._part.name,
                f"Field {self._part.name[:40]!r} is too large: a field may have {_FIELD_BYTES} "
                f"bytes, all together {_FIELDS_BYTES}. Send audio as a file, with a filename.",
            )
        self._value += data[start:end]

    def _part_end(self) -> None:
        part = self._part
        if part.file:
            base, _ = split_name(part.name)
            kind = part.headers.get("content-type", b"").decode("latin-1")
            self._uploads[base] = Upload(part.file, part.filename, kind, part.file.size)
            return
        try:
            self._fields.append((part.name, self._value.decode()))
        except UnicodeDecodeError:
            refuse(
                split_name(part.name)[0], f"Field {part.name[:40]!r} is not UTF-8. Encode it so."
            )

    def _end(self) -> None:
        self._ended = True


def _boundary(headers: Mapping[str, str]) -> bytes:
    kind, options = parse_options_header(headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise BadRequest(
            f"Content-Type {headers.get('content-type', '')[:80]!r} is not a form. Send the "
            "request as multipart/form-data."
        )
    if not options.get(b"boundary"):
        _unparsable("its content-type names no boundary; leave that header to your HTTP library")
    return options[b"boundary"]


def _filename(disposition: bytes, options: Mapping[bytes, bytes]) -> str | None:
    """The part's filename, None for a field; `filename*` (RFC 5987) where there is no plain one."""
    if b"filename" in options:
        return options[b"filename"].decode("utf-8", "replace")
    extended = re.search(rb";\s*filename\*(?:0\*?)?\s*=\s*\"?([^;\"]*)", disposition, re.IGNORECASE)
    if not extended:
        return None
    return unquote_to_bytes(extended[1].rpartition(b"'")[2]).decode("utf-8", "replace")


def _unparsable(reason: str, cause: Exception | None = None) -> NoReturn:
    raise BadRequest(
        f"Could not parse multipart form: {reason}. Send the fields and the file as "
        "multipart/form-data."
    ) from cause
