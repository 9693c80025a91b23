"""The form that a request carries: multipart, or the same as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

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
    if headers.get("content-type", "").startswith("application/json"):
        return await read_json_form(stream, headers, limit_bytes=limit_bytes, spool=spool)
    return await read_form(stream, headers, limit_bytes=limit_bytes, spool=spool, arriving=arriving)
