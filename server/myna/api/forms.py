"""The request form of the audio endpoints, read as it arrives: files to disk, fields by name.

Clients write the same form in many ways; `Form` makes one of them: `x`, `x[]` and `x[0]` are one
list, `a[b]` is a nested object, an empty field was not given, and of two scalars the last counts.
"""

from __future__ import annotations

import base64
import json
import math
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self, cast
from urllib.parse import unquote_to_bytes

import anyio
from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from myna.errors import BadRequest, ClientGone, MynaError, PayloadTooLarge

BODY_LIMIT_BYTES = 26_214_400
"""25 MiB, what the hosted API takes as a whole request."""

_BLOCK_BYTES = 256 * 1024
"""How much is gathered before a worker thread parses it and writes it to disk."""
_MOST_PARTS = 1000
_MOST_FILES = 8
_FIELD_BYTES = 8 * 1024 * 1024
"""Of one field: reference recordings come as data URLs of several MB."""
_FIELDS_BYTES = 16 * 1024 * 1024
"""Of all fields together; they are held in memory."""
_HEADER_BYTES = 64 * 1024
"""Of all headers of one part."""
_DRAIN_S = 2.0
"""How long a client may go on writing after its request was refused."""

_NAME = re.compile(r"([^\[\]]+)(?:\[([^\[\]]*)\])?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_BOOLEANS = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file of the request, in a temporary file that has no name and vanishes when closed."""

    file: BinaryIO
    """At its beginning."""
    filename: str
    """As the client called it: a hint, never a path to open."""
    content_type: str
    """As the client called it, or empty."""
    size: int
    """Bytes."""

    @property
    def fd(self) -> int:
        """The open file's descriptor."""
        return self.file.fileno()


class Form:
    """Fields and files of one request. Close it, or use it as an asynchronous context."""

    def __init__(
        self, fields: Collection[tuple[str, str]] = (), uploads: Mapping[str, Upload] | None = None
    ) -> None:
        self._fields: dict[str, list[tuple[str | None, str]]] = {}
        self._uploads = dict(uploads or {})
        for name, value in fields:
            base, key = _split(name)
            self._fields.setdefault(base, []).append((key, value))

    @property
    def file(self) -> Upload | None:
        """The upload named `file`."""
        return self.upload("file")

    def upload(self, name: str) -> Upload | None:
        """The last upload of that name."""
        return self._uploads.get(name)

    def text(self, name: str) -> str | None:
        """The field's last value; None where it is absent or blank."""
        values = self._values(name)
        return values[-1] if values and values[-1].strip() else None

    def texts(self, name: str) -> list[str]:
        """All values that are not blank, in order."""
        return [value for value in self._values(name) if value.strip()]

    def nested(self, name: str) -> dict[str, Any] | str | None:
        """An object from `name[key]` fields (values are strings) or from JSON; else the string.

        Raises `BadRequest` for JSON that is broken or no object.
        """
        found: dict[str, Any] | str | None = None
        for key, value in self._fields.get(name, ()):
            if not value.strip():
                continue
            if key is None:
                found = _json_object(name, value) if value.lstrip().startswith("{") else value
            else:
                found = {**(found if isinstance(found, dict) else {}), key: value}
        return found

    def boolean(self, name: str) -> bool | None:
        """True, false or not given; raises `BadRequest` for anything else."""
        value = self.text(name)
        if value is None:
            return None
        found = _BOOLEANS.get(value.strip().lower())
        if found is None:
            _refuse(name, f"{name} {value[:40]!r} is neither 'true' nor 'false'.")
        return found

    def number(self, name: str, minimum: float, maximum: float) -> float | None:
        """A finite number from `minimum` to `maximum`; raises `BadRequest` for anything else."""
        value = self.text(name)
        if value is None:
            return None
        number = float(value) if _NUMBER.fullmatch(value.strip()) else math.nan
        if not minimum <= number <= maximum:
            wanted = f"a number from {minimum:g} to {maximum:g}"
            _refuse(name, f"{name} {value[:40]!r} is not {wanted}.")
        return number

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of `allowed`; raises `BadRequest` that lists them for anything else."""
        value = self.text(name)
        if value is None:
            return None
        if value.strip() not in allowed:
            listed = ", ".join(repr(option) for option in allowed)
            _refuse(name, f"{name} {value[:40]!r} is not one of {listed}.")
        return value.strip()

    async def close(self) -> None:
        """Give the uploads' disk space back. May be called twice."""
        files = [upload.file for upload in self._uploads.values()]
        await _in_thread_to_the_end(lambda: [file.close() for file in files])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _values(self, name: str) -> list[str]:
        return [value for key, value in self._fields.get(name, ()) if key is None]


async def read_form(
    stream: AsyncIterator[bytes],
    headers: Mapping[str, str],
    *,
    limit_bytes: int = BODY_LIMIT_BYTES,
    spool_dir: Path | None = None,
) -> Form:
    """Read a multipart/form-data request.

    `stream` yields the body (starlette's `Request.stream()`), `headers` has lower-case names or
    ignores case, `limit_bytes` is for the whole body, `spool_dir` is where files are kept (None
    for the system's directory). A part is a file if it has a filename or is called `file`.

    Raises `BadRequest` for a body that is not such a form, `PayloadTooLarge` beyond the limit and
    `ClientGone` if the client leaves; until a refused client has stopped writing, or for two
    seconds, its bytes are taken and dropped, since it would not read an answer before.
    """
    body = _Body(stream, headers, limit_bytes)
    parts: _Parts | None = None
    try:
        parts = _Parts(_boundary(headers), spool_dir)
        async with aclosing(body.blocks()) as blocks:
            async for block in blocks:
                await to_thread.run_sync(parts.feed, block)
        return await to_thread.run_sync(parts.form)
    except BaseException as error:
        if parts:
            await _in_thread_to_the_end(parts.close)
        if isinstance(error, MynaError):
            await body.drain()
        raise


async def read_json_form(
    stream: AsyncIterator[bytes],
    headers: Mapping[str, str],
    *,
    limit_bytes: int = BODY_LIMIT_BYTES,
    spool_dir: Path | None = None,
) -> Form:
    """Read the JSON form of a transcription request, `{model, input_audio: {data, format}, …}`.

    `input_audio` (base64) becomes the upload `file`, every other member a field. Arguments and
    errors are those of `read_form`.
    """
    body = _Body(stream, headers, limit_bytes)
    try:
        kind, _ = parse_options_header(headers.get("content-type"))
        if kind != b"application/json":
            raise BadRequest("The request is not JSON. Send it with content-type application/json.")
        text = bytearray()
        async with aclosing(body.blocks()) as blocks:
            async for block in blocks:
                text += block
    except MynaError:
        await body.drain()
        raise
    return await to_thread.run_sync(_form_from_json, bytes(text), spool_dir)


class _Body:
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
        """Pieces of about `_BLOCK_BYTES`."""
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

    async def drain(self) -> None:
        """Take and drop what a refused client still writes, within bounds."""
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


@dataclass(slots=True)
class _Part:
    """What is known so far of the part that is being read."""

    headers: dict[str, bytes]
    name: str = ""
    filename: str = ""
    file: BinaryIO | None = None


class _Parts:
    """The parser's callbacks. Only ever called from one worker thread at a time."""

    def __init__(self, boundary: bytes, spool_dir: Path | None) -> None:
        self._spool_dir = spool_dir
        self._fields: list[tuple[str, str]] = []
        self._uploads: dict[str, Upload] = {}
        self._files: list[BinaryIO] = []
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
            _unstorable(error)

    def form(self) -> Form:
        """All of it, when the body has ended."""
        if not self._ended:
            _unparsable("the body ends before the closing boundary")
        try:
            for upload in self._uploads.values():
                upload.file.seek(0)  # writes what is buffered, too
        except OSError as error:
            _unstorable(error)
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
        part.file = _temporary_file(self._spool_dir)
        self._files.append(part.file)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.file:
            self._part.file.write(data[start:end])
            return
        self._fields_bytes += end - start
        if len(self._value) + end - start > _FIELD_BYTES or self._fields_bytes > _FIELDS_BYTES:
            _refuse(
                self._part.name,
                f"Field {self._part.name[:40]!r} is too large: a field may have {_FIELD_BYTES} "
                f"bytes, all together {_FIELDS_BYTES}. Send audio as a file, with a filename.",
            )
        self._value += data[start:end]

    def _part_end(self) -> None:
        part = self._part
        if part.file:
            base, _ = _split(part.name)
            kind = part.headers.get("content-type", b"").decode("latin-1")
            self._uploads[base] = Upload(part.file, part.filename, kind, part.file.tell())
            return
        try:
            self._fields.append((part.name, self._value.decode()))
        except UnicodeDecodeError:
            _refuse(_split(part.name)[0], f"Field {part.name[:40]!r} is not UTF-8. Encode it so.")

    def _end(self) -> None:
        self._ended = True


def _split(name: str) -> tuple[str, str | None]:
    """`x`, `x[]` and `x[0]` -> (x, None); `a[b]` -> (a, b); other brackets are part of the name."""
    match = _NAME.fullmatch(name)
    if not match:
        return name, None
    base, key = match[1], match[2]
    return base, None if not key or (key.isascii() and key.isdigit()) else key


def _boundary(headers: Mapping[str, str]) -> bytes:
    kind, options = parse_options_header(headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise BadRequest(
            f"Content-Type {headers.get('content-type', '')[:80]!r} is not a form. Send the "
            "request as multipart/form-data with a part named 'file'."
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


def _json_object(name: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name} is not valid JSON: {error}", param=name) from error
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _form_from_json(text: bytes, spool_dir: Path | None) -> Form:
    try:
        body = json.loads(text, parse_constant=_no_constant)
        if not isinstance(body, dict):
            raise BadRequest(
                "The request is JSON but no object. Send {'model': …, 'input_audio': …}."
            )
        members = cast("dict[str, Any]", body)
        audio = members.pop("input_audio", None)
        fields = [field for name, value in members.items() for field in _flattened(name, value)]
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Could not parse the request as JSON: {error}") from error
    return Form(fields, {} if audio is None else {"file": _decoded(audio, spool_dir)})


def _flattened(name: str, value: object) -> list[tuple[str, str]]:
    """A member of a JSON body as the fields that a form would have had."""
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    texts = [
        item if isinstance(item, str) else json.dumps(item) for item in items if item is not None
    ]
    for text in texts:
        text.encode()  # a lone surrogate is no text
    return [(name, text) for text in texts]


def _decoded(audio: object, spool_dir: Path | None) -> Upload:
    """`{data, format}` with base64 data, which may have the head of a data URL, as an upload."""
    members = cast("dict[str, object]", audio) if isinstance(audio, dict) else {}
    data, kind = members.get("data"), members.get("format") or ""
    if not isinstance(data, str) or not isinstance(kind, str):
        _refuse("input_audio", "input_audio is not {'data': <base64>, 'format': 'wav'}.")
    encoded = data.partition(",")[2] if data.startswith("data:") else data
    try:
        decoded = base64.b64decode("".join(encoded.split()), validate=True)
    except ValueError as error:
        raise BadRequest(f"input_audio.data is not base64: {error}", param="input_audio") from error
    try:
        file = _temporary_file(spool_dir)
        file.write(decoded)
        file.seek(0)
    except OSError as error:
        _unstorable(error)
    names = (f"audio.{kind}", f"audio/{kind}") if kind else ("audio", "")
    return Upload(file, *names, len(decoded))


def _temporary_file(spool_dir: Path | None) -> BinaryIO:
    # Whoever holds the upload closes it.
    return cast("BinaryIO", tempfile.TemporaryFile(dir=spool_dir))


async def _in_thread_to_the_end(work: Callable[[], object]) -> None:
    """Run blocking work although the task may be cancelled already."""
    with anyio.CancelScope(shield=True):
        await to_thread.run_sync(work)


def _refuse(name: str, message: str) -> NoReturn:
    raise BadRequest(message, param=name, code="invalid_value")


def _unparsable(reason: str, cause: Exception | None = None) -> NoReturn:
    raise BadRequest(
        f"Could not parse multipart form: {reason}. Send the fields and a part named 'file' as "
        "multipart/form-data."
    ) from cause


def _unstorable(error: OSError) -> NoReturn:
    raise MynaError(f"The upload could not be stored: {error.strerror or error}") from error
