"""Which of the loaded models speaks a request, and with which voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from myna.engines.contract import OPENAI_VOICES, Voice
from myna.scheduling.residents import Resident
from myna.scheduling.speaking import SpeechService
from myna.scheduling.voices import distinct_voices, known_voice

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
    the chosen model's language.

    Raises:
        BadRequest: a blend that is malformed, or has a part that is not there.
    """
    wanted = name.strip().lower()
    kind = chosen.service.engine.kind
    alike = [chosen, *(one for one in others if one.service.engine.kind == kind)]
    hosted = wanted in OPENAI_VOICES
    for speaker in alike if hosted else [chosen, *others]:
        if voice := known_voice(wanted, speaker.service.engine):
            return Role(speaker, voice)
    return _dealt(OPENAI_VOICES.index(wanted), alike) if hosted else None


def _dealt(place: int, speakers: Sequence[Speaker]) -> Role:
    language = speakers[0].service.engine.voices[0].language
    roles = [
        Role(speaker, voice)
        for speaker in speakers
        for voice in distinct_voices(speaker.service.engine)
        if voice.language == language
    ]
    return roles[place % len(roles)]
