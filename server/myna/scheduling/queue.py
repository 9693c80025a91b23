"""The fair queue: who is served next, and with whom.

Requests are served by how much they have already been served (virtual time in audio-seconds), so a
three-second clip never waits behind an hour of audio. The queue is pure: no threads, no clock, no
engine; `worker` drives it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")


@dataclass(eq=False, slots=True)
class Ticket:
    """One request's place in the queue."""

    served_s: float = 0.0
    """Virtual time: audio-seconds that it has been served, over its weight."""
    weight: float = 1.0
    """A ticket of weight 2 gets twice the share."""
    cancelled: bool = False
    """The client left: its jobs are dropped when they are met."""


@dataclass(eq=False, slots=True)
class Entry(Generic[Job]):
    """A job that waits."""

    ticket: Ticket
    job: Job
    key: Hashable
    """Only entries with equal keys share a batch."""
    cost_s: float
    """Audio-seconds that it occupies in a batch, padding included."""


@dataclass(slots=True)
class FairQueue(Generic[Job]):
    """Jobs of many requests; those of one request keep their order."""

    batch_limit: int = 8
    """The most jobs in a batch."""
    batch_limit_s: float = 120.0
    """The most audio-seconds in a batch; a single larger job still goes alone."""
    _waiting: dict[Ticket, deque[Entry[Job]]] = field(
        default_factory=dict[Ticket, deque[Entry[Job]]]
    )
    _now_s: float = 0.0
    """Virtual time of the queue: where a newcomer starts."""

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._waiting.values())

    @property
    def queued_s(self) -> float:
        """Audio-seconds that wait."""
        return sum(entry.cost_s for entries in self._waiting.values() for entry in entries)

    def put(self, entry: Entry[Job], *, first: bool = False) -> None:
        """Add a job; `first` puts it before the ticket's other jobs (a window tried again)."""
        ticket = entry.ticket
        if ticket not in self._waiting:
            # Idle time earns no credit: a ticket that comes back starts from now.
            ticket.served_s = max(ticket.served_s, self._now_s)
            self._waiting[ticket] = deque()
        entries = self._waiting[ticket]
        if first:
            entries.appendleft(entry)
        else:
            entries.append(entry)

    def take(self) -> list[Entry[Job]]:
        """The next batch: the job that is due, and those that can go with it, in order of due-ness.

        Charges each ticket for what it gets. Empty when nothing waits.
        """
        self._drop_cancelled()
        if not self._waiting:
            return []
        leader = self._due()[0]
        start_s, weight = leader.served_s, sum(ticket.weight for ticket in self._waiting)
        key = self._waiting[leader][0].key
        batch: list[Entry[Job]] = []
        cost_s = 0.0
        while len(batch) < self.batch_limit:
            found = next((t for t in self._due() if self._waiting[t][0].key == key), None)
            if found is None:
                break
            entry = self._waiting[found][0]
            if batch and cost_s + entry.cost_s > self.batch_limit_s:
                break
            batch.append(self._pop(found))
            cost_s += entry.cost_s
        # Time passes for newcomers as it does for those who wait, else a steady stream of short
        # requests, each new and so each first, would keep a long one waiting for ever.
        self._now_s = max(start_s, self._now_s + cost_s / (weight + 1))
        return batch

    def cancel(self, ticket: Ticket) -> list[Entry[Job]]:
        """Forget the ticket's waiting jobs and return them."""
        ticket.cancelled = True
        return list(self._waiting.pop(ticket, ()))

    def clear(self) -> list[Entry[Job]]:
        """Forget everything and return it."""
        entries = [entry for waiting in self._waiting.values() for entry in waiting]
        self._waiting.clear()
        return entries

    def _due(self) -> list[Ticket]:
        return sorted(self._waiting, key=lambda ticket: ticket.served_s)

    def _pop(self, ticket: Ticket) -> Entry[Job]:
        entries = self._waiting[ticket]
        entry = entries.popleft()
        ticket.served_s += entry.cost_s / ticket.weight
        if not entries:
            del self._waiting[ticket]
        return entry

    def _drop_cancelled(self) -> None:
        for ticket in [ticket for ticket in self._waiting if ticket.cancelled]:
            del self._waiting[ticket]
