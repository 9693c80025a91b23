"""What an engine is: the whole of what scheduling and the edge know of models.

A `Transcriber` turns windows of audio into segments, a `Synthesizer` turns pieces of text into
audio, a `Diarizer` turns windows of audio into who speaks when. All are called from worker threads,
several at a time, and never from the event loop. They raise `myna.errors` and nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from myna.stages import UNRECORDED, Record
from myna.text.transcript import Segment, Task, Turn, Word

SAMPLE_RATE_HZ = 16_000
"""Rate of every sample that enters a transcriber."""

Samples = NDArray[np.float32]
"""Mono audio, shape (n_samples,), float32 in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of audio that is decoded in one go: at most 30 s."""

    samples: Samples
    """Shape (n_samples,), 16 kHz."""
    start_s: float
    """Where it begins in the request's audio, in seconds."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How the windows of one request are decoded."""

    task: Task = "transcribe"
    language: str | None = None
    """Whisper's code, or None to detect it on the request's first window."""
    candidates: frozenset[str] = frozenset()
    """Codes that detection chooses from; empty for all."""
    prompt: str | None = None
    """Text that came before, as a hint to style and spelling."""
    hotwords: tuple[str, ...] = ()
    """Words that are likely to be said."""
    temperature: float = 0.0
    """0 for beam search with Whisper's fallback ladder, otherwise this value only."""
    beam_size: int = 5
    timestamps: bool = True
    """Whether segments need times. Without, a window is one segment and is written faster."""
    word_timestamps: bool = False
    """Needs `timestamps`."""
    token_logprobs: bool = False
    draft: bool = False
    """More of the same audio will follow: one attempt, and no text where that looks doubtful."""


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What one window said."""

    segments: tuple[Segment, ...]
    language: str
    """Given or detected."""
    rest_from_s: float | None = None
    """Where the engine stopped although the window goes on, in seconds of the recording; the
    caller sends the rest as a window of its own."""


@dataclass(eq=False, slots=True)
class WindowJob:
    """A window on its way through an engine."""

    window: Window
    options: DecodingOptions
    state: object | None = None
    """The engine's own notes: features, earlier attempts, the next step of the fallback ladder."""
    record: Record = UNRECORDED
    """Told by the engine how long it was at `encode` and at `generate`."""


class Transcriber(Protocol):
    """Speech to text."""

    name: str
    """The card's id, or what the user named."""
    languages: frozenset[str]
    """Codes that `DecodingOptions.language` may take."""
    translates: bool
    """Whether it can turn speech of any language into English text."""
    workers: int
    """How many threads may call `run` at the same time."""
    express: int
    """How many more may, for short requests that arrive while all workers are at long ones."""
    batch_limit: int
    """Windows that one batch may hold."""
    batch_limit_s: float
    """Audio-seconds that one batch may hold, padding included: what memory allows."""

    def prompt_tokens(self, options: DecodingOptions) -> int:
        """How many text tokens the prompt and hotwords of `options` come to."""
        ...

    def count_tokens(self, segments: Sequence[Segment]) -> int:
        """How many text tokens the segments were written with."""
        ...

    def prepare(self, job: WindowJob) -> None:
        """The part of the work that needs no engine (features); called from any thread."""
        ...

    def batch_key(self, job: WindowJob) -> Hashable:
        """Only jobs with equal keys share a batch."""
        ...

    def cost_s(self, job: WindowJob) -> float:
        """Audio-seconds that the job occupies, padding included."""
        ...

    def run(self, jobs: Sequence[WindowJob]) -> Sequence[WindowResult | WindowJob | Exception]:
        """Decode a batch. For each job, in order: its result; or a job to be queued again (the next
        step of the fallback ladder); or the error that this job alone met."""
        ...

    def warm_up(self) -> None:
        """Run once on made-up audio so that the first client does not wait for lazy set-up."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that a synthesizer speaks with."""

    id: str
    """Native name, such as `en_US-joe-medium` or `af_heart`; or that of a blend."""
    name: str
    """For people."""
    language: str
    """BCP 47, such as `en-US`."""
    speaker: int | None = None
    """Number of the speaker inside a voice that has several."""


Ending = Literal["sentence", "clause", "word", "open"]
"""Where a stretch of speech ends: with a sentence or line, at a comma or the like, or in the middle
of a sentence that was too long for one run. It decides the pause. What is open ends nowhere: the
next stretch is the same sound going on."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech that was made in one go: a sentence, or part of one."""

    samples: Samples
    """With whatever silence the network left around it; pauses are not the engine's to make."""
    ending: Ending = "sentence"
    words: tuple[Word, ...] = ()
    """Where each word is, in seconds of `samples`; empty unless asked for."""


OPENAI_VOICES = (
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
)
"""OpenAI's built-in voices; each is mapped to a voice of the engine that speaks."""


