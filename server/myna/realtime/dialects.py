"""The wire's two dialects: how they name events, and how they write a session's settings down.

GA, since August 2025: `session.update` with settings under `session.audio.input`. Beta, which older
clients speak: `transcription_session.update` with flat ones. Whatever an update leaves out keeps
its value, at every depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from myna.realtime.configuration import (
    Configuration,
    Delay,
    Eagerness,
    NoiseReduction,
    SemanticVad,
    ServerVad,
    Wishes,
)
from myna.realtime.ear import FORMATS, PCM_RATE_HZ, AudioFormat
from myna.realtime.fields import Fields

LOGPROBS: Literal["item.input_audio_transcription.logprobs"] = (
    "item.input_audio_transcription.logprobs"
)
OBJECT = "realtime.transcription_session"

_DELAYS: tuple[Delay, ...] = get_args(Delay)
_EAGERNESS: tuple[Eagerness, ...] = get_args(Eagerness)
_Field = Literal["near_field", "far_field"]
_FIELDS: tuple[_Field, ...] = get_args(_Field)
_BetaFormat = Literal["pcm16", "g711_ulaw", "g711_alaw"]
_BETA_FORMATS: dict[_BetaFormat, AudioFormat] = {
    "pcm16": "audio/pcm",
    "g711_ulaw": "audio/pcmu",
    "g711_alaw": "audio/pcma",
}
_DETECTIONS: tuple[Literal["server_vad", "semantic_vad"], ...] = ("server_vad", "semantic_vad")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one generation of clients speaks."""

    update: str
    """The event that changes settings."""
    updated: str
    created: str
    items: tuple[str, ...]
    """Events that tell of a new item."""
    read: Callable[[Configuration, Fields], Configuration]
    """The settings after an update; raises BadRequest."""
    shown: Callable[[Configuration], dict[str, Any]]
    """The settings as this dialect writes them."""
    where: str
    """Path of the transcription's settings, for errors."""


def _read_ga(now: Configuration, session: Fields) -> Configuration:
    session.literal("type", "transcription", hint=" (there are no conversations here)")
    audio = session.object("audio")
    given = audio.object("input") if audio is not None else None
    changed = _included(now, session)
    if given is None:
        return changed
    return _with_parts(
        changed, given, ("transcription", "noise_reduction"), _ga_format(changed.format, given)
    )


def _ga_format(now: AudioFormat, given: Fields) -> AudioFormat:
    format_ = given.object("format")
    if format_ is None:
        return now
    found: AudioFormat = format_.choice("type", FORMATS, now)
    if found == "audio/pcm" and format_.number("rate", PCM_RATE_HZ, 1, 1e6) != PCM_RATE_HZ:
        format_.refuse("rate", f"{PCM_RATE_HZ}, the one rate of PCM")
    return found


def _read_beta(now: Configuration, session: Fields) -> Configuration:
    known = tuple(_BETA_FORMATS)
    wire: _BetaFormat = session.choice("input_audio_format", known, _beta_format(now))
    parts = ("input_audio_transcription", "input_audio_noise_reduction")
    return _with_parts(_included(now, session), session, parts, _BETA_FORMATS[wire])


def _beta_format(now: Configuration) -> _BetaFormat:
    return next(wire for wire, ours in _BETA_FORMATS.items() if ours == now.format)


def _included(now: Configuration, session: Fields) -> Configuration:
    if not session.given("include"):
        return now
    return replace(now, logprobs=LOGPROBS in session.each("include", (LOGPROBS,)))


def _with_parts(
    now: Configuration, given: Fields, names: tuple[str, str], format_: AudioFormat
) -> Configuration:
    """What both dialects have, under the names that one has for it."""
    transcription, noise = names
    changed = replace(now, format=format_)
    if given.empty(transcription):  # a session that only transcribes cannot leave that out
        changed = changed.with_wishes(Wishes())
    elif (wishes := given.object(transcription)) is not None:
        changed = changed.with_wishes(_wishes(now.wishes, wishes))
    if given.given(noise):
        changed = replace(
            changed, noise_reduction=_noise_reduction(now.noise_reduction, given.object(noise))
        )
    if given.given("turn_detection"):
        turns = _turn_detection(now.turn_detection, given.object("turn_detection"))
        changed = replace(changed, turn_detection=turns, turns_given=True)
    return changed


def _wishes(now: Wishes, given: Fields) -> Wishes:
    delay: Delay | None = now.delay
    if given.given("delay"):
        delay = None if given.empty("delay") else given.choice("delay", _DELAYS, "medium")
    return Wishes(
        model=given.text("model") or now.model,
        language=_kept(now.language, given, "language"),
        languages=given.texts("languages", now.languages),
        keywords=given.texts("keywords", now.keywords),
        prompt=_kept(now.prompt, given, "prompt"),
        delay=delay,
    )


