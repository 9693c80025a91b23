"""The fair queue: who is served next, and with whom.

Callers (API keys) and, within one caller, requests are served by how much they have already been
served, in virtual time counted in audio-seconds: a three-second clip never waits behind an hour of
audio, and a caller with a hundred files has no more than one with one. The queue is pure: no
threads, no clock, no engine; `workers` drives it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from myna.stages import UNRECORDED, Record

Job = TypeVar("Job")

SHORT_S = 30.0
"""What a request is given below this, one of Whisper's windows, somebody is likely to wait for."""
LIVE_CREDIT_S = 30.0
"""Audio-seconds of its share that a live conversation may keep for later: it goes before everybody
who has waited less than that, and gains nothing where it has more to say than its share."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One request's place in the queue."""

    caller: str = ""
    """Whose request it is; those of one caller share that caller's part."""
    weight: float = 1.0
    """A ticket of weight 2 gets twice the share."""
    live: bool = False
    """Somebody is speaking and waits for what is understood: always short, and with credit."""
    served_s: float = 0.0
    """Virtual time: audio-seconds that it has been served, over its weight."""
    given_s: float = 0.0
    """Audio-seconds that it has been given so far."""
    cancelled: bool = False
    """The client left: its jobs are dropped when they are met."""
    record: Record = UNRECORDED
    """Hears how long its jobs wait."""

    def __post_init__(self) -> None:
        """A live one begins with its credit."""
        if self.live:
            self.served_s -= LIVE_CREDIT_S


@dataclass(eq=False, slots=True)
class Entry(Generic[Job]):
    """A job that waits."""

    ticket: Ticket
    job: Job
    key: Hashable
    """Only entries with equal keys share a batch."""
    cost_s: float
    """Audio-seconds that it occupies in a batch, padding included."""

    @property
    def short(self) -> bool:
        """Whether it is one of a short request's, or of a longer one's first seconds."""
        return self.ticket.live or self.ticket.given_s + self.cost_s < SHORT_S


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a batch takes in; a single larger job still goes alone."""

    jobs: int = 8
    seconds: float = 120.0
    """Of audio."""
    long_s: float = 120.0
    """The same where a long job leads: nobody waits for it, but memory counts."""


@dataclass(slots=True)
class _Caller(Generic[Job]):
    """One caller's requests that wait. Kept for as long as the queue: keys are few."""

    share: float = 1.0
    served_s: float = 0.0
    """Virtual time: audio-seconds that it has been served, over its share."""
    now_s: float = 0.0
    """Virtual time among its requests: where a new one starts."""
    waiting: dict[Ticket, deque[Entry[Job]]] = field(
        default_factory=dict[Ticket, deque[Entry[Job]]]
    )


