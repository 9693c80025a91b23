"""Who may call: any number of named keys, compared in constant time, or nobody is asked."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from pydantic import SecretStr

from myna.accounts import Allowance
from myna.errors import Unauthorized

KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""Web pages cannot set headers on a WebSocket, so they offer this, with the key behind it."""

_MISSING = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
)
ADMIN = "admin"
"""The name of whoever sends the admin key."""
_ALLOWANCES = tuple(one.name for one in fields(Allowance))
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key and the name that logs and counters use for it."""

    name: str
    secret: SecretStr
    allowance: Allowance


class Keyring:
    """The keys that open this server; none leaves it open."""

    def __init__(self, keys: tuple[NamedKey, ...] = (), admin: SecretStr | None = None) -> None:
        """`admin` is a key that opens everything, and does what others may not."""
        self._keys = keys
        self.admin = admin

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def allowances(self) -> dict[str, Allowance]:
        """What each key may have, by its name."""
        return {key.name: key.allowance for key in self._keys} | (
            {ADMIN: Allowance()} if self.admin else {}
        )

    @classmethod
    def load(
        cls,
        listed: SecretStr | None,
        file: Path | None,
        usual: Allowance | None = None,
        admin: SecretStr | None = None,
    ) -> Keyring:
        """Keys from a comma-separated list and a file with one a line.

        Behind a key there may be what it is allowed, `share=2 requests_per_minute=60`; where
        nothing is said, it is what is `usual`.

        Raises:
            OSError: the file cannot be read.
            ValueError: a key is empty, an allowance is no number, or two keys of one name are
                allowed different things.
        """
        lines = listed.get_secret_value().split(",") if listed else []
        if file is not None:
            lines += [line.split("#", 1)[0] for line in file.read_text("utf-8").splitlines()]
        entries = [line.strip() for line in lines if line.strip()]
        if file is not None and not entries:
            raise ValueError(f"{file} holds no API key; leave api_keys_file out for an open server")
        usual = usual or Allowance()
        keys = tuple(_named(entry, index, usual) for index, entry in enumerate(entries, start=1))
        if any(key.name == ADMIN for key in keys):
            raise ValueError(f"no API key may be named {ADMIN}: so is whoever sends the admin key")
        ring = cls(keys, admin)
        for key in keys:
            if ring.allowances[key.name] != key.allowance:
                raise ValueError(f"two API keys named {key.name} have different allowances")
        return ring

    def admit(self, headers: Mapping[str, str]) -> str | None:
        """The name of the caller's key, or None where the server is open.

        Raises:
            Unauthorized: no key was sent, or one that is not on the ring.
        """
        if self.is_admin(headers):
            return ADMIN
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

    def is_admin(self, headers: Mapping[str, str]) -> bool:
        """Whether the admin key was sent."""
        return self.admin is not None and _equal(self.admin, sent_key(headers))


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


def _named(entry: str, index: int, usual: Allowance) -> NamedKey:
    name, colon, rest = entry.partition(":")
    if not colon:
        name, rest = "", entry
    name = name.strip() or f"key{index}"
    secret, *words = rest.split() or [""]
    if not secret or secret.startswith(tuple(f"{what}=" for what in _ALLOWANCES)):
        raise ValueError(f"API key {index} ({name}) is empty")
    return NamedKey(name, SecretStr(secret), _allowance(name, words, usual))


def _allowance(name: str, words: list[str], usual: Allowance) -> Allowance:
    """`share=2` and so on, over what is usual."""
    given: dict[str, float] = {}
    for word in words:
        what, _, number = word.partition("=")
        value = float(number) if _NUMBER.fullmatch(number) else -1.0
        if what not in _ALLOWANCES or value < 0 or (what == "share" and not value):
            raise ValueError(
                f"API key {name}: after the key there may be {', '.join(_ALLOWANCES)}, each with "
                f"= and a number, as in share=2; this is none of them: {masked(word)}"
            )
        given[what] = value
    return replace(usual, **given)


def _equal(secret: SecretStr, sent: str) -> bool:
    known = secret.get_secret_value()
    return hmac.compare_digest(known.encode(), sent.encode("utf-8", "surrogatepass"))
