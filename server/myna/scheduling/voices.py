"""Which of an engine's voices a name means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from myna.engines.contract import OPENAI_VOICES, Synthesizer, Voice, VoiceMixer
from myna.errors import BadRequest


def own_voice(name: str, engine: Synthesizer) -> Voice | None:
    """The engine's voice with that id, or the blend of its voices that the name describes.

    Raises:
        BadRequest: a blend that is malformed, or has a part that is not there.
    """
    wanted = name.strip().lower()
    for voice in engine.voices:
        if wanted == voice.id.lower():
            return voice
    return engine.blend(wanted) if isinstance(engine, VoiceMixer) else None


def known_voice(name: str, engine: Synthesizer) -> Voice | None:
    """The voice that stands in for one of OpenAI's names, else the engine's voice of that id or
    name, else the blend that the name describes; None where it means nothing to the engine.

    Raises:
        BadRequest: a blend that is malformed, or has a part that is not there.
    """
    wanted = name.strip().lower()
    wanted = engine.stand_ins.get(wanted, wanted).lower()
    voices = {voice.id.lower(): voice for voice in reversed(engine.voices)}
    voices = {voice.name.lower(): voice for voice in reversed(engine.voices)} | voices
    return voices.get(wanted) or own_voice(wanted, engine)


def distinct_voices(engine: Synthesizer) -> Sequence[Voice]:
    """The voices to deal out. One with several speakers is also listed without a speaker, where it
    sounds like one of them."""
    speakers = [voice for voice in engine.voices if voice.speaker is not None]
    return speakers or engine.voices


def voice_named(name: str, engine: Synthesizer) -> Voice:
    """The voice that the engine knows by that name; OpenAI's names that it does not know are dealt
    out over what there is; any other name gets the engine's first voice.

    Raises:
        BadRequest: a blend that is malformed, or has a part that is not there.
    """
    if known := known_voice(name, engine):
        return known
    wanted = name.strip().lower()
    if wanted not in OPENAI_VOICES:
        return engine.voices[0]
    voices = distinct_voices(engine)
    return voices[OPENAI_VOICES.index(wanted) % len(voices)]


def give_stand_ins(engines: Sequence[Synthesizer], table: Mapping[str, str]) -> None:
    """Have voices of the table stand in for OpenAI's names, with each engine that has the voice.

    Raises:
        ValueError: a name is not OpenAI's, or no engine has the voice; the message says which.
    """
    had = [_had(engine, table) for engine in engines]
    for name, voice in table.items():
        if name not in OPENAI_VOICES:
            raise ValueError(
                f"voices: '{name}' is none of OpenAI's names ({', '.join(OPENAI_VOICES)})"
            )
        if not any(name in entries for entries in had):
            raise ValueError(f"voices: '{name}={voice}': {_why(voice, engines)}")
    for engine, entries in zip(engines, had, strict=True):
        engine.stand_ins = {**engine.stand_ins, **entries}


def _had(engine: Synthesizer, table: Mapping[str, str]) -> dict[str, str]:
    """The entries whose voice the engine has, the voice by its id."""
    found: dict[str, str] = {}
    for name, wanted in table.items():
        try:
            voice = own_voice(wanted, engine)
        except BadRequest:
            continue  # a blend of another engine's voices
        if voice is not None:
            found[name] = voice.id
    return found


def _why(voice: str, engines: Sequence[Synthesizer]) -> str:
    """What is wrong with a voice that none of the engines has."""
    for engine in engines:
        try:
            own_voice(voice, engine)
        except BadRequest as error:
            return error.message
    some = ", ".join(one.id for engine in engines for one in engine.voices[:3])
    return f"no model that is loaded has the voice '{voice}'; they have {some} and others"
