"""One request's speakers beside its transcription; conversations in the fake engine's tone code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import soxr

from myna.audio.activity import AnySound
from myna.audio.windows import Cutting
from myna.engines.contract.diarizer import SpeakerOptions
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Window
from myna.engines.contract.transcriber import DecodingOptions
from myna.engines.fake import FakeSynthesizer, FakeTranscriber
from myna.engines.fake_diarizer import FakeDiarizer
from myna.errors import EngineFailure, Overloaded
from myna.scheduling.diarization import DiarizationService, Hearing, ListeningRunner
from myna.scheduling.queue import Limits
from myna.scheduling.transcription import Transcription, TranscriptionService
from myna.scheduling.workers import Workers
from myna.text.transcript import Segment, Transcript

WAIT_S = 240
WORDS = DecodingOptions(language="en", word_timestamps=True)
TALK = (
    ("alloy", "Who is there at this late hour?"),
    ("echo", "Only me with a letter."),
    ("alloy", "Then come in and sit down."),
)


def spoken(*lines: tuple[str, str]) -> np.ndarray:
    speaker = FakeSynthesizer()
    voices = {voice.id: voice for voice in speaker.voices}
    blocks = [
        stretch.samples
        for who, text in lines
        for stretch in speaker.synthesize(text, voices[who], 1.0)
    ]
    return soxr.resample(np.concatenate(blocks), speaker.sample_rate_hz, SAMPLE_RATE_HZ)


@dataclass
class Recording:
    samples: np.ndarray
    at: int = 0
    declared_s: float | None = None

    def read(self, n_samples: int) -> np.ndarray:
        found = self.samples[self.at : self.at + n_samples]
        self.at += len(found)
        return found

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Files:
    """The decoder: every descriptor is the same recording."""

    recording: Recording
    opened: int = 0

    def open(self, _fd: int) -> Recording:
        self.opened += 1
        return self.recording


@dataclass
class Ears(FakeDiarizer):
    """Waits for `go` with windows from `holds_from_s` on, for `late_go` (if any) with all of them,
    and can be made to fail."""

    go: threading.Event = field(default_factory=threading.Event)
    late_go: threading.Event | None = None
    begun: threading.Event = field(default_factory=threading.Event)
    heard: list[float] = field(default_factory=list)
    fault: Exception | None = None
    holds_from_s: float = 0.0
    name: str = "ears"

    def hear(self, window: Window) -> Any:
        self.begun.set()
        assert self.late_go is None or self.late_go.wait(WAIT_S)
        assert window.start_s < self.holds_from_s or self.go.wait(WAIT_S)
        self.heard.append(window.start_s)
        if self.fault:
            raise self.fault
        return super().hear(window)


@pytest.fixture
def ears() -> Ears:
    found = Ears()
    found.go.set()
    return found


@dataclass
class Scene:
    """A recording, and everything that listens to it."""

    files: Files
    service: TranscriptionService
    diarization: DiarizationService

    def hearing(self, **options: Any) -> Hearing:
        return self.diarization.begin(SpeakerOptions(**options))

    async def opened(self, hearing: Hearing) -> Transcription:
        return await self.service.open(0, WORDS, Cutting(), hearing=hearing)

    def run(self, **options: Any) -> Transcript:
        async def whole() -> Transcript:
            transcription = await self.opened(self.hearing(**options))
            return await transcription.run()

        return asyncio.run(whole())


@pytest.fixture
def scene(ears) -> Iterator[Callable[[np.ndarray], Scene]]:
    engine = FakeTranscriber()
    workers = Workers(engine, threads=1)
    listening = Workers(ListeningRunner(), threads=1, limits=Limits(1), name="ears")
    workers.start()
    listening.start()
    with ThreadPoolExecutor(2) as threads:

        def made(samples: np.ndarray) -> Scene:
            files = Files(Recording(samples))
            service = TranscriptionService(engine, workers, files, AnySound, threads)
            return Scene(files, service, DiarizationService(ears, listening, threads))

        yield made
        ears.go.set()
        workers.close()
        listening.close()


def lines(segments: tuple[Segment, ...]) -> list[tuple[str, str]]:
    """Neighbouring segments of one speaker as one."""
    found: list[tuple[str, str]] = []
    for one in segments:
        if found and found[-1][0] == one.speaker:
            found[-1] = (one.speaker, found[-1][1] + one.text)
        else:
            found.append((one.speaker, one.text))
    return [(who, text.strip()) for who, text in found]


@pytest.mark.parametrize("live", [False, True])
def test_everybody_says_what_they_said(scene, live):
    transcript = scene(spoken(*TALK)).run(live=live)
    names = {"alloy": "A", "echo": "B"}
    assert lines(transcript.segments) == [(names[who], text) for who, text in TALK]
    assert transcript.text == " ".join(text for _, text in TALK)


def test_the_file_is_decoded_once_and_every_window_heard_once(scene, ears):
    samples = spoken(*TALK * 3)
    made = scene(samples)
    made.run()
    assert made.files.opened == 1
    assert ears.heard == list(np.arange(0, len(samples) / SAMPLE_RATE_HZ, ears.step_s))


def test_segments_come_live_before_the_recording_has_been_heard(scene, ears):
    ears.go.clear()
    ears.holds_from_s = 30.0
    made = scene(np.concatenate([spoken(*TALK), np.zeros(30 * SAMPLE_RATE_HZ)]))
    assert asyncio.run(first_speaker(made, made.hearing(live=True))) == "A"
    assert max(ears.heard) < ears.holds_from_s


async def first_speaker(made: Scene, hearing: Hearing) -> str:
    transcription = await made.opened(hearing)
    async with aclosing(transcription.progress()) as progress:
        async for one in progress:
            if one.segments:
                return one.segments[0].speaker
    raise AssertionError("nothing was said")


def test_they_do_where_all_was_written_down_before_anything_was_heard(scene, ears):
    ears.go.clear()
    ears.holds_from_s, ears.late_go = 30.0, threading.Event()
    made = scene(np.concatenate([spoken(*TALK), np.zeros(30 * SAMPLE_RATE_HZ)]))
    hearing = made.hearing(live=True)
    rest = hearing.rest

    def resting() -> Any:
        ears.late_go.set()
        return rest()

    hearing.rest = resting
    assert asyncio.run(first_speaker(made, hearing)) == "A"
    assert max(ears.heard) < ears.holds_from_s


def test_decoding_waits_for_ears_that_are_slow(scene, ears):
    """Of an hour of silence too: no window of it waits for Whisper, those for the ears would."""
    ears.go.clear()
    made = scene(np.zeros(3600 * SAMPLE_RATE_HZ, np.float32))

    async def read() -> float:
        transcription = await made.opened(made.hearing())
        reading = asyncio.ensure_future(transcription.run())
        await asyncio.to_thread(ears.begun.wait, WAIT_S)
        before = -1
        while before != made.files.recording.at:
            before = made.files.recording.at
            await asyncio.sleep(0.2)
        ears.go.set()
        await reading
        return before / SAMPLE_RATE_HZ

    assert asyncio.run(read()) < 100


def test_who_leaves_takes_back_what_waits(scene, ears):
    ears.go.clear()
    made = scene(spoken(*TALK * 20))

    async def leave() -> None:
        transcription = await made.opened(made.hearing())
        reading = asyncio.ensure_future(transcription.run())
        await asyncio.to_thread(ears.begun.wait, WAIT_S)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    asyncio.run(leave())
    assert made.diarization.workers.queued_s == 0
    ears.go.set()
    asyncio.run(made.diarization.voice(np.ones(SAMPLE_RATE_HZ, np.float32)))
    assert len(ears.heard) == 1


def test_ears_that_fail_fail_the_request(scene, ears):
    ears.fault = EngineFailure("deaf")
    with pytest.raises(EngineFailure, match="deaf"):
        scene(spoken(*TALK)).run()


def until_closed(workers) -> None:
    with workers._changed:
        assert workers._changed.wait_for(lambda: workers._closed, WAIT_S)


def test_ears_that_are_unloaded_are_no_fault_of_the_request(scene, ears):
    ears.go.clear()
    made = scene(spoken(*TALK * 5))

    async def unload() -> None:
        transcription = await made.opened(made.hearing())
        reading = asyncio.ensure_future(transcription.run())
        await asyncio.to_thread(ears.begun.wait, WAIT_S)
        closing = asyncio.to_thread(made.diarization.close)
        closing = asyncio.ensure_future(closing)
        await asyncio.to_thread(until_closed, made.diarization.workers)
        ears.go.set()
        await closing
        await reading

    with pytest.raises(Overloaded, match="ears is being unloaded"):
        asyncio.run(unload())


def test_silence_has_no_segments(scene):
    assert scene(np.zeros(8 * SAMPLE_RATE_HZ, np.float32)).run().segments == ()
