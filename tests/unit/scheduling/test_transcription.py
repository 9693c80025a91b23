"""One request's way through windows, a scripted engine and back; the file is noise and silence."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Coroutine, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from myna.audio.activity import FRAME, AnySound
from myna.audio.windows import Cutting
from myna.engines.contract.samples import SAMPLE_RATE_HZ
from myna.engines.contract.transcriber import DecodingOptions, WindowJob, WindowResult
from myna.errors import AudioTooShort, ClientGone, EngineFailure, UnsupportedAudio
from myna.scheduling.transcription import Progress, Transcription, TranscriptionService
from myna.scheduling.workers import Workers
from myna.text.transcript import Segment

WAIT_S = 240
PHRASE_S = 32 * FRAME / SAMPLE_RATE_HZ
"""Length of a phrase, and of the silence behind it."""
PERIOD_S = 2 * PHRASE_S
CUTTING = Cutting(lead_s=0, tail_s=0, pause_s=0.5)
ENGLISH = DecodingOptions(language="en")


def phrases(count: int) -> np.ndarray:
    """Noise and silence in turn; each phrase becomes a window."""
    loud = np.random.default_rng(0).uniform(-0.5, 0.5, (count, 2, 32 * FRAME)).astype(np.float32)
    loud[:, 1] = 0
    return loud.reshape(-1)


class Recording:
    """Stands in for a decoded file; a `fault` is raised once its audio has been read."""

    declared_s = 12.5

    def __init__(self, samples: np.ndarray, fault: Exception | None = None) -> None:
        self.samples = samples
        self.fault = fault
        self.at = 0
        self.closed = threading.Event()

    def read(self, n_samples: int) -> np.ndarray:
        if self.closed.is_set():
            raise ClientGone("closed")
        found = self.samples[self.at : self.at + n_samples]
        self.at += len(found)
        if self.fault is not None and not len(found):
            raise self.fault
        return found

    def close(self) -> None:
        self.closed.set()


class Stuck(Recording):
    """A file whose decoding takes until it is closed."""

    def __init__(self) -> None:
        super().__init__(np.zeros(0, np.float32))
        self.reading = threading.Event()

    def read(self, _n_samples: int) -> np.ndarray:
        self.reading.set()
        assert self.closed.wait(WAIT_S)
        raise ClientGone("closed")


@dataclass
class Files:
    """The decoder: every descriptor is the same recording."""

    recording: Recording

    def open(self, _fd: int) -> Recording:
        return self.recording


def segment(start_s: float, end_s: float) -> Segment:
    return Segment(0, start_s, end_s, f" {start_s:.2f}", (1,), 0.0, -0.1, 1.0, 0.0)


def number(job: WindowJob) -> int:
    """Which phrase a window is."""
    return round(job.window.start_s / PERIOD_S)


@dataclass
class Engine:
    """Says each window's start; `hear` may be replaced."""

    hear: Callable[[WindowJob], WindowResult | Exception] | None = None
    jobs: list[WindowJob] = field(default_factory=list)
    prepared: list[WindowJob] = field(default_factory=list)
    workers: int = 1
    long_limit_s: float = 30.0
    lanes: int = 1

    def long_lanes(self) -> int:
        return self.lanes

    def prompt_tokens(self, options: DecodingOptions) -> int:
        return len((options.prompt or "").split())

    def prepare(self, job: WindowJob) -> None:
        self.prepared.append(job)

    def batch_key(self, job: WindowJob) -> Hashable:
        return id(job)

    def cost_s(self, job: WindowJob) -> float:
        return job.window.seconds

    def run(self, jobs: Sequence[WindowJob]) -> list[WindowResult | WindowJob | Exception]:
        assert all(any(job is one for one in self.prepared) for job in jobs)
        self.jobs += jobs
        return [(self.hear or self.said)(job) for job in jobs]

    def said(self, job: WindowJob, rest_from_s: float | None = None) -> WindowResult:
        start_s = job.window.start_s
        end_s = rest_from_s or start_s + job.window.seconds
        return WindowResult((segment(start_s, end_s),), job.options.language or "de", rest_from_s)


