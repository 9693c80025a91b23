"""Which thread gets which batch: the queue and those who empty it, without the threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from myna.scheduling.queue import Entry, FairQueue, Limits, Ticket

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True)
class Batch(Generic[Job]):
    """Entries that run together."""

    entries: list[Entry[Job]]
    express: bool
    """Taken by an express worker."""
    long: bool
    """Led by a job that is not short."""

    @property
    def seconds(self) -> float:
        """Audio in it, padding included."""
        return sum(entry.cost_s for entry in self.entries)


class Dispatch(Generic[Job]):
    """Hands out batches to workers, and those of short jobs to express workers.

    No more batches that a long job leads run at a time than an engine is best at. Express workers
    only take short jobs, and only while no other worker is free and at least one of them is at a
    batch that a long one leads. For a moment the machine then has more threads than cores and
    shares itself out between them, which no batch can do once it runs.
    """

    def __init__(
        self,
        workers: int,
        *,
        limits: Limits | None = None,
        shares: Mapping[str, float] | None = None,
        long_lanes: Callable[[], int] | None = None,
    ) -> None:
        """`long_lanes` is how many long batches may run at a time: by default, as many as there are
        workers. What else: see `FairQueue`."""
        self._queue = FairQueue[Job](limits, shares)
        self._long_lanes = long_lanes or (lambda: workers)
        self._idle = workers
        """Workers without a batch, express ones not counted."""
        self._at_long = 0
        """Workers that are at a batch that a long job leads."""

    @property
    def queued_s(self) -> float:
        """Audio-seconds that wait."""
        return self._queue.queued_s

    def put(self, entry: Entry[Job], *, first: bool = False) -> None:
        """Add a job; `first` puts it before its request's others."""
        self._queue.put(entry, first=first)

    def cancel(self, ticket: Ticket) -> list[Entry[Job]]:
        """Forget a request's waiting jobs and return them."""
        return self._queue.cancel(ticket)

    def clear(self) -> list[Entry[Job]]:
        """Forget everything that waits and return it."""
        return self._queue.clear()

    def take(self, *, express: bool = False) -> Batch[Job] | None:
        """The next batch for a worker, which gives it back to `done`; None if there is none."""
        if express and (self._idle or not self._at_long):
            return None
        short_only = express or self._at_long >= self._long_lanes()
        leader = self._queue.leader(short_only=short_only)
        if leader is None:
            return None
        long = not leader.short
        entries = self._queue.take(idle=max(1, self._idle), short_only=short_only)
        if not express:
            self._idle -= 1
            self._at_long += long
        return Batch(entries, express, long)

    def done(self, batch: Batch[Job]) -> None:
        """The worker is free again."""
        if not batch.express:
            self._idle += 1
            self._at_long -= batch.long
