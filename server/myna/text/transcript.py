"""What was said: Myna's own nouns for a transcript. The edge turns them into OpenAI's shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["transcribe", "translate"]


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word."""

    text: str
    """As printed in its segment, leading space and punctuation included."""
    start_s: float
    """Seconds from the beginning of the audio."""
    end_s: float
    """Seconds from the beginning of the audio."""
    probability: float
    """Mean probability of the word's tokens, 0 to 1."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One text token and how sure the model was of it."""

    text: str
    """The token as text; U+FFFD stands where it is a part of a character."""
    utf8: bytes
    """The token's own bytes."""
    logprob: float
    """Natural logarithm of its probability."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech between two timestamps, with the model's own figures for its window."""

    seek: int
    """Where the segment's window starts, in 10 ms frames from the beginning of the audio."""
    start_s: float
    """Seconds from the beginning of the audio."""
    end_s: float
    """Seconds from the beginning of the audio."""
    text: str
    """With the leading space that Whisper writes, where the language has one."""
    tokens: tuple[int, ...]
    """The model's token ids, the timestamp tokens around the text included."""
    temperature: float
    """The sampling temperature that gave this text."""
    avg_logprob: float
    """Mean log-probability of the window's tokens."""
    compression_ratio: float
    """zlib ratio of the window's text; above 2.4 the text repeats itself."""
    no_speech_prob: float
    """Probability of the no-speech token at the window's start, 0 to 1."""
    words: tuple[Word, ...] = ()
    """Empty unless word timestamps were asked for."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """Empty unless token log-probabilities were asked for."""
    speaker: str = ""
    """Who says it: a known name, or a letter; empty unless speakers were told apart."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of time in which one speaker is heard. Those of two speakers may overlap."""

    start_s: float
    """Seconds from the beginning of the audio."""
    end_s: float
    """Seconds from the beginning of the audio."""
    speaker: int
    """The first numbers are the known speakers, in their order; those behind are strangers."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything that one request's audio said."""

    task: Task
    language: str
    """Code of the spoken language as Whisper names it (`en`, `haw`, `yue`)."""
    duration_s: float
    """Length of the audio in seconds."""
    segments: tuple[Segment, ...]
    """In order of time."""
    prompt_tokens: int = 0
    """Text tokens that the request's prompt, hotwords and keywords came to."""
    language_detected: bool = False
    """True where the model found the language; False where the caller gave it."""

    @property
    def text(self) -> str:
        """All segments as one text without surrounding space."""
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in order of time."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def logprobs(self) -> tuple[TokenLogprob, ...]:
        """All token log-probabilities in order."""
        return tuple(token for segment in self.segments for token in segment.logprobs)
