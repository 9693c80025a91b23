"""The gate: who sends no key that is known comes no further."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.accounts import Accounts
from myna.api.rehearsal import CONTROL
from myna.api.responses import HEADS, failure
from myna.auth import Keyring, sent_key
from myna.errors import Unauthorized
from myna.playground import is_page
from myna.realtime.tokens import ClientSecrets
from myna.telemetry.record import RequestRecord

OPEN_PATHS = frozenset({"/health", "/ready", "/audio/models", "/audio/voices"})
"""What needs no key when read: probes, and what Open WebUI asks for without one."""


class Gate:
    """Asks for a key before anything of the request is read."""

    def __init__(
        self, app: ASGIApp, keyring: Keyring, accounts: Accounts, secrets: ClientSecrets
    ) -> None:
        self._app = app
        self._keyring = keyring
        self._accounts = accounts
        self._secrets = secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer 401; every answer says what the caller has left."""
        if scope["type"] not in {"http", "websocket"} or is_open(scope):
            await self._app(scope, receive, send)
            return
        try:
            name = self._caller(HTTPConnection(scope))
        except Unauthorized as error:
            await failure(error)(scope, receive, send)
            return
        account = self._accounts.of(name)
        state = scope.setdefault("state", {})
        state["key_name"] = name
        record = state.get("record")
        if isinstance(record, RequestRecord):
            record.key, record.charge = name or "", account.charge

        async def limited(message: Message) -> None:
            if message["type"] in HEADS:
                message.setdefault("headers", [])
                MutableHeaders(scope=message).update(account.headers())
            await send(message)

        await self._app(scope, receive, limited)

    def _caller(self, connection: HTTPConnection) -> str | None:
        if connection.scope["type"] == "websocket":
            grant = self._secrets.find(sent_key(connection.headers))
            if grant is not None:
                return grant.caller
        return self._keyring.admit(connection.headers)


def is_open(scope: Scope) -> bool:
    """Whether it needs no key."""
    path = scope["path"]
    if path.removeprefix("/v1").startswith(CONTROL):
        return True  # answers with `testing` only, where anybody may do anything
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
        return False
    return path.removeprefix("/v1") in OPEN_PATHS or is_page(path)