Open = Callable[..., Coroutine[Any, Any, Transcription]]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def workers(engine) -> Iterator[Workers[WindowJob, WindowResult]]:
    workers = Workers[WindowJob, WindowResult](engine, threads=2)
    workers.start()
    yield workers
    workers.close()


@pytest.fixture
def opened(engine, workers) -> Iterator[Open]:
    """A transcription of a recording, in windows of one phrase each."""
    with ThreadPoolExecutor(4) as threads:

        async def make(
            recording: Recording | np.ndarray, options: DecodingOptions = ENGLISH
        ) -> Transcription:
            if isinstance(recording, np.ndarray):
                recording = Recording(recording)
            service: Any = TranscriptionService
            service = service(engine, workers, Files(recording), AnySound, threads)
            return await service.open(0, options, CUTTING)

        yield make


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; what asyncio would only have logged is a failure."""
    complaints: list[str] = []

    async def watched() -> Any:
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: complaints.append(f"{context['message']}: {context}")
        )
        return await main

    result = asyncio.run(watched())
    gc.collect()
    assert complaints == []
    return result


async def in_thread(function: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, function)


async def collect(transcription: Transcription, found: list[Progress]) -> None:
    async for progress in transcription.progress():
        found.append(progress)  # noqa: PERF401 - what comes before an error counts too


async def progress_of(transcription: Transcription) -> list[Progress]:
    found: list[Progress] = []
    await collect(transcription, found)
    return found


def texts(count: int) -> str:
    return " ".join(f"{index * PERIOD_S:.2f}" for index in range(count))


def test_a_transcript_has_every_window_in_order(opened):
    async def main() -> None:
        transcript = await (await opened(phrases(20))).run()
        assert transcript.text == texts(20)
        assert transcript.duration_s == 20 * PERIOD_S
        assert (transcript.task, transcript.language) == ("transcribe", "en")
        assert not transcript.language_detected

    run(main())


def test_windows_that_finish_out_of_order_are_delivered_in_order(opened, engine):
    second_done = threading.Event()

    def hear(job: WindowJob) -> WindowResult:
        if number(job) == 0:
            assert second_done.wait(WAIT_S)
        elif number(job) == 1:
            second_done.set()
        return engine.said(job)

    engine.hear = hear

    async def main() -> None:
        transcription = await opened(phrases(4))
        found = await progress_of(transcription)
        starts = [segment.start_s for progress in found for segment in progress.segments]
        assert starts == sorted(starts)
        assert len(starts) == 4

    run(main())


def test_each_window_is_handed_to_the_engine_as_it_was_recorded(opened, engine):
    audio = phrases(3)

    async def main() -> None:
        await (await opened(audio)).run()

    run(main())
    for job in engine.jobs:
        start = round(job.window.start_s * SAMPLE_RATE_HZ)
        assert np.array_equal(job.window.samples, audio[start : start + len(job.window.samples)])


def test_the_first_window_finds_the_language_and_the_others_are_told(opened, engine):
    async def main() -> None:
        options = DecodingOptions(candidates=frozenset({"de", "en"}), prompt="two words")
        transcript = await (await opened(phrases(12), options)).run()
        assert transcript.language == "de"
        assert transcript.language_detected
        assert transcript.prompt_tokens == 2

    run(main())
    languages = {number(job): job.options.language for job in engine.jobs}
    assert languages == {0: None} | dict.fromkeys(range(1, 12), "de")
    assert {job.options.prompt for job in engine.jobs} == {"two words"}


def test_no_window_is_decoded_before_the_language_is_known(opened, engine):
    order: list[int] = []

    def hear(job: WindowJob) -> WindowResult:
        order.append(number(job))
        return engine.said(job)

    engine.hear = hear

    async def main() -> None:
        await (await opened(phrases(6), DecodingOptions())).run()

    run(main())
    assert order[0] == 0
    assert sorted(order) == list(range(6))


def test_a_given_language_is_told_to_every_window(opened, engine):
    async def main() -> None:
        await (await opened(phrases(3), DecodingOptions(language="fr"))).run()

    run(main())
    assert {job.options.language for job in engine.jobs} == {"fr"}


def test_a_window_that_did_not_fit_is_gone_on_with_where_the_engine_stopped(opened, engine):
    audio = phrases(2)
    stops = iter([0.25, 0.75])

    def hear(job: WindowJob) -> WindowResult:
        if job.window.start_s < PHRASE_S:
            return engine.said(job, next(stops, None))
        return engine.said(job)

    engine.hear = hear

    async def main() -> None:
        transcript = await (await opened(audio, DecodingOptions())).run()
        assert transcript.text == f"0.00 0.25 0.75 {PERIOD_S:.2f}"
        assert [segment.end_s for segment in transcript.segments[:2]] == [0.25, 0.75]

    run(main())
    jobs = sorted(engine.jobs, key=lambda job: job.window.start_s)
    assert [job.window.start_s for job in jobs] == [0, 0.25, 0.75, PERIOD_S]
    assert [job.options.language for job in jobs] == [None, "de", "de", "de"]
    for job in jobs[:3]:
        start = round(job.window.start_s * SAMPLE_RATE_HZ)
        assert np.array_equal(job.window.samples, audio[start : 32 * FRAME])


def test_progress_tells_how_much_is_done_and_ends_at_the_end(opened):
    async def main() -> None:
        transcription = await opened(phrases(30))
        assert transcription.declared_s == 12.5
        told = await progress_of(transcription)
        done = [progress.done_s for progress in told]
        # The end may come behind the last of them, by itself.
        assert [bool(progress.segments) for progress in told[:30]] == [True] * 30
        assert [progress.segments for progress in told[30:]] in ([], [()])
        assert done == sorted(done)
        assert done[-1] == 30 * PERIOD_S

    run(main())


def test_segments_come_before_the_file_has_been_read(opened):
    async def main() -> None:
        recording = Recording(phrases(400))
        progress = (await opened(recording)).progress()
        first = await anext(progress)
        assert first.segments[0].start_s == 0
        assert recording.at < len(recording.samples) / 2
        await progress.aclose()

    run(main())


@pytest.mark.parametrize(
    ("long_limit_s", "lanes", "fewest", "most"),
    [(4 * PHRASE_S, 1, 8, 9), (4 * PHRASE_S, 2, 12, 13), (1000.0, 1, 16, 31)],
)
def test_only_what_engine_and_a_batch_behind_take_of_a_request_is_in_memory(
    opened, engine, long_limit_s, lanes, fewest, most
):
    engine.long_limit_s, engine.lanes = long_limit_s, lanes
    go = threading.Event()

    def hear(job: WindowJob) -> WindowResult:
        assert go.wait(WAIT_S)
        return engine.said(job)

    engine.hear = hear

    async def main() -> None:
        recording = Recording(phrases(200))
        transcription = await opened(recording)
        await transcription._fill()
        assert fewest <= len(transcription._pending) <= most
        assert recording.at < len(recording.samples) / 4
        go.set()
        assert len(await progress_of(transcription)) == 200

    run(main())


def test_silence_is_an_empty_transcript_and_no_work(opened, engine):
    async def main() -> None:
        transcription = await opened(np.zeros(50_000, np.float32), DecodingOptions())
        assert await progress_of(transcription) == []
        assert transcription.transcript.segments == ()
        assert transcription.transcript.duration_s == 50_000 / SAMPLE_RATE_HZ

    run(main())
    assert engine.jobs == []


def test_too_little_audio_is_refused(opened):
    async def main() -> None:
        recording = Recording(phrases(1)[:1_000])
        with pytest.raises(AudioTooShort):
            await (await opened(recording)).run()
        assert recording.closed.is_set()

    run(main())


def test_a_file_that_breaks_off_fails_and_is_closed(opened):
    async def main() -> None:
        recording = Recording(phrases(20), fault=UnsupportedAudio("broken"))
        with pytest.raises(UnsupportedAudio, match="broken"):
            await (await opened(recording)).run()
        assert recording.closed.is_set()

    run(main())


@pytest.mark.parametrize("failing", [0, 2, 5])
@pytest.mark.parametrize("options", [ENGLISH, DecodingOptions()], ids=["given", "detected"])
def test_an_engines_error_ends_the_request_behind_what_was_said(opened, engine, failing, options):
    def hear(job: WindowJob) -> WindowResult | Exception:
        return EngineFailure("broken") if number(job) == failing else engine.said(job)

    engine.hear = hear

    async def main() -> None:
        recording = Recording(phrases(12))
        transcription = await opened(recording, options)
        found: list[Progress] = []
        with pytest.raises(EngineFailure, match="broken"):
            await collect(transcription, found)
        assert [progress.segments[0].start_s for progress in found] == pytest.approx(
            [index * PERIOD_S for index in range(failing)]
        )
        assert recording.closed.is_set()

    run(main())


def test_every_window_may_fail_and_one_error_is_told(opened, engine):
    engine.hear = lambda _job: EngineFailure("broken")

    async def main() -> None:
        with pytest.raises(EngineFailure):
            await (await opened(phrases(12))).run()

    run(main())


def test_features_that_cannot_be_made_fail_the_request(opened, engine):
    def prepare(job: WindowJob) -> None:
        raise ValueError("no features")

    engine.prepare = prepare

    async def main() -> None:
        with pytest.raises(ValueError, match="no features"):
            await (await opened(phrases(3))).run()

    run(main())


def test_leaving_early_takes_back_what_waits_and_closes_the_file(opened, engine, workers):
    go, begun, running = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hear(job: WindowJob) -> WindowResult:
        if number(job):
            begun.set()
            running.release()
            assert go.wait(WAIT_S)
        else:  # not before there is one for this thread, too: the next come when it is asked again
            assert begun.wait(WAIT_S)
            until_s = time.monotonic() + WAIT_S
            while not workers.queued_s:
                assert time.monotonic() < until_s
                time.sleep(0.001)
        return engine.said(job)

    engine.hear = hear

    async def main() -> None:
        recording = Recording(phrases(100))
        progress = (await opened(recording)).progress()
        await anext(progress)
        for _ in range(2):  # both threads
            await in_thread(running.acquire)
        await progress.aclose()
        assert recording.closed.is_set()
        assert workers.queued_s == 0
        go.set()

    run(main())
    workers.close()
    assert len(engine.jobs) == 3


def test_leaving_while_the_first_window_is_decoded_ends_the_waiting_for_its_language(
    opened, engine, workers
):
    go, running = threading.Event(), threading.Event()

    def hear(job: WindowJob) -> WindowResult:
        running.set()
        assert go.wait(WAIT_S)
        return engine.said(job)

    engine.hear = hear

    async def main() -> None:
        recording = Recording(phrases(12))
        task = asyncio.create_task((await opened(recording, DecodingOptions())).run())
        await in_thread(running.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert recording.closed.is_set()
        go.set()

    run(main())
    workers.close()
    assert len(engine.jobs) == 1


def test_leaving_while_the_file_is_being_read_stops_the_reading(opened):
    async def main() -> None:
        recording = Stuck()
        task = asyncio.create_task((await opened(recording)).run())
        await in_thread(recording.reading.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert recording.closed.is_set()

    run(main())


def test_one_request_that_leaves_does_not_disturb_another(opened, engine):
    async def main() -> None:
        leaving = (await opened(phrases(50))).progress()
        staying = asyncio.create_task((await opened(phrases(20))).run())
        await anext(leaving)
        await leaving.aclose()
        assert (await staying).text == texts(20)

    run(main())
