"""Schedules made up by hypothesis, played on simulated workers and a simulated clock."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.scheduling.dispatch import Batch, Dispatch
from myna.scheduling.queue import Entry, Limits, Ticket

LOOKAHEAD = 4
"""Windows of one request that wait or run at once."""
SPEED = 10.0
"""Audio-seconds a second of one simulated worker."""


@dataclass(eq=False)
class Asked:
    """One request of a schedule."""

    arrives_s: float
    windows: list[tuple[float, str, int]]
    """Cost, key, and how often it fails before it is done (9: for good)."""
    caller: str = ""
    leaves_s: float | None = None
    deadline_s: float | None = None
    ticket: Ticket = field(default_factory=Ticket)
    submitted: int = 0
    outcomes: dict[int, str] = field(default_factory=dict)
    delivered: list[int] = field(default_factory=list)
    over: str = ""


@dataclass(eq=False)
class Window:
    request: Asked
    number: int
    failures: int


class Simulation:
    """Everything but threads: clients, their windows in order, workers, and time."""

    def __init__(self, requests: list[Asked], workers: int, express: int, limit_s: float) -> None:
        self.requests = requests
        self.limit_s = limit_s
        self.dispatch = Dispatch[Window](workers, limits=Limits(4, limit_s, limit_s))
        self.free = {False: workers, True: express}
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.order = count()
        self.now_s = 0.0
        self.runs: Counter[tuple[int, int]] = Counter()
        self.running = 0
        self.most_running = 0

    def at(self, time_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (time_s, next(self.order), action))

    def play(self) -> None:
        for request in self.requests:
            request.ticket = Ticket(request.caller)
            self.at(request.arrives_s, lambda one=request: self.fill(one))
            for when_s, why in ((request.leaves_s, "left"), (request.deadline_s, "late")):
                if when_s is not None:
                    end_s = request.arrives_s + when_s
                    self.at(end_s, lambda one=request, why=why: self.end(one, why))
        while self.agenda:
            self.now_s, _, action = heapq.heappop(self.agenda)
            action()
            self.start_batches()

    def fill(self, request: Asked) -> None:
        """Submit windows as `Transcription` does: a bounded number ahead of the reader."""
        while (
            not request.over
            and request.submitted < len(request.windows)
            and request.submitted - len(request.delivered) < LOOKAHEAD
        ):
            cost_s, key, failures = request.windows[request.submitted]
            window = Window(request, request.submitted, failures)
            self.dispatch.put(Entry(request.ticket, window, key, cost_s))
            request.submitted += 1

    def end(self, request: Asked, why: str) -> None:
        if not request.over:
            request.over = why
            self.dispatch.cancel(request.ticket)

    def start_batches(self) -> None:
        for express in (False, True):
            while self.free[express]:
                batch = self.dispatch.take(express=express)
                if batch is None:
                    break
                self.check(batch)
                self.free[express] -= 1
                self.running += 1
                self.most_running = max(self.most_running, self.running)
                self.at(self.now_s + batch.seconds / SPEED, lambda one=batch: self.finish(one))

    def check(self, batch: Batch[Window]) -> None:
        entries = batch.entries
        assert entries
        assert len({entry.key for entry in entries}) == 1
        assert len(entries) <= 4
        assert batch.seconds <= self.limit_s or len(entries) == 1
        for entry in entries:
            assert not entry.job.request.over
            self.runs[id(entry.job.request), entry.job.number] += 1

    def finish(self, batch: Batch[Window]) -> None:
        self.dispatch.done(batch)
        self.free[batch.express] += 1
        self.running -= 1
        for entry in batch.entries:
            window, request = entry.job, entry.job.request
            if request.over:
                continue
            if 0 < window.failures < 9:
                window.failures -= 1
                self.dispatch.put(entry, first=True)
                continue
            request.outcomes[window.number] = "failed" if window.failures else "done"
            self.deliver(request)

    def deliver(self, request: Asked) -> None:
        while not request.over and (number := len(request.delivered)) in request.outcomes:
            if request.outcomes[number] == "failed":
                self.end(request, "failed")
                return
            request.delivered.append(number)
            if len(request.delivered) == len(request.windows):
                request.over = "answered"
        self.fill(request)


windows = st.tuples(
    st.sampled_from([2.0, 8.0, 30.0]),
    st.sampled_from(["8 s", "30 s"]),
    st.sampled_from([0, 0, 0, 0, 1, 2, 9]),
)
asked = st.builds(
    Asked,
    arrives_s=st.floats(0, 20),
    windows=st.lists(windows, min_size=1, max_size=12),
    caller=st.sampled_from(["", "a", "b"]),
    leaves_s=st.sampled_from([None, None, 0.0, 0.5, 3.0]),
    deadline_s=st.sampled_from([None, None, 2.0, 30.0]),
)


@settings(max_examples=300)
@given(
    st.lists(asked, min_size=1, max_size=12),
    st.integers(1, 3),
    st.integers(0, 1),
    st.sampled_from([10.0, 60.0, 120.0]),
)
def test_no_schedule_loses_a_window_runs_one_twice_or_leaves_a_request_waiting(
    requests, workers, express, limit_s
):
    simulation = Simulation(requests, workers, express, limit_s)
    simulation.play()
    assert simulation.dispatch.queued_s == 0
    assert simulation.free == {False: workers, True: express}
    assert simulation.most_running <= workers + express
    for request in requests:
        assert request.over  # nobody waits for ever
        assert request.delivered == list(range(len(request.delivered)))
        if request.over == "answered":
            assert len(request.delivered) == len(request.windows)
        for number, (_, _, failures) in enumerate(request.windows):
            allowed = 1 if failures == 9 else failures + 1
            assert simulation.runs[id(request), number] <= allowed
            if number in request.outcomes:
                assert simulation.runs[id(request), number] == allowed


@settings(max_examples=100)
@given(st.integers(1, 3), st.integers(0, 1), st.integers(1, 6))
def test_a_clip_is_answered_soon_however_long_the_files_beside_it(workers, express, files):
    """With an express worker it waits for nobody; without, for a batch of each file at most."""
    long = [Asked(0.0, [(30.0, "30 s", 0)] * 40, leaves_s=200.0) for _ in range(files)]
    clips = [Asked(5.0 + 7 * n, [(8.0, "8 s", 0)]) for n in range(8)]
    ended_s: dict[int, float] = {}

    class Timed(Simulation):
        def deliver(self, request: Asked) -> None:
            super().deliver(request)
            ended_s.setdefault(id(request), self.now_s)

    Timed([*long, *clips], workers, express, 120.0).play()
    for clip in clips:
        waited_s = ended_s[id(clip)] - clip.arrives_s
        allowed_s = 8.0 if express else 8.0 + 120.0 * (files + 1)
        assert waited_s <= allowed_s / SPEED + 0.01


def entry(ticket: Ticket, cost_s: float = 8.0) -> Entry[str]:
    return Entry(ticket, "job", "key", cost_s)


@pytest.fixture
def dispatch() -> Dispatch[str]:
    return Dispatch(workers=1)


def test_an_express_worker_has_nothing_to_do_while_another_is_free(dispatch):
    dispatch.put(entry(Ticket()))
    assert dispatch.take(express=True) is None
    assert dispatch.take() is not None


def test_an_express_worker_has_nothing_to_do_while_the_others_are_at_short_requests(dispatch):
    dispatch.put(entry(Ticket()))
    dispatch.take()
    dispatch.put(entry(Ticket()))
    assert dispatch.take(express=True) is None


def test_an_express_worker_takes_a_short_request_past_a_long_ones_batch(dispatch):
    long = Ticket(given_s=60)
    dispatch.put(entry(long))
    batch = dispatch.take()
    assert batch is not None
    assert batch.long
    dispatch.put(entry(long))
    assert dispatch.take(express=True) is None
    dispatch.put(entry(Ticket()))
    passed = dispatch.take(express=True)
    assert passed is not None
    assert passed.express
    dispatch.done(batch)
    assert dispatch.take(express=True) is None  # a worker is free again


def test_no_more_long_batches_run_at_a_time_than_the_engine_is_best_at():
    lanes = 1
    dispatch = Dispatch[str](2, limits=Limits(1), long_lanes=lambda: lanes)
    long = Ticket(given_s=60.0)
    for name in ("first", "second", "third"):
        dispatch.put(Entry(long, name, "key", 30.0))
    first = dispatch.take()
    assert first is not None
    assert dispatch.take() is None
    dispatch.put(Entry(Ticket(), "clip", "key", 3.0))
    beside = dispatch.take()
    assert beside is not None
    assert [entry.job for entry in beside.entries] == ["clip"]
    dispatch.done(beside)
    lanes = 2
    second = dispatch.take()
    assert second is not None
    assert [entry.job for entry in second.entries] == ["second"]