def _kept(now: str | None, given: Fields, name: str) -> str | None:
    return (given.text(name) or None) if given.given(name) else now


def _noise_reduction(now: NoiseReduction | None, given: Fields | None) -> NoiseReduction | None:
    if given is None:
        return None
    kind: _Field = given.choice("type", _FIELDS, now.type if now else "near_field")
    strength = now.strength if now else None
    if given.given("strength"):
        strength = None if given.empty("strength") else given.number("strength", 1.0, 0.0, 10.0)
    return NoiseReduction(kind, strength)


def _turn_detection(
    now: ServerVad | SemanticVad | None, given: Fields | None
) -> ServerVad | SemanticVad | None:
    if given is None:
        return None
    same = "semantic_vad" if isinstance(now, SemanticVad) else "server_vad"
    if given.choice("type", _DETECTIONS, same) == "semantic_vad":
        eagerness = now.eagerness if isinstance(now, SemanticVad) else "auto"
        return SemanticVad(given.choice("eagerness", _EAGERNESS, eagerness))
    old = now if isinstance(now, ServerVad) else ServerVad()
    idle_ms = old.idle_timeout_ms
    if given.given("idle_timeout_ms"):
        # The bounds are the hosted API's.
        idle_ms = given.whole("idle_timeout_ms", 0, 5_000, 30_000) or None
    return ServerVad(
        threshold=given.number("threshold", old.threshold, 0.0, 1.0),
        prefix_padding_ms=given.whole("prefix_padding_ms", old.prefix_padding_ms, 0, 10_000),
        silence_duration_ms=given.whole("silence_duration_ms", old.silence_duration_ms, 0, 30_000),
        idle_timeout_ms=idle_ms,
    )


def _show_ga(now: Configuration) -> dict[str, Any]:
    format_: dict[str, Any] = {"type": now.format}
    if now.format == "audio/pcm":
        format_["rate"] = PCM_RATE_HZ
    shown = {
        "format": format_,
        "transcription": _shown_wishes(now.wishes),
        "noise_reduction": _shown_noise_reduction(now.noise_reduction),
        "turn_detection": _shown_turns(now.turn_detection),
    }
    return {"type": "transcription", "audio": {"input": shown}, "include": _shown_include(now)}


def _show_beta(now: Configuration) -> dict[str, Any]:
    return {
        "input_audio_format": _beta_format(now),
        "input_audio_transcription": _shown_wishes(now.wishes),
        "input_audio_noise_reduction": _shown_noise_reduction(now.noise_reduction),
        "turn_detection": _shown_turns(now.turn_detection),
        "modalities": ["text"],
        "include": _shown_include(now),
    }


def _shown_wishes(wishes: Wishes) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "model": wishes.model,
        "language": wishes.language,
        "prompt": wishes.prompt,
    }
    extra = {
        "languages": list(wishes.languages),
        "keywords": list(wishes.keywords),
        "delay": wishes.delay,
    }
    return shown | {name: value for name, value in extra.items() if value}


def _shown_noise_reduction(noise: NoiseReduction | None) -> dict[str, Any] | None:
    if noise is None:
        return None
    strength = {} if noise.strength is None else {"strength": noise.strength}
    return {"type": noise.type, **strength}


def _shown_turns(turns: ServerVad | SemanticVad | None) -> dict[str, Any] | None:
    if turns is None:
        return None
    if isinstance(turns, SemanticVad):
        return {"type": "semantic_vad", "eagerness": turns.eagerness}
    idle = {} if turns.idle_timeout_ms is None else {"idle_timeout_ms": turns.idle_timeout_ms}
    return {
        "type": "server_vad",
        "threshold": turns.threshold,
        "prefix_padding_ms": turns.prefix_padding_ms,
        "silence_duration_ms": turns.silence_duration_ms,
        **idle,
    }


def _shown_include(now: Configuration) -> list[str]:
    return [LOGPROBS] if now.logprobs else []


GA = Dialect(
    update="session.update",
    updated="session.updated",
    created="session.created",
    items=("conversation.item.added", "conversation.item.done"),
    read=_read_ga,
    shown=_show_ga,
    where="session.audio.input.transcription",
)
BETA = Dialect(
    update="transcription_session.update",
    updated="transcription_session.updated",
    created="transcription_session.created",
    items=("conversation.item.created",),
    read=_read_beta,
    shown=_show_beta,
    where="session.input_audio_transcription",
)
BY_UPDATE: Mapping[str, Dialect] = {dialect.update: dialect for dialect in (GA, BETA)}


def shown(
    id_: str, configuration: Configuration, dialect: Dialect, expires_at: int | None
) -> dict[str, Any]:
    """A session as its events and the token endpoints have it."""
    session = {"id": id_, "object": OBJECT} | dialect.shown(configuration)
    return session if expires_at is None else session | {"expires_at": expires_at}
