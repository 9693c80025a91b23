"""What each caller may use, and what of it is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from myna.errors import RateLimited

_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one caller may have."""

    requests_per_minute: float = 0.0
    """0 for no limit."""
    audio_s_per_minute: float = 0.0
    """Seconds of audio, read or spoken; 0 for no limit."""
    share: float = 1.0
    """Of the machine, where several wait: 2 gets twice what 1 gets."""


class Bucket:
    """So much a minute: full at the start, filled steadily, and overdrawn by what is only known
    once it has been used."""

    def __init__(self, per_minute: float, clock: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._held = per_minute
        self._at_s = clock()

    @property
    def held(self) -> float:
        """What is left now; below zero where it has been overdrawn."""
        now_s = self._clock()
        gained = (now_s - self._at_s) * self.per_minute / _MINUTE_S
        self._held, self._at_s = min(self._held + gained, self.per_minute), now_s
        return self._held

    def take(self, amount: float) -> None:
        """Use some of it, whether it is there or not."""
        self._held = self.held - amount

    def until_s(self, amount: float) -> float:
        """Seconds until so much is there; 0 if it is."""
        return max(amount - self.held, 0.0) * _MINUTE_S / self.per_minute


class Account:
    """One caller's requests and audio. Only to be used on the event loop."""

    def __init__(
        self, name: str, allowance: Allowance, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        requests, audio_s = allowance.requests_per_minute, allowance.audio_s_per_minute
        self._requests = Bucket(requests, clock) if requests else None
        self._audio = Bucket(audio_s, clock) if audio_s else None

    def admit(self) -> None:
        """Count one more request.

        How much audio a request has is known only when it has been read, so it is admitted while
        there is anything left, and those that follow wait until what it took is earned back.

        Raises:
            RateLimited: there is none left of one or the other; it says when there will be.
        """
        requests = self._requests
        if requests is not None and (wait_s := requests.until_s(min(1.0, requests.per_minute))):
            raise RateLimited("requests", requests.per_minute, retry_after_s=wait_s)
        self.admit_audio()
        if requests is not None:
            requests.take(1.0)

    def admit_audio(self) -> None:
        """Let audio in that belongs to a request which has been counted.

        Raises:
            RateLimited: there is none left; it says when there will be.
        """
        audio = self._audio
        if audio is not None and audio.held <= 0:
            raise RateLimited("audio-seconds", audio.per_minute, retry_after_s=audio.until_s(0.0))

    def charge(self, audio_s: float) -> None:
        """So much more audio has been read or spoken for it."""
        if self._audio is not None:
            self._audio.take(audio_s)

    def headers(self) -> Mapping[str, str]:
        """`x-ratelimit-*`: limits, what is left, and how long until nothing of it is used.

        `audio-seconds` stands where the hosted API counts `tokens`.
        """
        found: dict[str, str] = {}
        for name, bucket in (("requests", self._requests), ("audio-seconds", self._audio)):
            if bucket is not None:
                found[f"x-ratelimit-limit-{name}"] = f"{bucket.per_minute:.10g}"
                found[f"x-ratelimit-remaining-{name}"] = str(max(0, int(bucket.held)))
                found[f"x-ratelimit-reset-{name}"] = span(bucket.until_s(bucket.per_minute))
        return found


class Accounts:
    """The accounts of all callers; those without an allowance of their own have the usual one."""

    def __init__(
        self,
        usual: Allowance,
        own: Mapping[str, Allowance] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`own` is by the callers' names. Those who come to an open server are one caller, without
        a name."""
        allowances = {"": usual, **(own or {})}
        self._accounts = {name: Account(name, one, clock) for name, one in allowances.items()}
        self.shares = {name: one.share for name, one in allowances.items()}
        """Of the machine, by the callers' names."""

    def of(self, name: str | None) -> Account:
        """A caller's account; None where the server is open."""
        return self._accounts[name or ""]


def span(seconds: float) -> str:
    """A length of time as the hosted API writes it: `24ms`, `1.2s`, `6m0s`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s"
