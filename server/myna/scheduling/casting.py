"""Which of the models speaks a request, and with which voice."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from myna.engines.contract.voice import OPENAI_VOICES, Voice
from myna.errors import BadRequest
from myna.scheduling.resident import Resident
from myna.scheduling.speaking import SpeechService
from myna.scheduling.voices import distinct_voices, foreseen_voice, listed_voice, own_voice

_log = logging.getLogger(__name__)

Speaker = Resident[SpeechService]


@dataclass(frozen=True, slots=True)
class Role:
    """Who speaks, and how."""

    speaker: Speaker
    voice: Voice


def role_of(name: str, chosen: Speaker, others: Sequence[Speaker] = ()) -> Role | None:
    """Who speaks under a voice's name: the model that the request chose, or one of the `others`
    that may step in where only they have the voice. None where the name means nothing to any.

    A stand-in of an engine of another kind does not step in: a request for the fast engine stays
    with it. OpenAI's names without a stand-in are dealt out over the voices of that kind that speak
    the chosen model's language. Of models that are not in memory counts what is known of them, and
    a blend in the part of one is what is foreseen: ask again when it is loaded.

    Raises:
        BadRequest: a blend that is malformed, or has a part that is not there.
    """
    wanted = name.strip().lower()
    alike = [chosen, *(one for one in others if one.kind == chosen.kind)]
    hosted = wanted in OPENAI_VOICES
    for speaker in alike if hosted else [chosen, *others]:
        if voice := _known(wanted, speaker):
            return Role(speaker, voice)
    return _dealt(OPENAI_VOICES.index(wanted), alike) if hosted else None


def check_stand_ins(speakers: Sequence[Speaker], table: Mapping[str, str]) -> None:
    """Hold a table of voices that stand in for OpenAI's names against the models, once those are
    loaded that are loaded at the start.

    Raises:
        ValueError: a name is not OpenAI's, or no model has the voice; the message says which.
    """
    for name, voice in table.items():
        if name not in OPENAI_VOICES:
            raise ValueError(
                f"voices: '{name}' is none of OpenAI's names ({', '.join(OPENAI_VOICES)})"
            )
        if speakers and not any(_has(voice, one) for one in speakers):
            if not all(one.voices for one in speakers):
                _log.warning("voices: no model in memory has '%s=%s'", name, voice)
                continue
            raise ValueError(f"voices: '{name}={voice}': {_why(voice, speakers)}")


def _known(wanted: str, speaker: Speaker) -> Voice | None:
    if stand_in := speaker.stand_ins.get(wanted):
        return stand_in
    if listed := listed_voice(wanted, speaker.voices):
        return listed
    if speaker.held is None:
        return foreseen_voice(wanted, speaker.voices)
    return own_voice(wanted, speaker.held.service.engine)


def _dealt(place: int, speakers: Sequence[Speaker]) -> Role | None:
    language = next((one.language for one in speakers[0].voices), None)
    roles = [
        Role(speaker, voice)
        for speaker in speakers
        for voice in distinct_voices(speaker.voices)
        if voice.language == language
    ]
    return roles[place % len(roles)] if roles else None


def _has(voice: str, speaker: Speaker) -> bool:
    if speaker.held is None:
        return foreseen_voice(voice, speaker.voices) is not None
    try:
        return own_voice(voice, speaker.held.service.engine) is not None
    except BadRequest:
        return False  # a blend of another engine's voices


def _why(voice: str, speakers: Sequence[Speaker]) -> str:
    """What is wrong with a voice that none of the models has."""
    for speaker in speakers:
        try:
            if speaker.held is not None:
                own_voice(voice, speaker.held.service.engine)
        except BadRequest as error:
            return error.message
    some = ", ".join(one.id for speaker in speakers for one in speaker.voices[:3])
    return f"no model that is loaded has the voice '{voice}'; they have {some} and others"
