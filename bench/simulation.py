"""Replicas on a simulated clock: the server's own queue and dispatch, and measured service times.

Real are `FairQueue` and `Dispatch`, with the limits of the Whisper engine, the lengths at which it
encodes windows, and the bound on how many of a request wait at once. Simulated are clients, proxy,
the processor's cores and time.
Left out are uploads, decoding of files and the network: a few per cent on one machine.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from myna.engines.whisper.windowing import FRAMES_PER_S, Sizing
from myna.scheduling.dispatch import Batch, Dispatch
from myna.scheduling.queue import Entry, Limits, Ticket

WINDOW_S = 27.0
"""Audio in a window of a long file, which is cut at a pause."""
LONGEST_S = 30.0
"""A recording of that length is one window."""
LOOKAHEAD = 16
"""Windows of a request that wait or run at once (`myna.scheduling.transcription`)."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Core-seconds of a batch: a part for the batch and one for each window, by their length."""

    by_length: Mapping[float, tuple[float, float]]
    """Length in seconds to core-seconds for a batch and for each window in it."""

    @classmethod
    def measured(cls, file: Path) -> Costs:
        """For each length, the line closest to what `service_times.py` has measured, by relative
        error; lengths between are interpolated."""
        batches = json.loads(file.read_text("utf-8"))["batches"]
        found: dict[float, tuple[float, float]] = {}
        for length_s in {one["length_s"] for one in batches}:
            counts, spent_s = np.array(
                [(one["count"], one["cpu_s"]) for one in batches if one["length_s"] == length_s]
            ).T
            slope, start = np.polyfit(counts, spent_s, 1, w=1 / spent_s)
            found[float(length_s)] = float(start), float(slope)
        return cls(found)

    def of(self, n_windows: int, length_s: float) -> float:
        """Core-seconds for a batch of so many windows of that length, padding included."""
        known = sorted(self.by_length)
        batch_s, window_s = (
            float(np.interp(length_s, known, [self.by_length[one][part] for one in known]))
            for part in (0, 1)
        )
        return batch_s + n_windows * window_s


@dataclass(frozen=True, slots=True)
class Machine:
    """One replica's."""

    cores: int = 2
    express: int = 1
    batch_limit: int = 8
    batch_limit_s: float = 120.0
    long_limit_s: float = 120.0


@dataclass(eq=False, slots=True)
class Asked:
    """A request."""

    arrives_s: float
    audio_s: float
    ticket: Ticket = field(default_factory=Ticket)
    waiting: list[float] = field(default_factory=list[float])
    """Lengths of windows that have not been submitted."""
    open: int = 0
    """Windows that wait or run."""
    ended_s: float | None = None

    @property
    def latency_s(self) -> float:
        """From its arrival to its answer."""
        assert self.ended_s is not None
        return self.ended_s - self.arrives_s


@dataclass(eq=False, slots=True)
class Window:
    """One of a request's."""

    request: Asked


@dataclass(eq=False, slots=True)
class _Running:
    batch: Batch[Window]
    left_s: float
    """On a core of its own."""