class FairQueue(Generic[Job]):
    """Jobs of many requests; those of one request and key keep their order."""

    def __init__(
        self,
        limits: Limits | None = None,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        """`shares` are those of callers; a share of 2 gets twice what one of 1 gets, which is what
        a caller has that is not in it."""
        self._shares = shares or {}
        self.limits = limits or Limits()
        self._callers: dict[str, _Caller[Job]] = {}
        self._now_s = 0.0
        """Virtual time among callers."""

    def __len__(self) -> int:
        return sum(1 for _ in self._entries())

    @property
    def queued_s(self) -> float:
        """Audio-seconds that wait."""
        return sum(entry.cost_s for entry in self._entries())

    def put(self, entry: Entry[Job], *, first: bool = False) -> None:
        """Add a job; `first` puts it before the ticket's other jobs (a window tried again)."""
        ticket = entry.ticket
        caller = self._callers.get(ticket.caller)
        if caller is None:
            share = self._shares.get(ticket.caller, 1.0)
            caller = self._callers[ticket.caller] = _Caller(share)
        # Idle time earns no credit but for the living: who comes back starts from now.
        if not caller.waiting:
            caller.served_s = max(caller.served_s, self._now_s)
        if ticket not in caller.waiting:
            start_s = caller.now_s - (LIVE_CREDIT_S if ticket.live else 0.0)
            ticket.served_s = max(ticket.served_s, start_s)
            caller.waiting[ticket] = deque()
        entries = caller.waiting[ticket]
        if first:
            entries.appendleft(entry)
        else:
            entries.append(entry)

    def leader(self, *, short_only: bool = False) -> Entry[Job] | None:
        """The job that is due, or the short one that is; None where none waits."""
        self._drop_cancelled()
        firsts = (self._callers[one.caller].waiting[one][0] for one in self._due())
        return next((entry for entry in firsts if entry.short or not short_only), None)

    def take(self, *, idle: int = 1, short_only: bool = False) -> list[Entry[Job]]:
        """The next batch: the job that is due, and those that can go with it, in order of due-ness.

        `idle` workers are there to share what waits, so that one does not take all of it;
        `short_only` passes over jobs that are not short. A batch that a short job leads takes in no
        long ones: they would make it wait. Charges everybody for what they get. Empty when nothing
        waits.
        """
        leader = self.leader(short_only=short_only)
        if leader is None:
            return []
        key, short_only = leader.key, leader.short
        alike = sum(
            1 for entry in self._entries() if entry.key == key and (entry.short or not short_only)
        )
        limit = min(self.limits.jobs, -(-alike // idle))
        limit_s = self.limits.seconds if leader.short else self.limits.long_s
        start_s = self._callers[leader.ticket.caller].served_s, leader.ticket.served_s
        batch: list[Entry[Job]] = []
        cost_s = 0.0
        while len(batch) < limit:
            entry = self._next(key, batch, short_only=short_only)
            if entry is None or (batch and cost_s + entry.cost_s > limit_s):
                break
            batch.append(entry)
            cost_s += entry.cost_s
            self._charge(entry)
        self._pass_time(batch, *start_s)
        for entry in batch:
            self._remove(entry)
        return batch

    def cancel(self, ticket: Ticket) -> list[Entry[Job]]:
        """Forget the ticket's waiting jobs and return them."""
        ticket.cancelled = True
        caller = self._callers.get(ticket.caller)
        return list(caller.waiting.pop(ticket, ())) if caller else []

    def clear(self) -> list[Entry[Job]]:
        """Forget everything and return it."""
        entries = list(self._entries())
        for caller in self._callers.values():
            caller.waiting.clear()
        return entries

    def _entries(self) -> Iterator[Entry[Job]]:
        for caller in self._callers.values():
            for entries in caller.waiting.values():
                yield from entries

    def _due(self) -> Iterator[Ticket]:
        """Waiting tickets, who has been served least first: the callers, then their requests."""
        for caller in sorted(self._callers.values(), key=lambda one: one.served_s):
            yield from sorted(caller.waiting, key=lambda one: one.served_s)

    def _next(
        self, key: Hashable, batch: list[Entry[Job]], *, short_only: bool
    ) -> Entry[Job] | None:
        """The most due job that may join `batch`, which is of this key.

        A request's later job may overtake an earlier one of another key: the earlier one leads a
        batch as soon as its request is due, and its caller puts results in order.
        """
        for ticket in self._due():
            waiting = self._callers[ticket.caller].waiting[ticket]
            first = next((one for one in waiting if one.key == key and one not in batch), None)
            if first is not None and (first.short or not short_only):
                return first
        return None

    def _charge(self, entry: Entry[Job]) -> None:
        ticket, caller = entry.ticket, self._callers[entry.ticket.caller]
        ticket.served_s += entry.cost_s / ticket.weight
        ticket.given_s += entry.cost_s
        caller.served_s += entry.cost_s / caller.share

    def _pass_time(self, batch: list[Entry[Job]], caller_s: float, ticket_s: float) -> None:
        """Time passes for newcomers as it does for those who wait, else a steady stream of short
        requests, each new and so each first, would keep a long one waiting for ever.

        `caller_s` and `ticket_s` are where the leader of the batch stood before it.
        """
        total_s = sum(entry.cost_s for entry in batch)
        waiting = sum(caller.share for caller in self._callers.values() if caller.waiting)
        self._now_s = max(caller_s, self._now_s + total_s / (waiting + 1))
        leader = batch[0].ticket.caller
        for name in {entry.ticket.caller for entry in batch}:
            caller = self._callers[name]
            own_s = sum(entry.cost_s for entry in batch if entry.ticket.caller == name)
            passed_s = own_s / (sum(ticket.weight for ticket in caller.waiting) + 1)
            caller.now_s = max(caller.now_s + passed_s, ticket_s if name == leader else 0.0)

    def _remove(self, entry: Entry[Job]) -> None:
        waiting = self._callers[entry.ticket.caller].waiting
        waiting[entry.ticket].remove(entry)
        if not waiting[entry.ticket]:
            del waiting[entry.ticket]

    def _drop_cancelled(self) -> None:
        for caller in self._callers.values():
            for ticket in [ticket for ticket in caller.waiting if ticket.cancelled]:
                del caller.waiting[ticket]
