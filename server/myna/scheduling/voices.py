"""Which of an engine's voices a name means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from myna.engines.contract.synthesizer import Synthesizer, VoiceMixer
from myna.engines.contract.voice import OPENAI_VOICES, Voice
from myna.errors import BadRequest

_NAME = re.compile(r"\w[\w.-]*", re.ASCII)
"""A voice's name within a blend's."""


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


def listed_voice(name: str, voices: Sequence[Voice]) -> Voice | None:
    """The first of the voices with that id, or else with that name."""
    wanted = name.strip().lower()
    by_name = {voice.name.lower(): voice for voice in reversed(voices)}
    return (by_name | {voice.id.lower(): voice for voice in reversed(voices)}).get(wanted)


def known_voice(name: str, engine: Synthesizer) -> Voice | None:
    """The voice that stands in for one of OpenAI's names, else the engine's voice of that id or
    name, else the blend that the name describes; None where it means nothing to the engine.

    Raises:
        BadRequest: a blend that is malformed, or has a part that is not there.
    """
    wanted = name.strip().lower()
    wanted = engine.stand_ins.get(wanted, wanted).lower()
    return listed_voice(wanted, engine.voices) or own_voice(wanted, engine)


def distinct_voices(voices: Sequence[Voice]) -> Sequence[Voice]:
    """The voices to deal out. One with several speakers is also listed without a speaker, where it
    sounds like one of them."""
    speakers = [voice for voice in voices if voice.speaker is not None]
    return speakers or voices


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
    voices = distinct_voices(engine.voices)
    return voices[OPENAI_VOICES.index(wanted) % len(voices)]


def give_stand_ins(engine: Synthesizer, table: Mapping[str, str]) -> None:
    """Have those voices of the table that the engine has stand in for OpenAI's names."""
    engine.stand_ins = {**engine.stand_ins, **_had(engine, table)}


def meant_by(engine: Synthesizer) -> dict[str, Voice]:
    """The voices that stand in for OpenAI's names, by these."""
    found = {name: known_voice(name, engine) for name in engine.stand_ins}
    return {name: voice for name, voice in found.items() if voice is not None}


def foreseen(table: Mapping[str, str], voices: Sequence[Voice]) -> dict[str, Voice]:
    """What `meant_by` will say, as far as that can be told from the voices of an engine that is
    not loaded."""
    found = {name: foreseen_voice(wanted, voices) for name, wanted in table.items()}
    return {name: voice for name, voice in found.items() if voice is not None}


def foreseen_voice(name: str, voices: Sequence[Voice]) -> Voice | None:
    """The voice of that id, or what a blend with one of the voices in it may come to: whether it is
    a blend, only the engine can tell."""
    wanted = name.strip().lower()
    by_id = {voice.id.lower(): voice for voice in reversed(voices)}
    if wanted in by_id:
        return by_id[wanted]
    parts = (by_id[part] for part in _NAME.findall(wanted) if part in by_id)
    return next((Voice(wanted, wanted, part.language) for part in parts), None)


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
