"""Who is served next: schedules made up by hypothesis, played without threads or a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.scheduling.queue import Entry, FairQueue, Limits, Ticket

TICKETS = 5
KEYS = ("short", "long")


def job(ticket: Ticket, name: str, cost_s: float = 8.0, key: str = "short") -> Entry[str]:
    return Entry(ticket, name, key, cost_s)


def names(batch: list[Entry[str]]) -> list[str]:
    return [entry.job for entry in batch]


def drain(queue: FairQueue[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    while batch := queue.take():
        batches.append(names(batch))
    return batches


# A schedule is a list of these; what cannot be done (nothing to try again) is skipped.
puts = st.tuples(
    st.just("put"),
    st.integers(0, TICKETS - 1),
    st.sampled_from(KEYS),
    st.sampled_from([0.5, 8.0, 30.0, 200.0]),
)
takes = st.tuples(st.just("take"), st.just(0), st.just(""), st.just(0.0))
cancels = st.tuples(st.just("cancel"), st.integers(0, TICKETS - 1), st.just(""), st.just(0.0))
retries = st.tuples(st.just("retry"), st.integers(0, 7), st.sampled_from(KEYS), st.just(30.0))
schedules = st.lists(st.one_of(puts, puts, puts, takes, takes, retries, cancels), max_size=60)


@dataclass
class Simulation:
    """The queue beside a plain model of what has to come out of it."""

    queue: FairQueue[int]
    tickets: list[Ticket] = field(default_factory=lambda: [Ticket() for _ in range(TICKETS)])
    expected: list[deque[int]] = field(default_factory=lambda: [deque() for _ in range(TICKETS)])
    last_batch: list[Entry[int]] = field(default_factory=list)
    keys: dict[int, str] = field(default_factory=dict)
    put_so_far: int = 0
    served: list[int] = field(default_factory=list)

    def play(self, kind: str, number: int, key: str, cost_s: float) -> None:
        steps: dict[str, Callable[[], None]] = {
            "put": lambda: self.put(number, key, cost_s),
            "take": self.take,
            "cancel": lambda: self.cancel(number),
            "retry": lambda: self.retry(number, key, cost_s),
        }
        steps[kind]()
        assert len(self.queue) == sum(map(len, self.expected))

    def put(self, number: int, key: str, cost_s: float) -> None:
        if self.tickets[number].cancelled:
            self.tickets[number] = Ticket()  # another client
        self.queue.put(Entry(self.tickets[number], self.put_so_far, key, cost_s))
        self.expected[number].append(self.put_so_far)
        self.keys[self.put_so_far] = key
        self.put_so_far += 1

    def take(self) -> None:
        waiting = any(self.expected)
        batch = self.queue.take()
        assert bool(batch) is waiting
        if batch:
            assert len({entry.key for entry in batch}) == 1
            assert len(batch) <= self.queue.limits.jobs
            cost_s = sum(entry.cost_s for entry in batch)
            assert cost_s <= self.queue.limits.seconds or len(batch) == 1
        for entry in batch:
            assert not entry.ticket.cancelled
            expected = self.expected[self.tickets.index(entry.ticket)]
            alike = [number for number in expected if self.keys[number] == entry.key]
            assert entry.job == alike[0]  # those of one request and key keep their order
            expected.remove(entry.job)
            self.served.append(entry.job)
        self.last_batch = batch

    def cancel(self, number: int) -> None:
        dropped = self.queue.cancel(self.tickets[number])
        assert [entry.job for entry in dropped] == list(self.expected[number])
        self.expected[number].clear()

    def retry(self, number: int, key: str, cost_s: float) -> None:
        if number >= len(self.last_batch):
            return
        entry = self.last_batch.pop(number)
        if entry.ticket.cancelled:
            return
        entry.key, entry.cost_s = key, cost_s
        self.queue.put(entry, first=True)
        self.expected[self.tickets.index(entry.ticket)].appendleft(entry.job)
        self.served.remove(entry.job)
        self.keys[entry.job] = key


@settings(max_examples=200)
@given(schedules, st.integers(1, 8), st.sampled_from([10.0, 60.0, 120.0]))
def test_no_schedule_loses_a_job_or_serves_one_twice_or_mixes_a_batch(schedule, limit, limit_s):
    simulation = Simulation(FairQueue(Limits(limit, limit_s, limit_s)))
    for step in schedule:
        simulation.play(*step)
    while any(simulation.expected):
        simulation.play("take", 0, "", 0.0)
    assert simulation.queue.take() == []
    assert simulation.queue.queued_s == 0
    assert len(set(simulation.served)) == len(simulation.served)


def test_an_empty_queue_gives_an_empty_batch():
    queue = FairQueue[str]()
    assert queue.take() == []
    assert (len(queue), queue.queued_s) == (0, 0)


def test_what_waits_is_counted_in_jobs_and_audio_seconds():
    queue, ticket = FairQueue[str](), Ticket()
    queue.put(job(ticket, "a", 8))
    queue.put(job(Ticket(), "b", 30, "long"))
    assert (len(queue), queue.queued_s) == (2, 38)
    queue.cancel(ticket)
    assert (len(queue), queue.queued_s) == (1, 30)


def test_a_short_clip_does_not_wait_behind_an_hour_of_audio():
    queue, long = FairQueue[str](limits=Limits(8)), Ticket()
    for number in range(120):
        queue.put(job(long, f"hour {number}", 30, "long"))
    queue.take()
    queue.put(job(Ticket(), "clip", 8))
    assert names(queue.take()) == ["clip"]


def test_a_clip_takes_no_long_requests_windows_along():
    """They would make it wait for the end of a larger batch."""
    queue, long = FairQueue[str](limits=Limits(3)), Ticket()
    for number in range(20):
        queue.put(job(long, f"hour {number}", 30))
    queue.take()
    queue.put(job(Ticket(), "clip"))
    queue.put(job(Ticket(), "other clip"))
    assert names(queue.take()) == ["clip", "other clip"]
    assert names(queue.take()) == ["hour 3", "hour 4", "hour 5"]


def test_a_long_request_takes_clips_along():
    queue, long = FairQueue[str](limits=Limits(3)), Ticket(given_s=60)
    clip = Ticket(served_s=5)
    queue.put(job(clip, "clip"))
    queue.put(job(long, "hour 0"))
    queue.put(job(long, "hour 1"))
    assert names(queue.take()) == ["hour 0", "clip", "hour 1"]


def test_workers_that_are_free_share_what_waits():
    queue, ticket = FairQueue[str](limits=Limits(8)), Ticket()
    for number in range(6):
        queue.put(job(ticket, str(number), 4))
    assert names(queue.take(idle=2)) == ["0", "1", "2"]
    assert names(queue.take(idle=1)) == ["3", "4", "5"]


def test_only_short_requests_may_be_asked_for():
    queue, long = FairQueue[str](), Ticket(given_s=30)
    queue.put(job(long, "hour"))
    assert queue.take(short_only=True) == []
    queue.put(job(Ticket(), "clip", key="long"))
    assert names(queue.take(short_only=True)) == ["clip"]
    assert names(queue.take()) == ["hour"]


def test_what_a_request_is_given_below_half_a_minute_is_short():
    queue, ticket = FairQueue[str](limits=Limits(1)), Ticket()
    for name in ("a", "b", "c"):
        queue.put(job(ticket, name, 12))
    assert names(queue.take(short_only=True)) == ["a"]
    assert names(queue.take(short_only=True)) == ["b"]
    assert queue.take(short_only=True) == []
    queue.put(job(Ticket(), "long from the start", 30))
    assert queue.take(short_only=True) == []


def test_callers_share_alike_however_many_requests_they_have():
    queue = FairQueue[str](limits=Limits(1))
    for number in range(10):
        ticket = Ticket("many")
        for _ in range(10):
            queue.put(job(ticket, "many", key=str(number)))
    one = Ticket("one")
    for _ in range(100):
        queue.put(job(one, "one"))
    served = [name for _ in range(40) for name in names(queue.take())]
    assert served.count("one") == pytest.approx(20, abs=1)


@pytest.mark.parametrize("share", [3.0, 0.25])
def test_a_callers_share_is_what_it_gets_of_what_waits(share):
    queue = FairQueue[str](limits=Limits(1), shares={"big": share})
    callers = {name: [Ticket(name) for _ in range(40)] for name in ("big", "small")}
    for name, tickets in callers.items():
        for ticket in tickets:
            queue.put(job(ticket, name))
    served = [queue.take()[0].job for _ in range(40)]
    assert served.count("big") / served.count("small") == pytest.approx(share, rel=0.15)


def test_a_newcomer_with_a_small_share_is_not_starved_by_a_big_one():
    queue = FairQueue[str](limits=Limits(1), shares={"big": 10.0})
    for _ in range(100):
        queue.put(job(Ticket("big"), "big"))
    for _ in range(20):
        queue.take()
    queue.put(job(Ticket("small"), "small"))
    served = [queue.take()[0].job for _ in range(12)]
    assert "small" in served


def test_a_caller_earns_no_credit_while_it_is_away():
    queue, busy = FairQueue[str](limits=Limits(1)), Ticket("busy")
    for _ in range(100):
        queue.put(job(busy, "busy"))
    for _ in range(50):
        queue.take()
    fresh = Ticket("fresh")
    for _ in range(50):
        queue.put(job(fresh, "fresh"))
    served = [name for _ in range(20) for name in names(queue.take())]
    assert served.count("fresh") == pytest.approx(10, abs=2)


@pytest.mark.parametrize("keys", [("same", "same"), ("one", "other")])
def test_two_long_requests_are_served_alike(keys):
    queue = FairQueue[str](limits=Limits(4))
    tickets = {"a": Ticket(), "b": Ticket()}
    for (name, ticket), key in zip(tickets.items(), keys, strict=True):
        for _ in range(40):
            queue.put(job(ticket, name, 8, key))
    served = [name for _ in range(10) for name in names(queue.take())]
    assert served.count("a") == pytest.approx(served.count("b"), abs=4)


def test_cost_counts_and_not_the_number_of_jobs():
    queue, cheap, dear = FairQueue[str](limits=Limits(1)), Ticket(), Ticket()
    for _ in range(40):
        queue.put(job(cheap, "cheap", 2))
        queue.put(job(dear, "dear", 8))
    served = [name for _ in range(25) for name in names(queue.take())]
    assert served.count("cheap") == pytest.approx(4 * served.count("dear"), abs=4)


def test_twice_the_weight_is_twice_the_share():
    queue, light, heavy = FairQueue[str](limits=Limits(1)), Ticket(), Ticket(weight=2)
    for _ in range(40):
        queue.put(job(light, "light"))
        queue.put(job(heavy, "heavy"))
    served = [name for _ in range(30) for name in names(queue.take())]
    assert served.count("heavy") == pytest.approx(2 * served.count("light"), abs=2)


def test_idle_time_earns_no_credit():
    queue, idle, busy = FairQueue[str](limits=Limits(1)), Ticket(), Ticket()
    queue.put(job(idle, "idle"))
    queue.take()
    for _ in range(50):
        queue.put(job(busy, "busy"))
    for _ in range(30):
        queue.take()
    for _ in range(20):
        queue.put(job(idle, "idle"))
    served = [name for _ in range(10) for name in names(queue.take())]
    assert served.count("idle") <= 6


def test_a_long_request_is_not_starved_by_a_crowd_of_new_ones():
    """Eight clients that send their next clip as soon as they have an answer."""
    queue, long = FairQueue[str](limits=Limits(4)), Ticket()
    for _ in range(100):
        queue.put(job(long, "long"))
    queue.take()
    for _ in range(8):
        queue.put(job(Ticket(), "clip"))
    served: list[str] = []
    for _ in range(50):
        batch = names(queue.take())
        served += batch
        for _ in range(batch.count("clip")):
            queue.put(job(Ticket(), "clip"))
    assert served.count("long") >= 10  # its share of 200 among nine is 22


def test_a_job_that_is_tried_again_goes_before_its_requests_others():
    queue, ticket = FairQueue[str](limits=Limits(1)), Ticket()
    for name in ("a", "b", "c"):
        queue.put(job(ticket, name))
    (first,) = queue.take()
    queue.put(first, first=True)
    assert drain(queue) == [["a"], ["b"], ["c"]]


def test_a_job_that_is_tried_again_alone_is_served_again():
    queue, ticket = FairQueue[str](), Ticket()
    queue.put(job(ticket, "a"))
    (entry,) = queue.take()
    queue.put(entry, first=True)
    assert drain(queue) == [["a"]]


def test_a_batch_takes_a_requests_later_jobs_of_its_key_and_the_next_begins_with_its_first():
    """The windows of a recording differ in length; batches of one would cost it half its speed."""
    queue, ticket = FairQueue[str](), Ticket(given_s=60)
    for name, key in (("a", "short"), ("b", "long"), ("c", "short"), ("d", "long")):
        queue.put(job(ticket, name, 8, key))
    assert drain(queue) == [["a", "c"], ["b", "d"]]


def test_a_batch_gathers_jobs_of_one_key_across_requests():
    queue = FairQueue[str]()
    for name, key in (("a", "short"), ("b", "long"), ("c", "short"), ("d", "long")):
        queue.put(job(Ticket(), name, 8, key))
    assert drain(queue) == [["a", "c"], ["b", "d"]]


def test_a_batch_is_limited_in_jobs_and_in_audio_seconds():
    queue, ticket = FairQueue[str](Limits(3, 50, 50)), Ticket(given_s=60)
    for number in range(6):
        queue.put(job(ticket, str(number), 10 if number < 3 else 30))
    assert drain(queue) == [["0", "1", "2"], ["3"], ["4"], ["5"]]


def test_a_job_beyond_the_limit_goes_alone():
    queue = FairQueue[str](Limits(seconds=50, long_s=50))
    queue.put(job(Ticket(), "huge", 500))
    queue.put(job(Ticket(), "small", 1))
    assert drain(queue) == [["huge"], ["small"]]


def test_cancelling_takes_back_one_requests_jobs_only():
    queue, gone = FairQueue[str](), Ticket()
    queue.put(job(gone, "a"))
    queue.put(job(Ticket(), "b"))
    queue.put(job(gone, "c"))
    assert names(queue.cancel(gone)) == ["a", "c"]
    assert queue.cancel(gone) == []
    assert gone.cancelled
    assert drain(queue) == [["b"]]


def test_jobs_of_a_ticket_that_was_cancelled_elsewhere_are_dropped_when_met():
    queue, gone = FairQueue[str](), Ticket()
    queue.put(job(gone, "a"))
    gone.cancelled = True
    assert queue.take() == []
    assert len(queue) == 0


def test_a_live_ticket_goes_before_those_who_came_earlier() -> None:
    queue = FairQueue[str](limits=Limits(1))
    for number in range(5):
        queue.put(job(Ticket(), f"clip {number}"))
    queue.put(job(Ticket(live=True), "live"))
    assert drain(queue)[0] == ["live"]


def test_a_live_ticket_that_comes_back_goes_first_again() -> None:
    queue = FairQueue[str](limits=Limits(1))
    live = Ticket(live=True)
    for number in range(10):
        queue.put(job(live, "live"))
        assert names(queue.take()) == ["live"]
        for clip in range(4):
            queue.put(job(Ticket(), f"clip {number}.{clip}"))
        drain(queue)


def test_a_live_ticket_that_wants_more_than_its_share_starves_nobody() -> None:
    queue = FairQueue[str](limits=Limits(1))
    live, file = Ticket(live=True), Ticket()
    for _ in range(100):
        queue.put(job(live, "live"))
        queue.put(job(file, "file"))
    taken = [names(queue.take()) for _ in range(40)]
    assert taken.count(["file"]) >= 17


def test_a_live_ticket_stays_short_however_much_it_has_been_given() -> None:
    queue = FairQueue[str](limits=Limits(1))
    live = Ticket(live=True)
    for _ in range(20):
        queue.put(job(live, "live"))
        assert queue.take(short_only=True)


def test_a_window_tried_again_is_not_overtaken_by_a_shorter_one_of_its_kind():
    queue, again, other = FairQueue[str](), Ticket(), Ticket()
    queue.put(Entry(again, "second", "alike", 0.5))
    queue.put(Entry(again, "first, at full length", "alike", 30.0), first=True)
    queue.put(Entry(other, "another's", "alike", 0.5))
    batch = queue.take(short_only=True)
    assert [entry.job for entry in batch] == ["another's"]


def test_a_batch_that_a_long_job_leads_has_a_limit_of_its_own():
    queue, long = FairQueue[str](Limits(seconds=120.0, long_s=60.0)), Ticket(given_s=60.0)
    for number in range(5):
        queue.put(Entry(long, str(number), "alike", 30.0))
    assert [entry.job for entry in queue.take()] == ["0", "1"]
    queue, short = FairQueue[str](Limits(seconds=60.0, long_s=10.0)), Ticket()
    for number in range(5):
        queue.put(Entry(short, str(number), "alike", 5.0))
    assert len(queue.take()) == 5
