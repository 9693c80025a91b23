"""One model of a server: in memory behind its service, or to be loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from myna.engines.contract import Voice
from myna.errors import Overloaded

Service = TypeVar("Service")
State = Literal["cold", "loading", "loaded", "unloading"]

_DISK_BYTES_PER_S = 100e6
"""How fast a model is taken to load that has not been loaded yet: a slow disk, or a fast one and
the conversion of its numbers."""
_LEAST_RETRY_S, _MOST_RETRY_S = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Service]):
    """A model in memory."""

    service: Service
    close: Callable[[], None]
    """Stop its workers and give its memory back; blocks."""
    voices: Sequence[Voice] = ()
    """What it speaks with."""
    stand_ins: Mapping[str, Voice] = field(default_factory=dict[str, Voice])
    """The voices that OpenAI's names mean."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a model before it is loaded."""

    id: str
    aliases: tuple[str, ...] = ()
    """Other names that mean this model."""
    kind: str = ""
    """Which engine runs it."""
    created: int = 0
    """Unix seconds: when its files were put in place."""
    size_bytes: int = 0
    """Of its files."""
    pinned: bool = False
    """It is not unloaded for want of memory, or for being idle."""
    voices: Sequence[Voice] = ()
    """Those that its card names."""
    stand_ins: Mapping[str, Voice] = field(default_factory=dict[str, Voice])
    """The voices that OpenAI's names mean, as its card says."""


class Resident(Generic[Service]):
    """A model, and what is known of it. Its state is changed by `residency` alone."""

    def __init__(self, about: About, build: Callable[[], Loaded[Service]]) -> None:
        """`build` loads and warms it, and blocks for as long as that takes."""
        self.id = about.id
        self.aliases = about.aliases
        self.kind = about.kind
        self.created = about.created
        self.pinned = about.pinned
        self.build = build
        self.voices = about.voices
        self.stand_ins = about.stand_ins
        self.memory_bytes = about.size_bytes
        """What it takes when it is loaded: the size of its files, until that has been measured."""
        self.load_s = about.size_bytes / _DISK_BYTES_PER_S
        """How long it takes to load: a guess, until that has been measured."""
        self.held: Loaded[Service] | None = None
        """None where it is not in memory."""
        self.leases = 0
        """Requests that use it or wait for it; with any, it is not unloaded."""
        self.used_s = 0.0
        """When the last of them ended, or when it was loaded."""
        self.loading_since_s: float | None = None
        """When it was asked to be loaded, until it is."""
        self.unloading = False

    @property
    def service(self) -> Service:
        """What requests are handed to, whoever asks having seen to it that the model stays.

        Raises:
            Overloaded: it is not loaded.
        """
        if self.held is None:
            raise Overloaded(f"The model {self.id} is not loaded.", reason="loading")
        return self.held.service

    @property
    def state(self) -> State:
        """Where it is on its way into memory or out of it."""
        if self.unloading:
            return "unloading"
        if self.held is not None:
            return "loaded"
        return "cold" if self.loading_since_s is None else "loading"

    def hold(self, loaded: Loaded[Service]) -> None:
        """It is in memory now."""
        self.held = loaded
        self.voices, self.stand_ins = loaded.voices, loaded.stand_ins

    def still_loading(self, now_s: float) -> Overloaded:
        """What a request is told that came too early: how far loading is, and when to come back."""
        gone_s = 0.0 if self.loading_since_s is None else now_s - self.loading_since_s
        left_s = self.load_s - gone_s
        done = min(gone_s / self.load_s, 0.99) if self.load_s else 0.0
        return Overloaded(
            f"The model {self.id} is being loaded ({done:.0%}, {gone_s:.0f} s so far); "
            "send the request again later.",
            retry_after_s=min(max(left_s, _LEAST_RETRY_S), _MOST_RETRY_S),
            reason="loading",
        )

    def close(self) -> None:
        """Unload it, if it is loaded; blocks."""
        held, self.held = self.held, None
        if held is not None:
            held.close()