class Synthesizer(Protocol):
    """Text to speech."""

    kind: str
    """Which engine it is, such as `piper`."""
    name: str
    """The card's id, or what the user named."""
    sample_rate_hz: int
    """Rate of the samples that `synthesize` yields."""
    voices: Sequence[Voice]
    """At least one; the first is the default."""
    stand_ins: Mapping[str, str]
    """OpenAI's voice names, each with the voice or blend that stands in for it; a name that is not
    among them is dealt out. Set anew before the first request, not later."""
    workers: int
    """How many threads may call `synthesize` at the same time."""
    first_chars: int
    """How long the first piece of a text should be at most, where it can be cut there: what is said
    in a few hundred milliseconds, or in about a second by an engine that is slow."""

    times_words: bool
    """Whether it knows where in the sound each word is."""

    def synthesize(
        self, text: str, voice: Voice, speed: float, *, words: bool = False
    ) -> Iterator[Stretch]:
        """Speak one piece of text: stretches at `sample_rate_hz`, as they are made.

        `speed` is 0.25 to 4 and does not change the pitch. `words` asks for where the words are.
        Text with nothing to say (only punctuation or emoji) yields nothing.
        """
        ...

    def warm_up(self) -> None:
        """Speak one word so that the first client does not wait for lazy set-up."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...


@runtime_checkable
class QuickStarter(Protocol):
    """What a synthesizer is besides that gives the beginning of a sentence before its end."""

    def begin(self, text: str, voice: Voice, speed: float) -> Iterator[Stretch]:
        """As `synthesize`, the first stretch as soon as there is something to listen to."""
        ...


@runtime_checkable
class VoiceMixer(Protocol):
    """What a synthesizer is besides that mixes its voices."""

    def blend(self, name: str) -> Voice | None:
        """The voice that is mixed as `name` says, or None where it is not the name of a blend.

        Raises BadRequest with param `voice`, saying what to write, where it is a wrong one.
        """
        ...


@runtime_checkable
class VoiceReader(Protocol):
    """What a synthesizer is besides that speaks with voices of the user's."""

    clones: bool
    """Whether it makes a voice of a recording of somebody; else it takes voice files of its own
    kind only."""

    def read_voice(self, file: bytes, about: Voice) -> Voice:
        """`about`, as the file has it speak. It stays usable however long it is held.

        Raises BadRequest, saying what to send, where the file is no voice or `about` has a language
        that the engine does not speak.
        """
        ...


Voiceprint = NDArray[np.float32]
"""What a voice is like, shape (n,), of length 1: the more alike two voices, the larger the dot
product. Those of two diarizers cannot be compared."""


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """A speaker to recognise, as a recording of them sounds."""

    print: Voiceprint
    narrow: bool = False
    """Whether the recording came by telephone, where strangers are more alike."""


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    """What is known of the speakers of one recording."""

    least: int = 1
    """How many there are at the least; a live following takes no notice of it."""
    most: int | None = None
    """How many there are at the most."""
    known: tuple[KnownVoice, ...] = ()
    """Speakers to recognise. Turns number them from 0; everybody else comes behind them."""
    live: bool = False
    """Whether turns are wanted as the recording goes on. Otherwise they come at its end, and are
    a little better."""


class SpeakerFollowing(Protocol):
    """The speakers of one recording, told apart window by window. Not thread-safe."""

    settled_s: float
    """Up to where in the recording `take` has told the turns; what it told does not change."""

    def add(self, heard: Any) -> None:
        """Take what `Diarizer.hear` made of the next window, in order of time."""
        ...

    def finish(self) -> None:
        """There are no more windows; blocks while the rest is worked out."""
        ...

    def take(self) -> Sequence[Turn]:
        """Turns that have settled since the last call, by their start. One that goes on comes in
        pieces."""
        ...


class Diarizer(Protocol):
    """Who speaks when."""

    name: str
    """The card's id, or what the user named."""
    window_s: float
    """Length in seconds of the windows that it hears; shorter ones are the recording's last."""
    step_s: float
    """From the beginning of one window to that of the next."""

    @property
    def loaded(self) -> bool:
        """Whether it is in memory, which its first work brings about."""
        ...

    def hear(self, window: Window) -> Any:
        """Listen to one window: the engine's work, in any order of windows. What comes back is
        small, and for `SpeakerFollowing.add`."""
        ...

    def voice(self, samples: Samples) -> KnownVoice | None:
        """The voice of a recording of one speaker, at most a window long; None where nobody speaks
        in it."""
        ...

    def follow(self, options: SpeakerOptions) -> SpeakerFollowing:
        """Begin with a recording."""
        ...

    def warm_up(self) -> None:
        """Run once on made-up audio so that the first client does not wait for lazy set-up."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...
