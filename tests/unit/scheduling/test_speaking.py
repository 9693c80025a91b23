"""One request's text, piece by piece through a scripted voice."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from myna.audio.codecs import SPEECH_RATE_HZ, SpeechFormat, layout_of
from myna.audio.encode import to_pcm, wav_header
from myna.audio.joints import PAUSES_S, joined
from myna.audio.loudness import measured
from myna.engines.contract.samples import Samples
from myna.engines.contract.synthesizer import Stretch
from myna.engines.contract.voice import Voice
from myna.errors import BadRequest, EngineFailure
from myna.scheduling import speaking
from myna.scheduling.pieces import Made, PieceJob, PieceRunner, Utterance
from myna.scheduling.queue import Limits, Ticket
from myna.scheduling.speaking import SpeechService, Spoken
from myna.scheduling.workers import Workers
from myna.text.sentences import pieces
from myna.text.transcript import Word

WAIT_S = 240
JOE = Voice("joe", "Joe", "en-US")
TEXT = " ".join(
    f"This is sentence number {number}, and it is not a long one." for number in range(30)
)
PIECES = list(pieces(TEXT))


def sound(text: str) -> Samples:
    """A tenth of a second that differs from text to text."""
    return np.full(SPEECH_RATE_HZ // 10, len(text) / 1_000, np.float32)


def tone(seconds: float) -> Samples:
    at = np.arange(round(seconds * SPEECH_RATE_HZ)) / SPEECH_RATE_HZ
    return (0.02 * np.sin(2 * np.pi * 997 * at)).astype(np.float32)


def said(text: str, speed: float = 1.0) -> Samples:
    """What comes of it: three stretches, joined."""
    parts = [Stretch(part) for part in np.array_split(sound(text), 3)]
    return joined(parts, SPEECH_RATE_HZ, speed=speed).samples


@dataclass
class Singer:
    """A synthesizer; `sing` may be replaced."""

    sing: Callable[[str], Iterator[Stretch]] | None = None
    said: list[tuple[str, str, float]] = field(default_factory=list)
    name: str = "singer"
    sample_rate_hz: int = SPEECH_RATE_HZ
    voices: tuple[Voice, ...] = (JOE,)
    workers: int = 2
    times_words: bool = False

    def synthesize(
        self, text: str, voice: Voice, speed: float, *, words: bool = False
    ) -> Iterator[Stretch]:
        self.said.append((text, voice.id, speed))
        assert not words
        yield from (self.sing or self.sung)(text)

    def sung(self, text: str) -> Iterator[Stretch]:
        yield from (Stretch(part) for part in np.array_split(sound(text), 3))

    def warm_up(self) -> None:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError


Speak = Callable[..., AsyncIterator[Spoken]]


@pytest.fixture
def singer() -> Singer:
    return Singer()


@pytest.fixture
def workers(singer) -> Iterator[Workers[PieceJob, Made]]:
    workers = Workers[PieceJob, Made](PieceRunner(singer), threads=2, limits=Limits(1))
    workers.start()
    yield workers
    workers.close()


@pytest.fixture
def speak(singer, workers) -> Iterator[Speak]:
    with ThreadPoolExecutor(4) as threads:
        service = SpeechService(singer, workers, threads)

        def make(
            text: str = TEXT, speech_format: SpeechFormat = "pcm", speed: float = 1.0
        ) -> AsyncIterator[Spoken]:
            return service.speak(Utterance(text, JOE, speed, layout_of(speech_format)))

        yield make


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; what asyncio would only have logged is a failure."""
    complaints: list[str] = []

    async def watched() -> Any:
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: complaints.append(f"{context['message']}: {context}")
        )
        try:
            return await main
        finally:
            gc.collect()
            await asyncio.sleep(0)

    result = asyncio.run(watched())
    gc.collect()
    assert complaints == []
    return result


async def collect(stream: AsyncIterator[Spoken], found: list[Spoken]) -> None:
    async for spoken in stream:
        found.append(spoken)  # noqa: PERF401 - what comes before an error counts too


