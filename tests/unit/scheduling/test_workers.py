"""Real threads in front of an engine that does what the test wrote down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import Any

import pytest

from myna.errors import BadRequest, EngineFailure
from myna.scheduling.queue import Limits, Ticket
from myna.scheduling.workers import Workers

WAIT_S = 240
"""Long enough for any machine; only a test that fails waits for it."""


@dataclass(eq=False)
class Job:
    name: str
    key: str = "key"
    cost_s: float = 8.0
    tries: int = 1
    """How often it has to be run until it is done."""


@dataclass
class Engine:
    """A runner that notes its batches; `outcomes` may be replaced."""

    outcomes: Callable[[Sequence[Job]], Sequence[Any]] | None = None
    batches: list[list[str]] = field(default_factory=list)

    def batch_key(self, job: Job) -> Hashable:
        return job.key

    def cost_s(self, job: Job) -> float:
        return job.cost_s

    def run(self, jobs: Sequence[Job]) -> Sequence[Any]:
        self.batches.append([job.name for job in jobs])
        return (self.outcomes or self.done)(jobs)

    def done(self, jobs: Sequence[Job]) -> list[Any]:
        for job in jobs:
            job.tries -= 1
        return [job if job.tries > 0 else f"{job.name} is done" for job in jobs]


@dataclass
class Gate:
    """Holds the engine in its first batch until the test opens it."""

    engine: Engine
    entered: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def hold(self, jobs: Sequence[Job]) -> Sequence[Any]:
        self.entered.set()
        assert self.opened.wait(WAIT_S)
        return self.engine.done(jobs)


Start = Callable[..., Workers[Job, str]]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def gate(engine: Engine) -> Iterator[Gate]:
    gate = Gate(engine)
    engine.outcomes = gate.hold
    yield gate
    gate.opened.set()


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Workers over the engine, closed after the test."""
    started: list[Workers[Job, str]] = []

    def make(threads: int = 1, batch_limit: int = 8) -> Workers[Job, str]:
        workers = Workers[Job, str](engine, threads=threads, limits=Limits(batch_limit))
        workers.start()
        started.append(workers)
        return workers

    yield make
    for workers in started:
        workers.close()


def result(future: Future[str]) -> str:
    return future.result(WAIT_S)


def hold_first(workers: Workers[Job, str], gate: Gate, job: Job | None = None) -> Future[str]:
    """Keep a worker busy, so that what is submitted next waits."""
    future = workers.submit(Ticket(), job or Job("first"))
    assert gate.entered.wait(WAIT_S)
    return future


def test_each_future_gets_its_own_result(start):
    workers = start(threads=2)
    futures = [workers.submit(Ticket(), Job(f"job {number}")) for number in range(20)]
    assert [result(future) for future in futures] == [f"job {n} is done" for n in range(20)]


def test_what_waits_meanwhile_shares_the_next_batch(start, engine, gate):
    workers = start()
    first = hold_first(workers, gate)
    others = [workers.submit(Ticket(), Job(name)) for name in ("a", "b", "c")]
    assert workers.queued_s == 24
    gate.opened.set()
    for future in (first, *others):
        result(future)
    assert engine.batches == [["first"], ["a", "b", "c"]]
    assert workers.queued_s == 0


def test_batches_keep_to_their_limit_and_key(start, engine, gate):
    workers = start(batch_limit=2)
    first, ticket = hold_first(workers, gate), Ticket()
    jobs = [Job("a"), Job("b"), Job("c"), Job("d", key="other")]
    others = [workers.submit(ticket, job) for job in jobs]
    gate.opened.set()
    for future in (first, *others):
        result(future)
    assert engine.batches == [["first"], ["a", "b"], ["c"], ["d"]]


def test_a_job_that_is_given_back_runs_again_before_its_requests_others(start, engine, gate):
    workers, ticket = start(batch_limit=1), Ticket()
    hold_first(workers, gate)
    again = workers.submit(ticket, Job("again", tries=3))
    other = workers.submit(ticket, Job("other"))
    gate.opened.set()
    assert (result(again), result(other)) == ("again is done", "other is done")
    assert engine.batches == [["first"], ["again"], ["again"], ["again"], ["other"]]


def test_the_rest_of_a_batch_does_not_wait_for_a_job_that_is_tried_again(start, engine, gate):
    workers = start()
    hold_first(workers, gate)
    again, other = (
        workers.submit(Ticket(), Job("again", tries=2)),
        workers.submit(Ticket(), Job("other")),
    )
    gate.opened.set()
    for future in (again, other):
        result(future)
    assert engine.batches == [["first"], ["again", "other"], ["again"]]