class Clock:
    """What happens, in order of time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        """Do it then."""
        heapq.heappush(self._agenda, (time_s, next(self._order), action))

    def play(self) -> None:
        """Until nothing is left to happen."""
        while self._agenda:
            self.now_s, _, action = heapq.heappop(self._agenda)
            action()


class Replica:
    """A server: its queue is real, its workers share simulated cores."""

    def __init__(self, clock: Clock, machine: Machine, costs: Costs) -> None:
        self._clock, self._machine, self._costs = clock, machine, costs
        self._dispatch = Dispatch[Window](
            machine.cores,
            limits=Limits(machine.batch_limit, machine.batch_limit_s, machine.long_limit_s),
        )
        self._free = {False: machine.cores, True: machine.express}
        self._running: list[_Running] = []
        self._since_s = 0.0
        self._turn = 0
        self.requests = 0
        """Those that are being answered."""
        self.done: Callable[[Asked], None] = lambda _: None

    def ask(self, request: Asked) -> None:
        """A request arrives."""
        self.requests += 1
        request.waiting = list(windows(request.audio_s))
        self._advance()
        self._submit(request)
        self._go_on()

    def _submit(self, request: Asked) -> None:
        while request.waiting and request.open < LOOKAHEAD:
            length_s = request.waiting.pop(0)
            self._dispatch.put(Entry(request.ticket, Window(request), length_s, length_s))
            request.open += 1

    def _advance(self) -> None:
        """Let the running batches have had their cores until now."""
        passed_s = self._clock.now_s - self._since_s
        self._since_s = self._clock.now_s
        for one in self._running:
            one.left_s -= passed_s / self._slowness

    @property
    def _slowness(self) -> float:
        """Above 1 where there are more batches than cores."""
        return max(1.0, len(self._running) / self._machine.cores)

    def _go_on(self) -> None:
        """Start what can start, and wake up when the first of what runs is done."""
        for express in (False, True):
            while self._free[express] and (batch := self._dispatch.take(express=express)):
                self._free[express] -= 1
                self._running.append(_Running(batch, self._cost_s(batch)))
        self._turn += 1
        if self._running:
            left_s = min(one.left_s for one in self._running) * self._slowness
            self._clock.at(self._clock.now_s + left_s, lambda turn=self._turn: self._finish(turn))

    def _cost_s(self, batch: Batch[Window]) -> float:
        return self._costs.of(len(batch.entries), batch.entries[0].cost_s)

    def _finish(self, turn: int) -> None:
        if turn != self._turn:
            return  # something has begun or ended meanwhile
        self._advance()
        ended = [one for one in self._running if one.left_s < 1e-9]
        self._running = [one for one in self._running if one.left_s >= 1e-9]
        for one in ended:
            self._dispatch.done(one.batch)
            self._free[one.batch.express] += 1
            for entry in one.batch.entries:
                self._deliver(entry.job.request)
        self._go_on()

    def _deliver(self, request: Asked) -> None:
        request.open -= 1
        self._submit(request)
        if not request.open:
            request.ended_s = self._clock.now_s
            self.requests -= 1
            self.done(request)


def windows(audio_s: float) -> Iterator[float]:
    """What a recording's windows are encoded at."""
    while audio_s > 0:
        window_s = audio_s if audio_s <= LONGEST_S else WINDOW_S
        audio_s -= window_s
        yield Sizing().frames(window_s) / FRAMES_PER_S


Choose = Callable[[Sequence[Replica], random.Random], Replica]


def anywhere(replicas: Sequence[Replica], chance: random.Random) -> Replica:
    """A Kubernetes service, for clients with a connection a request."""
    return chance.choice(replicas)


def fewest(replicas: Sequence[Replica], chance: random.Random) -> Replica:
    """A proxy that sends a request where the fewest are being answered."""
    least = min(one.requests for one in replicas)
    return chance.choice([one for one in replicas if one.requests == least])


def of_two(replicas: Sequence[Replica], chance: random.Random) -> Replica:
    """Ray Serve, and proxies that look at two replicas drawn at random."""
    drawn = chance.sample(replicas, 2) if len(replicas) > 1 else replicas
    return min(drawn, key=lambda one: one.requests)


def play(
    requests: Sequence[Asked],
    n_replicas: int,
    choose: Choose,
    costs: Costs,
    machine: Machine | None = None,
    seed: int = 1,
) -> None:
    """Answer every request; each then knows when its answer came."""
    clock, chance = Clock(), random.Random(seed)
    replicas = [Replica(clock, machine or Machine(), costs) for _ in range(n_replicas)]
    for request in requests:
        clock.at(request.arrives_s, lambda one=request: choose(replicas, chance).ask(one))
    clock.play()


def closed(n_clients: int, lengths_s: Sequence[float], costs: Costs) -> list[Asked]:
    """One replica and clients that ask again as soon as they have their answer."""
    clock = Clock()
    replica = Replica(clock, Machine(), costs)
    left = list(reversed(lengths_s))
    asked: list[Asked] = []

    def ask(_: Asked | None = None) -> None:
        if left:
            asked.append(Asked(clock.now_s, left.pop()))
            replica.ask(asked[-1])

    # An answer's client asks when the answer has arrived, not while it is being handed out.
    replica.done = lambda _: clock.at(clock.now_s, ask)
    for _ in range(n_clients):
        clock.at(0.0, ask)
    clock.play()
    return asked
