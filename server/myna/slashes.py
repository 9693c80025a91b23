"""Slashes between a base URL and what a client appends, where both bring one."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_DOUBLED = re.compile(r"^(/v1|/openai/v1|/openai/deployments/[^/]+|)//+")


class Slashes:
    """Takes `/v1//audio/speech` for `/v1/audio/speech`: the base URL was given as `…/v1/`.

    Many clients only put the two together, and their test of the connection may do it another way
    and find nothing wrong. It stands before whatever looks at a path, so that all see the same.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with one of them."""
        if scope["type"] in {"http", "websocket"}:
            scope = {**scope, "path": _DOUBLED.sub(r"\1/", scope["path"])}
        await self._app(scope, receive, send)