def test_a_job_that_is_tried_again_has_its_new_key(start, engine, gate):
    def longer(jobs: Sequence[Job]) -> list[Any]:
        for job in jobs:
            job.key, job.cost_s = "full length", 30.0
        return engine.done(jobs)

    workers = start()
    hold_first(workers, gate)
    futures = [workers.submit(Ticket(), Job(name, tries=2)) for name in ("a", "b")]
    futures.append(workers.submit(Ticket(), Job("c", key="full length")))
    engine.outcomes = longer
    gate.opened.set()
    for future in futures:
        result(future)
    assert engine.batches[1:] in ([["a", "b"], ["c", "a", "b"]], [["a", "b"], ["c"], ["a", "b"]])


def test_an_error_of_one_job_is_its_own(start, engine, gate):
    workers = start()
    hold_first(workers, gate)
    engine.outcomes = lambda _jobs: [BadRequest("no"), "fine", RuntimeError("odd")]
    no, fine, odd = (workers.submit(Ticket(), Job(name)) for name in ("no", "fine", "odd"))
    gate.opened.set()
    assert isinstance(no.exception(WAIT_S), BadRequest)
    assert result(fine) == "fine"
    assert isinstance(odd.exception(WAIT_S), RuntimeError)


def test_an_engine_that_raises_fails_its_batch_and_the_thread_lives_on(start, engine, gate, caplog):
    def broken(jobs: Sequence[Job]) -> Sequence[Any]:
        raise RuntimeError("secret words of a client")

    workers = start()
    hold_first(workers, gate)
    engine.outcomes = broken
    failing = [workers.submit(Ticket(), Job(name)) for name in ("a", "b")]
    gate.opened.set()
    for future in failing:
        failure = future.exception(WAIT_S)
        assert isinstance(failure, EngineFailure)
        assert "secret" not in failure.message
    assert "batch of 2" in caplog.text
    engine.outcomes = None
    assert result(workers.submit(Ticket(), Job("next"))) == "next is done"


def test_an_error_in_our_words_is_passed_on(start, engine):
    def refused(jobs: Sequence[Job]) -> Sequence[Any]:
        raise BadRequest("speak up", param="input")

    engine.outcomes = refused
    failure = start().submit(Ticket(), Job("a")).exception(WAIT_S)
    assert isinstance(failure, BadRequest)
    assert failure.message == "speak up"


@pytest.mark.parametrize("outcomes", [[], ["one"], ["one", "two", "three"]])
def test_an_engine_that_miscounts_fails_its_batch_and_the_thread_lives_on(
    outcomes, start, engine, gate, caplog
):
    workers = start()
    hold_first(workers, gate)
    engine.outcomes = lambda _jobs: outcomes
    futures = [workers.submit(Ticket(), Job(name)) for name in ("a", "b")]
    gate.opened.set()
    done, _ = wait_for(futures, timeout=WAIT_S)
    assert done == set(futures)
    assert all(isinstance(future.exception(), EngineFailure) for future in futures)
    engine.outcomes = None
    assert result(workers.submit(Ticket(), Job("next"))) == "next is done"


def test_an_engine_that_cannot_take_a_job_back_fails_it_and_the_thread_lives_on(
    start, engine, caplog
):
    class Unwilling(Engine):
        def batch_key(self, job: Job) -> Hashable:
            if job.name == "again" and self.batches:
                raise RuntimeError("no key")
            return job.key

    unwilling = Unwilling()
    workers = Workers[Job, str](unwilling, threads=1)
    workers.start()
    try:
        again = workers.submit(Ticket(), Job("again", tries=2))
        done, _ = wait_for([again], timeout=WAIT_S)
        assert done
        assert isinstance(again.exception(), EngineFailure)
        assert result(workers.submit(Ticket(), Job("next"))) == "next is done"
    finally:
        workers.close()


def test_as_many_batches_run_at_a_time_as_there_are_threads(start, engine):
    together = threading.Barrier(3)

    def meet(jobs: Sequence[Job]) -> Sequence[Any]:
        together.wait(WAIT_S)
        return engine.done(jobs)

    engine.outcomes = meet
    workers = start(threads=3, batch_limit=1)
    futures = [workers.submit(Ticket(), Job(str(number))) for number in range(3)]
    assert [result(future) for future in futures] == ["0 is done", "1 is done", "2 is done"]


def test_a_client_that_leaves_takes_its_waiting_jobs_along(start, engine, gate):
    workers, gone = start(), Ticket()
    first = hold_first(workers, gate)
    leaving = [workers.submit(gone, Job("gone")) for _ in range(3)]
    staying = workers.submit(Ticket(), Job("stays"))
    workers.cancel(gone)
    assert all(future.cancelled() for future in leaving)
    assert workers.queued_s == 8
    gate.opened.set()
    assert (result(first), result(staying)) == ("first is done", "stays is done")
    assert engine.batches == [["first"], ["stays"]]


def test_a_running_job_is_not_tried_again_once_its_client_has_left(start, engine, gate):
    workers, gone = start(), Ticket()
    running = workers.submit(gone, Job("gone", tries=5))
    assert gate.entered.wait(WAIT_S)
    workers.cancel(gone)
    gate.opened.set()
    with pytest.raises(CancelledError):
        result(running)
    assert result(workers.submit(Ticket(), Job("next"))) == "next is done"
    assert engine.batches == [["gone"], ["next"]]


