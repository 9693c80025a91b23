"""Text to speech: pieces of text go in, audio comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from myna.engines.contract.samples import Samples
from myna.engines.contract.voice import Voice
from myna.text.transcript import Word

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
