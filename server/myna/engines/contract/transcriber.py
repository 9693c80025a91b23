"""Speech to text: windows of audio go in, segments come out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from myna.engines.contract.samples import Window
from myna.stages import UNRECORDED, Record
from myna.text.transcript import Segment, Task


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
    long_limit_s: float
    """The same where a long request leads it."""

    def long_lanes(self) -> int:
        """How many of the threads had best be at batches of long requests at the same time, as
        things stand."""
        ...

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