def test_a_result_that_nobody_waits_for_any_more_is_dropped(start, engine, gate):
    workers = start()
    first = hold_first(workers, gate)
    assert first.cancel()
    gate.opened.set()
    assert result(workers.submit(Ticket(), Job("next"))) == "next is done"
    assert first.cancelled()


@pytest.mark.parametrize("state", ["cancelled", "closed"])
def test_a_job_that_comes_too_late_is_cancelled(state, start, engine):
    workers, ticket = start(), Ticket()
    if state == "closed":
        workers.close()
    else:
        workers.cancel(ticket)
    assert workers.submit(ticket, Job("late")).cancelled()
    assert engine.batches == []


def until_closing(start: Start, engine: Engine) -> tuple[Workers[Job, str], threading.Event]:
    """Workers whose first batch, once the event is set, ends only when they are being closed."""
    entered = threading.Event()

    def hold(jobs: Sequence[Job]) -> Sequence[Any]:
        entered.set()
        with workers._changed:
            assert workers._changed.wait_for(lambda: workers._closed, WAIT_S)
        return engine.done(jobs)

    engine.outcomes = hold
    workers = start()
    return workers, entered


def test_closing_lets_the_running_batch_end_and_cancels_what_waits(start, engine):
    workers, entered = until_closing(start, engine)
    first, again = workers.submit(Ticket(), Job("first")), Job("again", tries=2)
    assert entered.wait(WAIT_S)
    waiting = [workers.submit(Ticket(), Job("waits")), workers.submit(Ticket(), again)]
    workers.close()
    assert result(first) == "first is done"
    assert all(future.cancelled() for future in waiting)
    assert engine.batches == [["first"]]


def test_closing_cancels_a_running_job_that_would_be_tried_again(start, engine):
    workers, entered = until_closing(start, engine)
    again = workers.submit(Ticket(), Job("again", tries=2))
    assert entered.wait(WAIT_S)
    workers.close()
    assert again.cancelled()


def test_workers_that_never_started_can_be_closed(engine):
    workers = Workers[Job, str](engine, threads=2)
    waiting = workers.submit(Ticket(), Job("waits"))
    workers.close()
    assert waiting.cancelled()


def test_many_threads_and_tries_lose_nothing(start, engine):
    workers = start(threads=4, batch_limit=3)
    jobs = [Job(str(n), key=f"key {n % 3}", cost_s=1 + n % 5, tries=1 + n % 4) for n in range(200)]
    tickets = [Ticket() for _ in range(7)]
    futures = [workers.submit(tickets[n % 7], job) for n, job in enumerate(jobs)]
    assert [result(future) for future in futures] == [f"{job.name} is done" for job in jobs]
    runs = [name for batch in engine.batches for name in batch]
    assert all(runs.count(str(n)) == 1 + n % 4 for n in range(200))


@dataclass
class Notes:
    """What a request and the server hear of the work."""

    id: str = "req_1"
    stages: list[tuple[str, float]] = field(default_factory=list)
    batches: list[tuple[str, int, float, float]] = field(default_factory=list)

    def stage(self, stage: str, begun_s: float, ended_s: float) -> None:
        self.stages.append((stage, ended_s - begun_s))

    def audio(self, seconds: float) -> None: ...

    def failed(self, code: str) -> None: ...

    def ran(self, model: str, size: int, audio_s: float, seconds: float) -> None:
        self.batches.append((model, size, audio_s, seconds))


def test_a_request_hears_how_long_each_try_waited(start: Start):
    notes = Notes()
    start().submit(Ticket(record=notes), Job("a", tries=2)).result(WAIT_S)
    assert [stage for stage, _ in notes.stages] == ["queue", "queue"]
    assert all(waited_s >= 0 for _, waited_s in notes.stages)


def test_an_observer_hears_of_every_batch_and_its_audio(engine: Engine, gate: Gate):
    notes = Notes()
    workers = Workers[Job, str](engine, threads=1, name="whisper", observer=notes)
    workers.start()
    first = hold_first(workers, gate)
    others = [workers.submit(Ticket(), Job(name, cost_s=3.0)) for name in "bc"]
    assert (workers.queued_s, workers.running_s) == (6.0, 8.0)
    gate.opened.set()
    wait_for([first, *others], WAIT_S)
    workers.close()
    assert [batch[:3] for batch in notes.batches] == [("whisper", 1, 8.0), ("whisper", 2, 6.0)]
    assert (workers.queued_s, workers.running_s) == (0.0, 0.0)


def test_the_log_of_a_broken_batch_names_its_requests(start: Start, engine: Engine, caplog):
    def broken(jobs: Sequence[Job]) -> Sequence[Any]:
        raise RuntimeError("out of memory")

    engine.outcomes = broken
    with pytest.raises(EngineFailure):
        start().submit(Ticket(record=Notes("req_77")), Job("a")).result(WAIT_S)
    assert "req_77" in caplog.text
