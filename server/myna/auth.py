"""Who may call: any number of named keys, compared in constant time, or nobody is asked."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from myna.errors import Unauthorized

KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""Web pages cannot set headers on a WebSocket, so they offer this, with the key behind it."""

_MISSING = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key and the name that logs and counters use for it."""

    name: str
    secret: SecretStr


class Keyring:
    """The keys that open this server; none leaves it open."""

    def __init__(self, keys: tuple[NamedKey, ...] = ()) -> None:
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def load(cls, listed: SecretStr | None, file: Path | None) -> Keyring:
        """Keys from a comma-separated list and a file with one a line.

        Raises:
            OSError: the file cannot be read.
            ValueError: a key is empty.
        """
        lines = listed.get_secret_value().split(",") if listed else []
        if file is not None:
            lines += [line.split("#", 1)[0] for line in file.read_text("utf-8").splitlines()]
        entries = [line.strip() for line in lines if line.strip()]
        if file is not None and not entries:
            raise ValueError(f"{file} holds no API key; leave api_keys_file out for an open server")
        return cls(tuple(_named(entry, index) for index, entry in enumerate(entries, start=1)))

    def admit(self, headers: Mapping[str, str]) -> str | None:
        """The name of the caller's key, or None where the server is open.

        Raises:
            Unauthorized: no key was sent, or one that is not on the ring.
        """
        if not self._keys:
            return None
        sent = sent_key(headers)
        if not sent:
            raise Unauthorized(_MISSING)
        matches = [key.name for key in self._keys if _equal(key.secret, sent)]
        if not matches:
            raise Unauthorized(
                f"Incorrect API key provided: {masked(sent)}. "
                "Ask whoever runs this server for a key (setting api_keys).",
                code="invalid_api_key",
            )
        return matches[0]


def sent_key(headers: Mapping[str, str]) -> str:
    """The key of a request: `Authorization: Bearer …`, Azure's `api-key`, or that of a WebSocket's
    subprotocols; empty if none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    offered = headers.get("sec-websocket-protocol", "").split(",")
    keys = (
        name.strip().removeprefix(KEY_SUBPROTOCOL) for name in offered if KEY_SUBPROTOCOL in name
    )
    return bearer or headers.get("api-key", "").strip() or next(keys, "")


def masked(key: str) -> str:
    """A key as it may be shown: its ends only, and not even those where they are half of it."""
    if len(key) < 14:
        return "*" * len(key)
    return f"{key[:3]}{'*' * min(len(key) - 7, 20)}{key[-4:]}"


def _named(entry: str, index: int) -> NamedKey:
    name, colon, secret = entry.partition(":")
    if not colon:
        name, secret = "", entry
    name = name.strip() or f"key{index}"
    if not secret.strip():
        raise ValueError(f"API key {index} ({name}) is empty")
    return NamedKey(name, SecretStr(secret.strip()))


def _equal(secret: SecretStr, sent: str) -> bool:
    known = secret.get_secret_value()
    return hmac.compare_digest(known.encode(), sent.encode("utf-8", "surrogatepass"))
