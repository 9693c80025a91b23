"""Client secrets: keys for a web page, which open sessions for a while and do nothing else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from myna.errors import Overloaded
from myna.realtime.configuration import Configuration
from myna.realtime.dialects import Dialect

MOST_SECRETS = 10_000
"""That may be valid at a time."""
LEAST_S, MOST_S = 10, 7_200
"""Bounds of how long one is valid, as hosted."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a secret is good for."""

    caller: str
    """Name of the key that it was made with."""
    expires_at: int
    """Seconds since 1970."""
    configuration: Configuration
    """Of the sessions that it opens."""
    dialect: Dialect


class ClientSecrets:
    """Secrets that are valid; kept in memory only. To be used on the event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._grants: dict[str, Grant] = {}

    def mint(
        self, caller: str, seconds: int, configuration: Configuration, dialect: Dialect
    ) -> tuple[str, Grant]:
        """A new secret. It may open any number of sessions until it expires.

        Raises:
            Overloaded: too many are valid already.
        """
        now_s = self._clock()
        if len(self._grants) >= MOST_SECRETS:
            self._grants = {
                value: grant for value, grant in self._grants.items() if grant.expires_at > now_s
            }
        if len(self._grants) >= MOST_SECRETS:
            raise Overloaded(f"{MOST_SECRETS} client secrets are valid; wait for some to expire.")
        value = f"ek_{secrets.token_urlsafe(32)}"
        grant = Grant(caller, int(now_s) + seconds, configuration, dialect)
        self._grants[value] = grant
        return value, grant

    def find(self, value: str) -> Grant | None:
        """What the secret is good for; None if it is none, or has expired."""
        grant = self._grants.get(value)
        if grant is not None and grant.expires_at <= self._clock():
            del self._grants[value]
            return None
        return grant
