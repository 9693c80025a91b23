"""What a session is asked to do, in our own terms; `dialects` has the wire's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from myna.engines.contract.transcriber import DecodingOptions, Transcriber
from myna.errors import BadRequest
from myna.realtime.ear import AudioFormat
from myna.realtime.turns import TurnRules
from myna.text.hints import checked_keywords, require_known, spoken_languages

Delay = Literal["minimal", "low", "medium", "high", "xhigh"]
Eagerness = Literal["low", "medium", "high", "auto"]

PACE_S: dict[Delay, float] = {"minimal": 0.3, "low": 0.45, "medium": 0.7, "high": 1.5, "xhigh": 3.0}
"""How long after one hypothesis the next is made while somebody speaks, at the earliest."""
MANUAL_MODEL = "gpt-realtime-whisper"
"""Hosted, it takes no turn detection."""
PATIENCE_MS: dict[Eagerness, int] = {"low": 2_000, "medium": 1_000, "auto": 1_000, "high": 500}
"""Silence that ends a turn with `semantic_vad`: what was said is not looked at here."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How speech is to be written down."""

    model: str = "whisper-1"
    """As the client wrote it."""
    language: str | None = None
    languages: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    prompt: str | None = None
    delay: Delay | None = None

    @property
    def pace_s(self) -> float:
        """Seconds between two hypotheses."""
        return PACE_S[self.delay or "medium"]


@dataclass(frozen=True, slots=True)
class ServerVad:
    """Turns end after a fixed silence."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    idle_timeout_ms: int | None = None

    @property
    def rules(self) -> TurnRules:
        """For the detection."""
        return TurnRules(
            self.threshold, self.prefix_padding_ms, self.silence_duration_ms, self.idle_timeout_ms
        )


@dataclass(frozen=True, slots=True)
class SemanticVad:
    """Turns end when the speaker seems to be done."""

    eagerness: Eagerness = "auto"

    @property
    def rules(self) -> TurnRules:
        """For the detection."""
        return TurnRules(silence_ms=PATIENCE_MS[self.eagerness])


@dataclass(frozen=True, slots=True)
class NoiseReduction:
    """Taken and shown; the models hear the audio as it is."""

    type: Literal["near_field", "far_field"]
    strength: float | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of a session's settings."""

    format: AudioFormat = "audio/pcm"
    wishes: Wishes = Wishes()
    turn_detection: ServerVad | SemanticVad | None = ServerVad()
    """None where the client commits."""
    turns_given: bool = False
    """Whether the client has said how turns are detected."""
    noise_reduction: NoiseReduction | None = None
    logprobs: bool = False

    def with_wishes(self, wishes: Wishes) -> Configuration:
        """The same with other wishes; some models leave turns to the client unless it says else."""
        turns = self.turn_detection
        if not self.turns_given:
            turns = None if wishes.model.startswith(MANUAL_MODEL) else ServerVad()
        return replace(self, wishes=wishes, turn_detection=turns)


def decoding_options(wishes: Wishes, engine: Transcriber, beam_size: int) -> DecodingOptions:
    """What is asked of the engine for a window.

    Raises:
        BadRequest: a language or keyword that cannot be, with its own name as param.
    """
    language, several = spoken_languages(wishes.language, wishes.languages)
    require_known(language, engine.languages, engine.name)
    return DecodingOptions(
        language=language,
        candidates=several & engine.languages,
        prompt=wishes.prompt,
        hotwords=checked_keywords(wishes.keywords),
        beam_size=beam_size,
        timestamps=False,
    )


def hasty(options: DecodingOptions) -> DecodingOptions:
    """For a hypothesis while somebody speaks: one attempt, as the next one is better.

    With all beams: two greedy ones in a row agreed on words that the last decoding had otherwise in
    3.5 of 100 words, two with five beams in 2.7 (read English, 30 and more seconds).
    """
    return replace(options, draft=True)


def under(path: str, error: BadRequest) -> BadRequest:
    """The same error, its param within the object at `path`."""
    if error.param is None or not path:
        return error
    return BadRequest(error.message, param=f"{path}.{error.param}", code=error.code)