async def everything(stream: AsyncIterator[Spoken]) -> list[Spoken]:
    found: list[Spoken] = []
    await collect(stream, found)
    return found


async def in_thread(function: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, function)


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.001)


def pcm(texts: list[str]) -> bytes:
    return b"".join(to_pcm(said(text)).tobytes() for text in texts)


def audio(found: list[Spoken]) -> bytes:
    return b"".join(spoken.data for spoken in found)


def test_the_text_has_several_pieces():
    assert len(PIECES) >= 6


def test_pieces_are_spoken_and_come_in_order(speak, singer):
    found = run(everything(speak()))
    assert audio(found) == pcm(PIECES)
    assert sorted(text for text, _, _ in singer.said) == sorted(PIECES)


def test_pieces_that_are_finished_out_of_order_come_in_order(speak, singer):
    third_done = threading.Event()

    def sing(text: str) -> Iterator[Stretch]:
        if text == PIECES[1]:
            assert third_done.wait(WAIT_S)
        yield from singer.sung(text)
        if text == PIECES[2]:
            third_done.set()

    singer.sing = sing
    assert audio(run(everything(speak()))) == pcm(PIECES)


class Starter(Singer):
    """One that gives the beginning of a piece first, and the rest when it may `go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.begun: list[str] = []

    def begin(self, text: str, voice: Voice, speed: float) -> Iterator[Stretch]:
        self.begun.append(text)
        self.said.append((text, voice.id, speed))
        whole = sound(text)
        yield Stretch(whole[: len(whole) // 2], "open")
        assert self.go_on.wait(WAIT_S)
        yield Stretch(whole[len(whole) // 2 :])


@pytest.fixture
def starter() -> Starter:
    return Starter()


@contextmanager
def serving(
    singer: Singer, *, threads: int = 2, loudness_lufs: float | None = None
) -> Iterator[SpeechService]:
    workers = Workers[PieceJob, Made](PieceRunner(singer), threads=threads, limits=Limits(1))
    workers.start()
    with ThreadPoolExecutor(4) as pool:
        yield SpeechService(singer, workers, pool, loudness_lufs=loudness_lufs)
    workers.close()


def utterance(text: str = TEXT) -> Utterance:
    return Utterance(text, JOE, 1.0, layout_of("pcm"))


def test_a_beginning_leaves_before_the_rest_of_its_sentence_is_made(starter):
    async def main() -> None:
        with serving(starter) as service:
            stream = service.speak(utterance())
            first = await anext(stream)
            assert 0.04 < first.seconds < 0.06
            starter.go_on.set()
            rest = await everything(stream)
            whole = joined([Stretch(sound(PIECES[0]))], SPEECH_RATE_HZ).samples
            assert first.data + rest[0].data == to_pcm(whole).tobytes()
            assert starter.begun == PIECES[:1], "only the first piece is hurried"
            assert audio(rest[1:]) == pcm(PIECES[1:])

    run(main())


@pytest.mark.parametrize("text", [PIECES[0], TEXT])
def test_while_others_wait_a_text_of_one_piece_is_made_whole(starter, text):
    """To begin is a little more work; of a long text it is little, and it has long to wait."""
    busy, go = threading.Event(), threading.Event()

    def sing(text: str) -> Iterator[Stretch]:
        busy.set()
        assert go.wait(WAIT_S)
        yield from starter.sung(text)

    starter.sing = sing
    starter.go_on.set()

    async def main() -> None:
        with serving(starter, threads=1) as service:
            others = [service.workers.submit(Ticket(), PieceJob(TEXT, utterance())) for _ in "ab"]
            assert await in_thread(lambda: busy.wait(WAIT_S))
            queued_s = service.workers.queued_s
            stream = asyncio.ensure_future(everything(service.speak(utterance(text))))
            await in_thread(lambda: wait_until(lambda: service.workers.queued_s > queued_s))
            go.set()
            await stream
            assert starter.begun == ([] if text == PIECES[0] else PIECES[:1])
            assert all(other.result() for other in others)

    run(main())


def test_a_voice_begins_early_once_it_is_known_how_loud_it_is(starter):
    starter.sing = lambda _text: iter([Stretch(tone(2.0))])
    starter.go_on.set()

    async def main() -> None:
        with serving(starter, loudness_lufs=-20.0) as service:
            await everything(service.speak(utterance()))
            assert starter.begun == []
            await everything(service.speak(utterance()))
            assert starter.begun == PIECES[:1]

    run(main())


def test_a_voice_that_was_tried_begins_early_at_its_first_request(starter):
    starter.sing = lambda _text: iter([Stretch(tone(2.0))])
    starter.go_on.set()

    async def main() -> None:
        with serving(starter, threads=1, loudness_lufs=-20.0) as service:
            service.get_to_know([JOE])
            await in_thread(lambda: wait_until(lambda: service.known(JOE)))
            assert len(starter.said) == 1
            await everything(service.speak(utterance()))
            assert starter.begun == PIECES[:1]

    run(main())


def test_who_asks_goes_before_voices_that_are_to_be_tried(starter):
    busy, go = threading.Event(), threading.Event()

    def sing(_text: str) -> Iterator[Stretch]:
        busy.set()
        assert go.wait(WAIT_S)
        yield Stretch(tone(2.0))

    starter.sing = sing
    starter.go_on.set()
    choir = [Voice(name, name, "en-US") for name in ("alto", "tenor", "bass", "treble")]

    async def main() -> None:
        with serving(starter, threads=1, loudness_lufs=-20.0) as service:
            service.get_to_know(choir)
            assert await in_thread(lambda: busy.wait(WAIT_S))
            queued_s = service.workers.queued_s
            stream = asyncio.ensure_future(everything(service.speak(utterance(PIECES[0]), "key")))
            await in_thread(lambda: wait_until(lambda: service.workers.queued_s > queued_s))
            go.set()
            await stream
            await in_thread(lambda: wait_until(lambda: all(map(service.known, choir))))
            order = [voice for _, voice, _ in starter.said]
            assert order.index("joe") == 1
            assert sorted(order) == ["alto", "bass", "joe", "tenor", "treble"]

    run(main())


def test_a_voice_that_cannot_say_its_sample_speaks_all_the_same(starter):
    def sing(_text: str) -> Iterator[Stretch]:
        if not starter.said[1:]:
            raise EngineFailure("I only know letters")
        yield Stretch(tone(2.0))

    starter.sing = sing

    async def main() -> None:
        with serving(starter, threads=1, loudness_lufs=-20.0) as service:
            service.get_to_know([JOE])
            await in_thread(lambda: wait_until(lambda: bool(starter.said)))
            assert await everything(service.speak(utterance(PIECES[0])))

    run(main())


@pytest.mark.parametrize("loudness_lufs", [None, -20.0])
def test_an_engine_whose_loudness_need_not_be_known_has_no_voice_tried(singer, loudness_lufs):
    """It does not begin early, or its loudness is left alone."""
    voice = singer if loudness_lufs else Starter()
    with serving(voice, loudness_lufs=loudness_lufs) as service:
        service.get_to_know([JOE])
        assert service.workers.queued_s == service.workers.running_s == 0
    assert voice.said == []


def test_what_fails_after_its_beginning_ends_the_stream_with_the_error(starter, monkeypatch):
    def begin(text: str, voice: Voice, speed: float) -> Iterator[Stretch]:
        yield Stretch(sound(text), "open")
        raise EngineFailure("hoarse")

    monkeypatch.setattr(starter, "begin", begin)
    found: list[Spoken] = []

    async def main() -> None:
        with serving(starter) as service, pytest.raises(EngineFailure, match="hoarse"):
            await collect(service.speak(utterance()), found)

    run(main())
    assert [spoken.seconds for spoken in found] == [pytest.approx(0.1)]


def test_a_listener_who_leaves_after_the_beginning_leaves_nothing_behind(starter):
    async def main() -> None:
        with serving(starter, threads=1) as service:
            stream = service.speak(utterance())
            await anext(stream)
            starter.go_on.set()
            await stream.aclose()
            assert service.workers.queued_s == 0

    run(main())
    assert len(starter.said) == 1


def test_voice_and_speed_reach_the_engine(speak, singer):
    run(everything(speak("Hello there.", speed=1.5)))
    assert singer.said == [("Hello there.", "joe", 1.5)]


def test_the_seconds_add_up_to_the_audio(speak):
    found = run(everything(speak()))
    each_s = 0.1 + 3 * PAUSES_S["sentence"]
    assert sum(spoken.seconds for spoken in found) == pytest.approx(len(PIECES) * each_s)


def test_a_header_comes_with_the_first_piece(speak):
    found = run(everything(speak(speech_format="wav")))
    assert found[0].data == wav_header() + pcm(PIECES[:1])


def test_the_first_piece_does_not_wait_for_the_last(speak, singer):
    go = threading.Event()

    def sing(text: str) -> Iterator[Stretch]:
        if text == PIECES[2]:
            assert go.wait(WAIT_S)
        yield from singer.sung(text)

    singer.sing = sing

    async def main() -> None:
        stream = speak()
        first = await anext(stream)
        assert first.data == pcm(PIECES[:1])
        go.set()
        await everything(stream)

    run(main())


def test_speech_is_brought_to_the_loudness_that_is_set(singer, workers):
    """The first piece decides; the joints of pieces are then no steps in loudness."""

    def sing(text: str) -> Iterator[Stretch]:
        yield Stretch(tone(1.0))

    singer.sing = sing
    with ThreadPoolExecutor(4) as threads:
        service = SpeechService(singer, workers, threads, loudness_lufs=-20.0)
        found = run(everything(service.speak(Utterance(TEXT, JOE, 1.0, layout_of("pcm")))))
    heard = [np.frombuffer(spoken.data, "<i2") / 32768 for spoken in found if spoken.data]
    assert len(heard) == len(PIECES)
    for samples in heard:
        lufs = measured(samples.astype(np.float32), SPEECH_RATE_HZ).lufs
        assert lufs == pytest.approx(-20, abs=0.5)
        assert np.array_equal(samples, heard[0])


def test_words_are_told_in_seconds_of_the_whole_stream(workers, singer):
    def synthesize(text, voice, speed, *, words):
        assert words
        yield Stretch(sound(text), words=(Word(text[:4], 0.02, 0.09, 1.0),))

    singer.times_words, singer.synthesize = True, synthesize
    with ThreadPoolExecutor(4) as threads:
        service = SpeechService(singer, workers, threads)
        asked = Utterance(TEXT, JOE, 1.0, layout_of("pcm"), words=True)
        found = run(everything(service.speak(asked)))
    told = [word for spoken in found for word in spoken.words]
    piece_s = 0.1 + PAUSES_S["sentence"]
    first, *rest = PIECES
    assert [word.text for word in told] == [first[:4], *(f" {text[:4]}" for text in rest)]
    assert [word.start_s for word in told] == pytest.approx(
        [0.02 + number * piece_s for number in range(len(PIECES))]
    )


def test_words_of_a_voice_that_does_not_know_them_are_refused_before_anything_is_made(
    workers, singer
):
    with ThreadPoolExecutor(4) as threads:
        service = SpeechService(singer, workers, threads)
        asked = Utterance(TEXT, JOE, 1.0, layout_of("pcm"), words=True)
        with pytest.raises(BadRequest, match="does not tell where its words are") as refused:
            run(everything(service.speak(asked)))
    assert refused.value.param == "timestamp_granularities"
    assert singer.said == []


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_to_say_is_a_moment_of_silence(text, speak, singer):
    """A file without any audio is none that players open."""
    assert not any(audio(run(everything(speak(text)))))
    assert singer.said == []


def test_a_piece_without_sound_is_no_error(speak, singer):
    singer.sing = lambda _text: iter(())
    found = run(everything(speak()))
    assert not any(audio(found))
    assert 0 < sum(spoken.seconds for spoken in found) < 1


def test_the_first_piece_is_alone_on_its_way_and_then_there_are_two(speak, singer, workers):
    go, running = threading.Event(), threading.Semaphore(0)

    def sing(text: str) -> Iterator[Stretch]:
        running.release()
        assert go.wait(WAIT_S)
        yield from singer.sung(text)

    singer.sing = sing

    async def main() -> None:
        stream = speak()
        first = asyncio.ensure_future(anext(stream))
        await in_thread(running.acquire)
        assert (len(singer.said), workers.queued_s) == (1, 0)
        go.set()
        await first
        assert len(singer.said) <= 2, "while the first is sent off there is one more"
        await everything(stream)

    run(main())


def test_an_engines_error_ends_the_stream_behind_what_was_spoken(speak, singer):
    def sing(text: str) -> Iterator[Stretch]:
        if text == PIECES[2]:
            raise EngineFailure("hoarse")
        yield from singer.sung(text)

    singer.sing = sing
    found: list[Spoken] = []

    async def main() -> None:
        with pytest.raises(EngineFailure, match="hoarse"):
            await collect(speak(), found)

    run(main())
    assert audio(found) == pcm(PIECES[:2])


def test_every_piece_may_fail_and_one_error_is_told(speak, singer, workers):
    together = threading.Barrier(2)

    def sing(text: str) -> Iterator[Stretch]:
        if text == PIECES[0]:
            yield from singer.sung(text)
            return
        together.wait(WAIT_S)
        raise EngineFailure("hoarse")

    singer.sing = sing

    async def main() -> None:
        with pytest.raises(EngineFailure, match="hoarse"):
            await everything(speak())
        await in_thread(workers.close)  # the second piece has failed as well now

    run(main())


def test_leaving_early_takes_back_the_pieces_that_wait(speak, singer, workers):
    go, running = threading.Event(), threading.Semaphore(0)

    def sing(text: str) -> Iterator[Stretch]:
        if text != PIECES[0]:
            running.release()
            assert go.wait(WAIT_S)
        yield from singer.sung(text)

    singer.sing = sing

    async def main() -> None:
        stream = speak()
        await anext(stream)
        await in_thread(running.acquire)
        await stream.aclose()
        assert workers.queued_s == 0
        go.set()
        await in_thread(workers.close)

    run(main())
    assert len(singer.said) <= 3


def test_a_piece_that_fails_after_the_client_has_left_troubles_nobody(speak, singer, workers):
    go, running = threading.Event(), threading.Semaphore(0)

    def sing(text: str) -> Iterator[Stretch]:
        if text == PIECES[0]:
            yield from singer.sung(text)
            return
        running.release()
        assert go.wait(WAIT_S)
        raise EngineFailure("hoarse")

    singer.sing = sing

    async def main() -> None:
        task = asyncio.create_task(everything(speak()))
        for _ in range(2):
            await in_thread(running.acquire)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        await in_thread(workers.close)

    run(main())


@dataclass
class Coder:
    """An encoder that stays in `encode` until it is let go, and notes who else comes in."""

    inside: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    calls: list[str] = field(default_factory=list)

    def encode(self, _samples: Samples) -> bytes:
        self.calls.append("encode")
        self.inside.set()
        assert self.go.wait(WAIT_S)
        self.calls.append("encoded")
        return b""

    def finish(self) -> bytes:
        self.calls.append("finish")
        return b""

    def close(self) -> None:
        self.calls.append("close")
        self.go.set()


def test_leaving_while_a_piece_is_encoded_closes_the_encoder_only_behind_it(speak, monkeypatch):
    """Codecs are not safe against being freed in the middle of a call from another thread."""
    coder = Coder()
    monkeypatch.setattr(speaking, "encoder", lambda _format, _rate_hz: coder)

    async def main() -> None:
        task = asyncio.create_task(everything(speak()))
        await in_thread(coder.inside.wait)
        task.cancel()
        # Whoever closes too early does it in this time; nobody is waited for otherwise.
        asyncio.get_running_loop().call_later(0.1, coder.go.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert coder.calls == ["encode", "encoded", "close"]


def service_of(singer: Singer, **options: Any) -> SpeechService:
    """One that is only asked for its pieces."""
    workers = Workers[PieceJob, Samples](PieceRunner(singer), threads=1, limits=Limits(1))
    return SpeechService(singer, workers, ThreadPoolExecutor(1), **options)


def texts(service: SpeechService, text: str, voice: Voice = JOE) -> list[str]:
    return [piece.said for piece in service.pieces(Utterance(text, voice, 1.0, layout_of("pcm")))]


def test_the_engine_is_given_the_text_as_it_is_said(singer) -> None:
    assert texts(service_of(singer), "**Now** for $5.") == ["Now for 5 dollars."]
    assert texts(service_of(singer, normalize=False), "**Now** for $5.") == ["**Now** for $5."]


WORDS = " ".join(["word"] * 60)


def test_text_that_is_given_as_it_is_gets_no_comma_where_it_is_cut(workers, singer) -> None:
    def asked(*, normalize: bool) -> list[str]:
        singer.said.clear()
        with ThreadPoolExecutor(4) as threads:
            service = SpeechService(singer, workers, threads, normalize=normalize)
            run(everything(service.speak(Utterance(WORDS, JOE, 1.0, layout_of("pcm")))))
        return [text for text, _, _ in singer.said]

    assert len([text for text in asked(normalize=True) if text.endswith("word,")]) > 1
    assert {word for text in asked(normalize=False) for word in text.split()} == {"word"}


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(
    ("text", "pause"),
    [
        (WORDS, "clause"),
        (
            "It was a long and quiet evening by the grey sea – nobody was there to say a word.",
            "clause",
        ),
        (
            "It was a long and quiet evening by the grey sea. Nobody was there to say a word.",
            "sentence",
        ),
        (
            "it was a long and quiet evening by the grey sea. nobody was there to say a word.",
            "sentence",
        ),
    ],
    ids=["no mark", "a dash", "a stop", "a stop among small letters"],
)
def test_behind_a_piece_is_the_pause_of_what_it_ends(
    workers, singer, text, pause, normalize
) -> None:
    """Whatever the engine says, to which each text that it gets is one of its own."""
    with ThreadPoolExecutor(4) as threads:
        service = SpeechService(singer, workers, threads, normalize=normalize)
        first, *_, last = run(
            everything(service.speak(Utterance(text, JOE, 1.0, layout_of("pcm"))))
        )[:-1]
    inside_s = 2 * PAUSES_S["sentence"]  # between the three stretches of a piece
    assert first.seconds == pytest.approx(0.1 + inside_s + PAUSES_S[pause], abs=0.001)
    assert last.seconds == pytest.approx(0.1 + 3 * PAUSES_S["sentence"], abs=0.001)


def test_a_voice_of_another_language_says_no_english_words(singer) -> None:
    siwis = Voice("siwis", "Siwis", "fr-FR")
    assert texts(service_of(singer), "**Cela** coûte $5.", siwis) == ["Cela coûte $5."]


def test_the_first_piece_is_as_long_as_the_engine_asks_for(singer) -> None:
    for first_chars in (20, 80):
        first, second, *_ = texts(service_of(singer, first_chars=first_chars), WORDS)
        assert first_chars / 2 <= len(first) <= 1.5 * first_chars
        assert len(second) > len(first)
        assert first.endswith("word,")  # the voice does not fall inside a sentence


def test_a_text_of_mere_markup_is_refused_before_anything_is_sent(speak) -> None:
    async def main() -> None:
        with pytest.raises(BadRequest) as refused:
            await anext(speak("<speak><break/></speak>"))
        assert refused.value.param == "input"

    run(main())
