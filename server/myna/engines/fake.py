"""Engines that need no weights: speech that is a tone code, and a listener that reads it back.

For testing software against Myna offline. `FakeSynthesizer` says a text as tones, about as long as
speech takes and the same for the same text. `FakeTranscriber` gives that text back, word by word.
Silence says nothing; any other sound is `fake transcript of 3.0 seconds`. The code itself is
`myna.engines.tonecode`.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from myna.audio.encode import to_pcm, wav_header
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples, Window
from myna.engines.contract.synthesizer import Stretch
from myna.engines.contract.transcriber import DecodingOptions, WindowJob, WindowResult
from myna.engines.contract.voice import Voice
from myna.engines.tonecode import SENTENCE_ENDS, SILENCE_RMS, Spoken, decode, encode
from myna.text.transcript import Segment, TokenLogprob, Word

_VOICES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage",
    "shimmer", "verse",
)  # fmt: skip

_WHISPER_CODES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th "
    "ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr "
    "pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt "
    "haw ln ha ba jw su yue"
)

_LONGEST_SEGMENT_S = 10.0


class FakeSynthesizer:
    """Speaks the tone code at 24 kHz in 13 voices that differ in loudness.

    A `VoiceReader`: any file is a voice to it, so that clients which clone voices can be tested.
    """

    kind = "fake"
    first_chars = 60
    clones = True

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.sample_rate_hz = 24_000
        self.voices: Sequence[Voice] = tuple(
            Voice(id=voice, name=voice.title(), language="en-US") for voice in _VOICES
        )
        self.stand_ins: Mapping[str, str] = {}
        self.workers = 2
        self.times_words = True

    def read_voice(self, file: bytes, about: Voice) -> Voice:
        """As loud as the file's bytes say, the same for the same file. Never raises."""
        return replace(about, speaker=zlib.crc32(file) % len(_VOICES))

    def synthesize(
        self, text: str, voice: Voice, speed: float, *, words: bool = False
    ) -> Iterator[Stretch]:
        """One stretch. Never raises on any text."""
        if not any(character.isalnum() for character in text):
            return
        blocks = list(encode(text, self.sample_rate_hz, speed))
        clause = text.rstrip().endswith((",", ";", ":"))
        yield Stretch(
            self._amplitude(voice) * np.concatenate(blocks),
            "clause" if clause else "sentence",
            tuple(self._timed(text, speed)) if words else (),
        )

    def warm_up(self) -> None:
        """Nothing to warm."""

    def close(self) -> None:
        """Nothing to free."""

    def _timed(self, text: str, speed: float) -> Iterator[Word]:
        """Each word from behind the pause before it."""
        at_s = 0.0
        for word in text.split():
            *blocks, pause = encode(word, self.sample_rate_hz, speed)
            start_s = at_s + len(pause) / self.sample_rate_hz
            at_s += sum(map(len, blocks)) / self.sample_rate_hz
            yield Word(f" {word}", start_s, at_s, 1.0)

    def _amplitude(self, voice: Voice) -> np.float32:
        """Of each of the three tones."""
        known = [voice.id for voice in self.voices]
        place = known.index(voice.id) if voice.id in known else voice.speaker
        return np.float32(0.15 + 0.01 * (place or 0))


class FakeTranscriber:
    """Reads the tone code; finds placeholder words in other sound and none in silence."""

    def __init__(
        self, name: str = "fake", languages: frozenset[str] = frozenset(_WHISPER_CODES.split())
    ) -> None:
        self.name = name
        self.languages = languages
        self.translates = True
        self.workers = 2
        self.express = 1
        self.batch_limit = 8
        self.batch_limit_s = self.long_limit_s = 120.0

    def long_lanes(self) -> int:
        """All of them."""
        return self.workers

    def prompt_tokens(self, options: DecodingOptions) -> int:
        """One token a word."""
        return sum(len(hint.split()) for hint in (options.prompt or "", *options.hotwords))

    def count_tokens(self, segments: Sequence[Segment]) -> int:
        """One token a word."""
        return sum(len(segment.tokens) for segment in segments)

    def prepare(self, job: WindowJob) -> None:
        """Nothing to prepare, which takes no time."""
        now_s = time.perf_counter()
        job.record.stage("encode", now_s, now_s)

    def batch_key(self, job: WindowJob) -> Hashable:  # noqa: ARG002 - all jobs are alike
        """All jobs share batches."""
        return self.name

    def cost_s(self, job: WindowJob) -> float:
        """The window's length; nothing is padded."""
        return job.window.seconds

    def run(self, jobs: Sequence[WindowJob]) -> Sequence[WindowResult | WindowJob | Exception]:
        """A result for every job."""
        begun_s = time.perf_counter()
        results = [self._heard(job) for job in jobs]
        for job in jobs:
            job.record.stage("generate", begun_s, time.perf_counter())
        return results

    def warm_up(self) -> None:
        """Nothing to warm."""

    def close(self) -> None:
        """Nothing to free."""

    def _heard(self, job: WindowJob) -> WindowResult:
        samples = np.nan_to_num(np.asarray(job.window.samples, np.float32))
        words = decode(samples) or _placeholder(samples)
        segments = tuple(_segment(part, job) for part in _sentences(words))
        return WindowResult(segments, job.options.language or "en")


