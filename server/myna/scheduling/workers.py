"""Threads that own an engine: take a batch, run it, deliver. Never on the event loop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

from myna.errors import EngineFailure, MynaError
from myna.scheduling.queue import Entry, FairQueue, Ticket

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


@dataclass(eq=False, slots=True)
class _Pending(Generic[Job, Result]):
    job: Job
    future: Future[Result]


class Workers(Generic[Job, Result]):
    """A fair queue in front of one engine, and the threads that empty it."""

    def __init__(
        self,
        runner: Runner[Job, Result],
        *,
        threads: int,
        batch_limit: int = 8,
        name: str = "engine",
    ) -> None:
        self._runner = runner
        self._queue = FairQueue[_Pending[Job, Result]](batch_limit)
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._loop, name=f"myna-{name}-{index}", daemon=True)
            for index in range(threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop after the batches that are running; jobs that wait are cancelled."""
        with self._changed:
            self._closed = True
            waiting = self._queue.clear()
            self._changed.notify_all()
        for entry in waiting:
            entry.job.future.cancel()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def submit(self, ticket: Ticket, job: Job) -> Future[Result]:
        """Queue a job; its result, or its error, comes with the future."""
        future: Future[Result] = Future()
        pending = _Pending(job, future)
        entry = Entry(ticket, pending, self._runner.batch_key(job), self._runner.cost_s(job))
        with self._changed:
            if self._closed or ticket.cancelled:
                future.cancel()
                return future
            self._queue.put(entry)
            self._changed.notify()
        return future

    def cancel(self, ticket: Ticket) -> None:
        """The client left: its waiting jobs free their places now, a running one at its end."""
        with self._changed:
            dropped = self._queue.cancel(ticket)
        for entry in dropped:
            entry.job.future.cancel()

    @property
    def queued_s(self) -> float:
        """Audio-seconds that wait."""
        with self._changed:
            return self._queue.queued_s

    def _loop(self) -> None:
        while batch := self._take():
            self._deliver(batch, self._run(batch))

    def _take(self) -> list[Entry[_Pending[Job, Result]]]:
        with self._changed:
            while not self._closed:
                if batch := self._queue.take():
                    return batch
                self._changed.wait()
            return []

    def _run(self, batch: list[Entry[_Pending[Job, Result]]]) -> Sequence[Result | Job | Exception]:
        try:
            return _whole(self._runner.run([entry.job.job for entry in batch]), len(batch))
        except MynaError as failure:
            return [failure for _ in batch]
        except Exception as failure:  # noqa: BLE001 - a worker outlives whatever an engine does
            _log.exception("engine failed on a batch of %d", len(batch))
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
            self._queue.put(entry, first=True)
            self._changed.notify()


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
