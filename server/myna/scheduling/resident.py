"""One model of a server: in memory behind its service, or to be loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from myna.engines.contract.voice import Voice
from myna.errors import Overloaded

Service = TypeVar("Service")
State = Literal["cold", "fetching", "loading", "loaded", "unloading"]
Standing = Literal["named", "on demand", "reserve"]
"""Whose model it is: `named` at the start and served ever since, served `on demand` although nobody
named it, or in `reserve` until the admin key has it loaded."""

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


class Supply(Protocol):
    """Gets a model's files in place."""

    @property
    def done(self) -> float | None:
        """How much of them has been fetched, from 0 to 1; None while nothing is fetched."""
        ...

    async def ready(self) -> None:
        """Return when they are there and the right ones; may be cancelled.

        Raises:
            MynaError: they are not, and cannot be had.
        """
        ...


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
    standing: Standing = "named"
    supply: Supply | None = None
    """None where its files are known to be in place."""


class Resident(Generic[Service]):
    """A model, and what is known of it. Its state is changed by `residency` alone."""

    def __init__(self, about: About, build: Callable[[], Loaded[Service]]) -> None:
        """`build` loads and warms it, and blocks for as long as that takes."""
        self.id = about.id
        self.aliases = about.aliases
        self.kind = about.kind
        self.created = about.created
        self.pinned = about.pinned
        self.standing = about.standing
        self.supply = about.supply
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
        self.called_up = False
        """The admin key has had it loaded, and has not had it unloaded since."""

    @property
    def served(self) -> bool:
        """Whether requests may name it, in memory or not."""
        return self.standing != "reserve" or self.called_up

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
        if self.loading_since_s is None:
            return "cold"
        return "loading" if self.fetched is None else "fetching"

    @property
    def fetched(self) -> float | None:
        """How much of its files has been fetched, from 0 to 1, while they are."""
        return None if self.supply is None else self.supply.done

    def hold(self, loaded: Loaded[Service]) -> None:
        """It is in memory now."""
        self.held = loaded
        self.voices, self.stand_ins = loaded.voices, loaded.stand_ins

    def still_loading(self, now_s: float) -> Overloaded:
        """What a request is told that came too early: how far loading is, and when to come back."""
        gone_s = 0.0 if self.loading_since_s is None else now_s - self.loading_since_s
        if (done := self.fetched) is not None:
            left_s = gone_s * (1 - done) / done if done else _MOST_RETRY_S
        else:
            left_s = self.load_s - gone_s
            done = min(gone_s / self.load_s, 0.99) if self.load_s else 0.0
        doing = "fetched" if self.state == "fetching" else "loaded"
        return Overloaded(
            f"The model {self.id} is being {doing} ({done:.0%}, {gone_s:.0f} s so far); "
            "send the request again later.",
            retry_after_s=min(max(left_s, _LEAST_RETRY_S), _MOST_RETRY_S),
            reason="loading",
        )

    def close(self) -> None:
        """Unload it, if it is loaded; blocks."""
        held, self.held = self.held, None
        if held is not None:
            held.close()