def recording(text: str) -> bytes:
    """The text as a WAV file in which `FakeTranscriber` hears it; of no text, one of silence."""
    if not text.strip():
        samples = np.zeros(SAMPLE_RATE_HZ, np.float32)
    else:
        samples = 0.2 * np.concatenate(list(encode(text, SAMPLE_RATE_HZ)))
    return wav_header(SAMPLE_RATE_HZ) + to_pcm(samples).tobytes()


def _placeholder(samples: Samples) -> list[Spoken]:
    """Words for sound that is no code, spread evenly over where it is."""
    frame = SAMPLE_RATE_HZ // 50
    blocks = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
    loud = np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) > SILENCE_RMS)
    if not len(loud):
        return []
    seconds = len(samples) / SAMPLE_RATE_HZ
    words = f"fake transcript of {seconds:.1f} seconds".split()
    start_s, end_s = float(loud[0]) / 50, min((float(loud[-1]) + 1) / 50, seconds)
    step_s = (end_s - start_s) / len(words)
    return [
        Spoken(f" {word}", start_s + place * step_s, start_s + (place + 1) * step_s)
        for place, word in enumerate(words)
    ]


def _sentences(words: Sequence[Spoken]) -> Iterator[list[Spoken]]:
    part: list[Spoken] = []
    for word in words:
        part.append(word)
        long = word.end_s - part[0].start_s >= _LONGEST_SEGMENT_S
        if long or word.text.endswith(SENTENCE_ENDS):
            yield part
            part = []
    if part:
        yield part


def _segment(spoken: Sequence[Spoken], job: WindowJob) -> Segment:
    """Figures as a sure model would give them, the same for the same words."""
    window, options = job.window, job.options
    text = "".join(word.text for word in spoken)
    utf8 = text.encode()
    scores = [_logprob(word) for word in spoken]
    return Segment(
        seek=round(window.start_s * 100),
        start_s=window.start_s + spoken[0].start_s,
        end_s=window.start_s + spoken[-1].end_s,
        text=text,
        tokens=_tokens(spoken),
        temperature=options.temperature,
        avg_logprob=sum(scores) / len(scores),
        compression_ratio=len(utf8) / len(zlib.compress(utf8)),
        no_speech_prob=0.01,
        words=_words(spoken, window) if options.word_timestamps else (),
        logprobs=_token_logprobs(spoken) if options.token_logprobs else (),
    )


def _words(spoken: Sequence[Spoken], window: Window) -> tuple[Word, ...]:
    start_s = window.start_s
    return tuple(
        Word(word.text, start_s + word.start_s, start_s + word.end_s, float(np.exp(_logprob(word))))
        for word in spoken
    )


def _token_logprobs(spoken: Sequence[Spoken]) -> tuple[TokenLogprob, ...]:
    return tuple(TokenLogprob(word.text, word.text.encode(), _logprob(word)) for word in spoken)


def _tokens(spoken: Sequence[Spoken]) -> tuple[int, ...]:
    """One for each word, between timestamps as multilingual Whisper numbers them."""
    text_ids = (zlib.crc32(word.text.encode()) % 50_257 for word in spoken)
    first, last = (50_364 + round(at / 0.02) for at in (spoken[0].start_s, spoken[-1].end_s))
    return (first, *text_ids, last)


def _logprob(word: Spoken) -> float:
    """Between 0 and -0.5."""
    return -(zlib.crc32(word.text.encode()) % 100) / 200
