"""One request's text, piece by piece through an engine, and out as encoded audio."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TypeVar

import numpy as np

from myna.audio.codecs import layout_of
from myna.audio.encode import SpeechEncoder, encoder
from myna.audio.joints import Piece
from myna.audio.loudness import Leveller, VoiceLoudness
from myna.engines.contract.samples import Samples
from myna.engines.contract.synthesizer import QuickStarter, Synthesizer
from myna.engines.contract.voice import Voice
from myna.errors import BadRequest, EngineFailure, MynaError
from myna.scheduling.pieces import Line, Made, PieceJob, Utterance
from myna.scheduling.queue import Ticket
from myna.scheduling.workers import Workers
from myna.stages import UNRECORDED, Record
from myna.text.samples import sample
from myna.text.sentences import FIRST_CHARS, cuts, speakable
from myna.text.sentences import Piece as TextPiece
from myna.text.spoken import spoken
from myna.text.written import Original, SpokenWord

T = TypeVar("T")

_log = logging.getLogger(__name__)

_FAST = 8.0
"""Seconds of speech a second from which on a first piece, which is up to four seconds, may begin
with a third of a second."""

_SILENCE_S = 0.25
"""What a text of nothing but emoji comes to: a valid file with nothing in it."""


class SpeechService:
    """What the edge calls: an utterance in, encoded audio out as it is made."""

    def __init__(
        self,
        engine: Synthesizer,
        workers: Workers[PieceJob, Made],
        threads: Executor,
        *,
        first_chars: int = FIRST_CHARS,
        normalize: bool = True,
        loudness_lufs: float | None = None,
    ) -> None:
        """Utterances are brought to `loudness_lufs`; None leaves what the engine makes."""
        self.engine = engine
        self.workers = workers
        self._threads = threads
        self._loudness_lufs = loudness_lufs
        self._first_chars = first_chars
        self._normalize = normalize
        self._heard = _Heard()

    def get_to_know(self, voices: Iterable[Voice]) -> None:
        """Have each voice say its sample sentence, unheard, so that also the first that it is asked
        for can begin early. Returns at once; nothing is done for an engine that never begins early,
        or where loudness does not matter."""
        if self._loudness_lufs is not None and isinstance(self.engine, QuickStarter):
            self._try(deque(voices))

    def _try(self, voices: deque[Voice]) -> None:
        """One after the other, so that never more than one is in front of what is asked for."""
        while voices:
            voice = voices.popleft()
            text = sample(voice.language)
            if text and not self.known(voice):
                trial = PieceJob(text, Utterance(text, voice, 1.0, layout_of("pcm")))
                future = self.workers.submit(Ticket(), trial)
                future.add_done_callback(partial(self._tried, voice, voices))
                return

    def known(self, voice: Voice) -> bool:
        """Whether it is known how loud a voice is."""
        return self._heard.of(voice.id).lufs is not None

    def _tried(self, voice: Voice, others: deque[Voice], future: Future[Made]) -> None:
        if future.cancelled():
            return
        if (error := future.exception()) is not None:
            _log.info("the voice %s cannot say its sample: %s", voice.id, error)
        else:
            samples = future.result().piece.samples
            self._heard.of(voice.id).listen(samples, self.engine.sample_rate_hz)
        self._try(others)

    def pieces(self, utterance: Utterance) -> list[TextPiece]:
        """The text as it is said, in the pieces that the engine is given in turn.

        Raises:
            BadRequest: the text is nothing but markup.
        """
        _, pieces = self._script(utterance)
        return pieces

    def _script(self, utterance: Utterance) -> tuple[str, list[TextPiece]]:
        """The text as it is said, whole and cut."""
        said = self._reading(utterance)
        return said, list(cuts(said, first_chars=self._first_chars))

    def _reading(self, utterance: Utterance) -> str:
        if not self._normalize:
            return utterance.text
        text = spoken(utterance.text, utterance.voice.language)
        if speakable(utterance.text) and not speakable(text):
            raise BadRequest(
                "Invalid 'input': there is nothing to say but markup; give some words.",
                param="input",
            )
        return text

    def _job(self, piece: TextPiece, utterance: Utterance, record: Record) -> PieceJob:
        text = piece.said if self._normalize else piece.text
        return PieceJob(text, utterance, record, goes_on=piece.goes_on)

    async def speak(
        self, utterance: Utterance, caller: str = "", record: Record = UNRECORDED
    ) -> AsyncGenerator[Spoken]:
        """Encoded audio piece by piece, headers with the first, in the part of `caller`.

        Left early, it takes back the pieces that still wait.

        Raises:
            BadRequest: the text is nothing but markup, the voice cannot read it, or words are
                wanted of an engine that does not know where they are.
            MynaError: the engine or the encoder failed; what was yielded before is a valid
                beginning.
        """
        if utterance.words and not self.engine.times_words:
            raise BadRequest(
                f"The model {self.engine.name} does not tell where its words are; leave out "
                "'timestamp_granularities' and 'subtitles', or take another model.",
                param="timestamp_granularities",
            )
        ticket = Ticket(caller, record=record)
        voice = self._heard.of(utterance.voice.id)
        coder = _Coder(utterance, self.engine.sample_rate_hz, self._loudness_lufs, voice)
        line = Line(self.workers, ticket)
        spoken_s = 0.0
        try:
            said, texts = await self._call(lambda: self._script(utterance))
            soon = self._soon(voice, pieces=len(texts))
            line.wait([self._job(text, utterance, record) for text in texts], soon=soon)
            original = None
            if utterance.words:
                original = await self._call(lambda: Original(utterance.text, said))
            told = _Told(original, texts)
            while (made := await line.take()) is not None:
                begun_s = time.perf_counter()
                words = told.words(made, spoken_s)
                spoken = await self._encode(coder, made, words)
                record.stage("encode-out", begun_s, time.perf_counter())
                record.audio(spoken.seconds)
                spoken_s += spoken.seconds
                yield spoken
            if not spoken_s:
                rate_hz = self.engine.sample_rate_hz
                silence = Piece(np.zeros(int(_SILENCE_S * rate_hz), np.float32))
                yield await self._encode(coder, Made(silence), ())
            tail = await self._call(coder.finish)
            yield Spoken(tail, 0.0)
        finally:
            await line.leave()
            await self._call(coder.close)

    def _soon(self, voice: VoiceLoudness, *, pieces: int) -> bool:
        """Whether the first piece should start before it is made to its end. A text of one piece
        should not while others wait, as that is a little more work for all of it; nor any by an
        engine that would not have the rest in time, or if it is not known how loud it will be."""
        speed = self.workers.speed
        if speed is not None and speed < _FAST:
            return False
        if pieces == 1 and self.workers.queued_s:
            return False
        return self._loudness_lufs is None or voice.lufs is not None

    async def _encode(self, coder: _Coder, made: Made, words: tuple[SpokenWord, ...]) -> Spoken:
        piece = made.piece
        data = await self._call(
            lambda: coder.encode(piece.samples, beginning=made.rest is not None)
        )
        return Spoken(data, len(piece.samples) / self.engine.sample_rate_hz, words)

    async def _call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


class _Told:
    """The words of one utterance, if they are wanted, with what they stand for in its text."""

    def __init__(self, original: Original | None, texts: Sequence[TextPiece]) -> None:
        self._original = original
        self._texts = iter(texts)

    def words(self, made: Made, at_s: float) -> tuple[SpokenWord, ...]:
        """Those of the next piece, which begins at `at_s` of the stream. A piece whose words are
        wanted comes whole."""
        if self._original is None:
            return ()
        return tuple(self._original.words(next(self._texts), made.piece.words, at_s))


class _Heard:
    """How loud the voices are that spoke lately. Safe to share between threads."""

    def __init__(self, most: int = 512) -> None:
        self._lock = Lock()
        self._voices: OrderedDict[str, VoiceLoudness] = OrderedDict()
        self._most = most

    def of(self, voice_id: str) -> VoiceLoudness:
        """What is known of a voice, to be added to."""
        with self._lock:
            found = self._voices.setdefault(voice_id, VoiceLoudness())
            self._voices.move_to_end(voice_id)
            if len(self._voices) > self._most:
                self._voices.popitem(last=False)
            return found


class _Coder:
    """The levelling and the encoder of one stream: not closed under the thread that still encodes
    for a client who left. What goes wrong in a codec is an EngineFailure."""

    def __init__(
        self,
        utterance: Utterance,
        rate_hz: int,
        loudness_lufs: float | None,
        voice: VoiceLoudness,
    ) -> None:
        self._coder: SpeechEncoder = encoder(utterance.layout, rate_hz)
        gain_db = utterance.manner.gain_db
        self._leveller = Leveller(loudness_lufs, rate_hz, gain_db=gain_db, voice=voice)
        self._lock = Lock()
        self._closed = False

    def encode(self, samples: Samples, *, beginning: bool) -> bytes:
        def encoded() -> bytes:
            return self._coder.encode(self._leveller.level(samples, beginning=beginning))

        return self._safely(encoded)

    def finish(self) -> bytes:
        return self._safely(self._coder.finish)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._coder.close()

    def _safely(self, work: Callable[[], bytes]) -> bytes:
        with self._lock:
            if self._closed:
                return b""
            try:
                return work()
            except MynaError:
                raise
            except Exception as error:
                raise EngineFailure(f"the speech could not be encoded: {error}") from error


@dataclass(frozen=True, slots=True)
class Spoken:
    """The next stretch of the encoded stream."""

    data: bytes
    """May be empty where the codec holds audio back."""
    seconds: float
    """How much audio went in."""
    words: tuple[SpokenWord, ...] = ()
    """What was said in it, in seconds of the whole stream, if that was asked for."""
