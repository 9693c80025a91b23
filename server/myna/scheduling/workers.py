"""Threads that own an engine: take a batch, run it, deliver. Never on the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

from myna.errors import EngineFailure, MynaError, Overloaded
from myna.scheduling.dispatch import Batch, Dispatch
from myna.scheduling.queue import Entry, Limits, Ticket
from myna.scheduling.speed import Speedometer

Job = TypeVar("Job")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

_log = logging.getLogger(__name__)


class Runner(Protocol[Job, Result_co]):
    """The part of an engine that workers know."""

    def batch_key(self, job: Job) -> Hashable:
        """Only jobs with equal keys share a batch."""
        ...

    def cost_s(self, job: Job) -> float:
        """Audio-seconds that the job occupies."""
        ...

    def run(self, jobs: Sequence[Job]) -> Sequence[Result_co | Job | Exception]:
        """One outcome a job, in order; a job given back is queued again."""
        ...


class Observer(Protocol):
    """Hears of what workers do; called from their threads."""

    def ran(self, model: str, size: int, audio_s: float, seconds: float) -> None:
        """A batch of `size` jobs with `audio_s` in them took `seconds`."""
        ...


@dataclass(eq=False, slots=True)
class _Pending(Generic[Job, Result]):
    job: Job
    future: Future[Result]
    since_s: float
    """When it was queued, by `time.perf_counter`."""


class Workers(Generic[Job, Result]):
    """A fair queue in front of one engine, and the threads that empty it."""

    def __init__(
        self,
        runner: Runner[Job, Result],
        *,
        threads: int,
        express: int = 0,
        limits: Limits | None = None,
        long_lanes: Callable[[], int] | None = None,
        name: str = "engine",
        observer: Observer | None = None,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        """`express` threads come on top, for short requests behind long ones, and no more than
        `long_lanes` are at long ones (see `dispatch`); `limits` are those of a batch, `shares`
        those of callers (see `queue`)."""
        self._runner = runner
        self._name = name
        self._observer = observer
        self._dispatch = Dispatch[_Pending[Job, Result]](
            threads, limits=limits, shares=shares, long_lanes=long_lanes
        )
        self._changed = threading.Condition()
        self._closed = False
        self._speed = Speedometer()
        self._running_s = 0.0
        self._threads = [
            threading.Thread(
                target=self._loop,
                args=(index >= threads,),
                name=f"myna-{name}-{index}",
                daemon=True,
            )
            for index in range(threads + express)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop after the batches that are running; jobs that wait are cancelled."""
        with self._changed:
            self._closed = True
            waiting = self._dispatch.clear()
            self._changed.notify_all()
        for entry in waiting:
            entry.job.future.cancel()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def submit(self, ticket: Ticket, job: Job) -> Future[Result]:
        """Queue a job; its result, or its error, comes with the future."""
        future: Future[Result] = Future()
        pending = _Pending(job, future, time.perf_counter())
        entry = Entry(ticket, pending, self._runner.batch_key(job), self._runner.cost_s(job))
        with self._changed:
            if self._closed or ticket.cancelled:
                future.cancel()
                return future
            self._dispatch.put(entry)
            self._changed.notify_all()
        return future

    async def outcome(self, future: Future[Result]) -> Result:
        """Wait for a job on the event loop.

        Raises:
            Overloaded: the engine is being unloaded.
        """
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if future.cancelled() and task is not None and not task.cancelling():
                raise Overloaded(f"{self._name} is being unloaded") from None
            raise

    def cancel(self, ticket: Ticket) -> None:
        """The client left: its waiting jobs free their places now, a running one at its end."""
        with self._changed:
            dropped = self._dispatch.cancel(ticket)
        for entry in dropped:
            entry.job.future.cancel()

    @property
    def queued_s(self) -> float:
        """Audio-seconds that wait."""
        with self._changed:
            return self._dispatch.queued_s

    @property
    def running_s(self) -> float:
        """Audio-seconds in batches that run."""
        with self._changed:
            return self._running_s

    @property
    def speed(self) -> float | None:
        """Audio-seconds a second that the engine has come to lately; None before its first."""
        with self._changed:
            return self._speed.rate()

    def _loop(self, express: bool) -> None:  # noqa: FBT001 - an argument of a thread
        while (batch := self._take(express=express)) is not None:
            begun_s = time.perf_counter()
            for entry in batch.entries:
                entry.ticket.record.stage("queue", entry.job.since_s, begun_s)
            outcomes = self._run(batch.entries)
            if self._observer is not None:
                seconds = time.perf_counter() - begun_s
                self._observer.ran(self._name, len(batch.entries), batch.seconds, seconds)
            with self._changed:
                self._running_s -= batch.seconds
                self._dispatch.done(batch)
                if batch.long:
                    self._changed.notify_all()  # others may have waited for its lane
                self._speed.end(batch.seconds)
            self._deliver(batch.entries, outcomes)

    def _take(self, *, express: bool) -> Batch[_Pending[Job, Result]] | None:
        """The next batch as soon as there is one for this thread; None when all is over."""
        with self._changed:
            while not self._closed:
                batch = self._dispatch.take(express=express)
                if batch is not None:
                    self._speed.begin()
                    self._running_s += batch.seconds
                    if batch.long:
                        self._changed.notify_all()  # the express threads may be wanted now
                    return batch
                self._changed.wait()
            return None

    def _run(self, batch: list[Entry[_Pending[Job, Result]]]) -> Sequence[Result | Job | Exception]:
        try:
            return _whole(self._runner.run([entry.job.job for entry in batch]), len(batch))
        except MynaError as failure:
            return [failure for _ in batch]
        except Exception as failure:  # noqa: BLE001 - a worker outlives whatever an engine does
            ids = sorted({entry.ticket.record.id for entry in batch} - {""})
            _log.exception(
                "%s failed on a batch of %d (%s)",
                self._name,
                len(batch),
                ", ".join(ids),
                extra={"fields": {"request_ids": ids}},
            )
            reason = f"the engine failed: {type(failure).__name__}"
            return [EngineFailure(reason) for _ in batch]

    def _deliver(
        self,
        batch: list[Entry[_Pending[Job, Result]]],
        outcomes: Sequence[Result | Job | Exception],
    ) -> None:
        for entry, outcome in zip(batch, outcomes, strict=True):
            pending = entry.job
            if pending.future.cancelled():
                continue
            if outcome is pending.job:
                self._again(entry)
            elif isinstance(outcome, Exception):
                _settle(pending.future, error=outcome)
            else:
                _settle(pending.future, result=cast("Result", outcome))

    def _again(self, entry: Entry[_Pending[Job, Result]]) -> None:
        job = entry.job.job
        entry.job.since_s = time.perf_counter()
        try:
            entry.key, entry.cost_s = self._runner.batch_key(job), self._runner.cost_s(job)
        except Exception as failure:  # noqa: BLE001 - a worker outlives whatever an engine does
            _log.exception("engine failed on a job that it gave back")
            reason = f"the engine failed: {type(failure).__name__}"
            _settle(entry.job.future, error=EngineFailure(reason))
            return
        with self._changed:
            if self._closed or entry.ticket.cancelled:
                entry.job.future.cancel()
                return
            self._dispatch.put(entry, first=True)
            self._changed.notify_all()


def _settle(
    future: Future[Result], *, result: Result | None = None, error: Exception | None = None
) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(cast("Result", result))


def _whole(
    outcomes: Sequence[Result | Job | Exception], expected: int
) -> Sequence[Result | Job | Exception]:
    if len(outcomes) != expected:
        raise EngineFailure(f"the engine gave {len(outcomes)} results for {expected} jobs")
    return outcomes
