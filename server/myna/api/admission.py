"""The door: a request gets a place before its body is read, or is sent away."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request

from myna.accounts import Account
from myna.api.body import Body
from myna.api.context import account
from myna.errors import Overloaded, RateLimited
from myna.scheduling.admission import Admission, Admitted


async def admitted(request: Request, admission: Admission, limit_bytes: int) -> Admitted:
    """A place, which the caller leaves when the request is answered.

    Raises:
        RateLimited: the caller has had what it may have for now.
        Overloaded: there is none. What the client goes on to write has been taken and dropped.
    """
    try:
        return placed(account(request), admission)
    except (Overloaded, RateLimited):
        await Body(request.stream(), request.headers, limit_bytes).drain()
        raise


def placed(account: Account, admission: Admission) -> Admitted:
    """A place for somebody whose account has something left; raises as `admitted` does."""
    place = admission.admit()
    try:
        account.admit()
    except RateLimited:
        place.leave()
        raise
    return place


async def leaving(source: AsyncGenerator[bytes], place: Admitted) -> AsyncGenerator[bytes]:
    """What `source` yields; behind it, or when it is closed, the place is free."""
    try:
        async with aclosing(source):
            async for data in source:
                yield data
    finally:
        place.leave()
