"""The form that a request carries: multipart, or the same as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from myna.api.forms import Form
from myna.api.json_form import read_json_form
from myna.api.multipart import read_form
from myna.api.spool import Spool


async def form_of(
    request: Request,
    *,
    limit_bytes: int,
    spool: Spool,
    arriving: Callable[[Form], Awaitable[object]] | None = None,
) -> Form:
    """The form, read as its content-type says.

    `arriving` is for multipart: a file inside JSON cannot be used before all of it is there. Other
    arguments and the errors are those of `multipart.read_form`.
    """
    stream, headers = request.stream(), request.headers
    kind, _ = parse_options_header(headers.get("content-type"))
    if kind == b"application/json":
        return await read_json_form(stream, headers, limit_bytes=limit_bytes, spool=spool)
    return await read_form(stream, headers, limit_bytes=limit_bytes, spool=spool, arriving=arriving)
