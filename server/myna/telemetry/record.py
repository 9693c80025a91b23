"""One request as it is told of afterwards: what it was, how it ended, where its time went."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import get_args

from myna.stages import Stage

AUDIO_ROUTES = ("transcriptions", "translations", "speech")
COUNTED_ROUTES = (*AUDIO_ROUTES, "realtime")
"""What is counted for a key."""
ROUTES = (*COUNTED_ROUTES, "voices", "models", "other")
"""What the label `route` may be; paths themselves would let clients make any number of labels."""
_BY_PART = (
    ("models", {"models", "residents"}),
    ("voices", {"voices", "voice_consents"}),
    ("realtime", {"realtime"}),
)
_STAGES: tuple[Stage, ...] = get_args(Stage)


def route_of(path: str) -> str:
    """Which of ROUTES a path belongs to, whatever stands before it."""
    parts = path.strip("/").split("/")
    if len(parts) >= 2 and parts[-2] == "audio" and parts[-1] in AUDIO_ROUTES:
        return parts[-1]
    return next((route for route, names in _BY_PART if names.intersection(parts)), "other")


@dataclass(slots=True)
class Stretches:
    """All that one request spent in one stage."""

    begun_s: float
    """When the first began, by `time.perf_counter`."""
    ended_s: float
    """When the last ended."""
    total_s: float = 0.0
    """All together; more than the time between where several ran at once."""
    count: int = 0


@dataclass(eq=False)
class RequestRecord:
    """Gathers what `stages.Record` hears of, from any thread."""

    method: str
    path: str
    heard: Callable[[Stage, float], None]
    """Told of every stretch, in seconds."""
    id: str = field(default_factory=lambda: f"req_{secrets.token_hex(16)}")
    begun_s: float = field(default_factory=time.perf_counter)
    status: int = 0
    """Of the answer; 0 until it has begun."""
    first_byte_s: float | None = None
    """From the request's head to the answer's."""
    ended_s: float | None = None
    """When the answer had ended, by `time.perf_counter`."""
    code: str | None = None
    """Of the error that it ended with."""
    reason: str | None = None
    """Why it was sent away, if it was."""
    complete: bool = False
    """The whole answer was handed over."""
    key: str = ""
    """Name of the key that it came with."""
    charge: Callable[[float], None] | None = None
    """Told of seconds of audio as they are read or spoken: whoever counts them for the key."""
    audio_s: float = 0.0
    stages: dict[Stage, Stretches] = field(default_factory=dict[Stage, Stretches])
    _lock: Lock = field(default_factory=Lock)

    @property
    def route(self) -> str:
        """Which of ROUTES it is."""
        return route_of(self.path)

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self.ended_s or time.perf_counter()) - self.begun_s

    @property
    def cancelled(self) -> bool:
        """Its client left before the end of the answer."""
        return self.status == 499 or (not self.complete and self.code is None)

    def stage(self, stage: Stage, begun_s: float, ended_s: float) -> None:
        """Note a stretch of a stage."""
        with self._lock:
            spent = self.stages.setdefault(stage, Stretches(begun_s, ended_s))
            spent.begun_s = min(spent.begun_s, begun_s)
            spent.ended_s = max(spent.ended_s, ended_s)
            spent.total_s += ended_s - begun_s
            spent.count += 1
        self.heard(stage, ended_s - begun_s)

    def audio(self, seconds: float) -> None:
        """Note that more audio has been read or spoken."""
        self.audio_s += seconds
        if self.charge is not None:
            self.charge(seconds)

    def failed(self, code: str) -> None:
        """Note the error that ended the answer in its middle."""
        self.code = code

    def server_timing(self, total_s: float) -> str:
        """The header: milliseconds in each stage so far, and in all.

        Source: https://www.w3.org/TR/server-timing/, with `dur` in milliseconds.
        """
        with self._lock:
            spent = [(name, self.stages[name].total_s) for name in _STAGES if name in self.stages]
        return ", ".join(
            f"{name};dur={seconds * 1000:.1f}" for name, seconds in (*spent, ("total", total_s))
        )
