"""Who speaks a request: the model and voice that its `model` and `voice` mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from myna.api.context import Context
from myna.api.keeping import kept
from myna.api.names import TTS_1_VOICES, TTS_NAMES
from myna.engines.contract.synthesizer import Synthesizer, VoiceMixer, VoiceReader
from myna.engines.contract.voice import OPENAI_VOICES, Voice
from myna.errors import BadRequest, EngineFailure
from myna.scheduling.casting import Role, Speaker, role_of
from myna.scheduling.speaking import SpeechService
from myna.scheduling.voices import own_voice
from myna.store.custom_voices import CustomVoice, CustomVoices
from myna.text.languages import base_language
from myna.text.scripts import written_languages

Lend = Callable[[Speaker], Awaitable[SpeechService]]
"""Sees to it that a model is in memory, and stays there for the request."""
CUSTOM = "voice_"
"""How ids of custom voices begin, here and in the hosted API."""


async def cast(shared: Context, lend: Lend, model: str, name: str) -> Role:
    """Who speaks under a voice's name where the request names that model; it has been lent.

    Raises:
        ClientGone, Overloaded, EngineFailure: it cannot be lent; see `Residency.lease`.
        BadRequest: a custom voice or a blend that is not there; in strict mode also a voice that
            the hosted model lacks.
        ModelNotFound: see `Residents.speaker`.
    """
    strict = shared.settings.strict
    residents = shared.loaded()
    chosen = residents.speaker(model, strict=strict)
    others = _understudies(model, chosen, residents.tts.residents)
    if id_ := custom_id(name):
        return await _custom(shared.custom, lend, id_, [chosen, *others])
    if not chosen.voices:
        await lend(chosen)  # only then it is known what it has
    there: set[Speaker] = set()
    # What was foreseen of a model may turn out to be otherwise when it is loaded.
    while (role := role_of(name, chosen, others) or Role(chosen, chosen.voices[0])).speaker not in (
        there
    ):
        await lend(role.speaker)
        there.add(role.speaker)
    if strict:
        _refuse_unhosted(name, model, role)
    return role


def refuse_unspoken(text: str, shared: Context) -> None:
    """Where the setting says so, raise BadRequest for a text in a language that no voice speaks."""
    speakers = shared.loaded().tts.residents
    if shared.settings.unspoken_language == "default" or not all(one.voices for one in speakers):
        return  # of a model that was never loaded, and has no card, nothing is known
    written = written_languages(text)
    spoken = {base_language(voice.language) for one in speakers for voice in one.voices}
    if written and not written & spoken:
        raise BadRequest(
            "Invalid 'input': by its script it is in none of the languages that voices are loaded "
            f"for, which are {', '.join(sorted(spoken))}; write it in one of them, or load a voice "
            f"for {' or '.join(sorted(written))} (setting tts).",
            param="input",
            code="unsupported_language",
        )


def _custom_voice(id_: str, about: CustomVoice, custom: CustomVoices, engine: Synthesizer) -> Voice:
    """A custom voice as the engine speaks it; reads from disk.

    Raises:
        BadRequest: a voice of its blend is not loaded, or it was deleted meanwhile.
        EngineFailure: its file is damaged.
    """
    if about.blend is not None and isinstance(engine, VoiceMixer):
        mixed = own_voice(about.blend, engine)
        if mixed is not None:
            return mixed
    elif isinstance(engine, VoiceReader):
        file = custom.voices.file(id_)
        if file is None:
            raise _unknown(id_)
        try:
            return engine.read_voice(file, Voice(id_, about.name, about.language))
        except BadRequest as error:  # it was read when it was created
            raise EngineFailure(f"the voice {id_} is damaged: {error.message}") from error
    raise EngineFailure(f"the engine {engine.kind} does not speak the voice {id_}")


async def _custom(custom: CustomVoices, lend: Lend, id_: str, speakers: Sequence[Speaker]) -> Role:
    about = _known(id_, await kept(lambda: custom.voices.find(id_)))
    speaker = _speaker_of(id_, about, speakers)
    engine = (await lend(speaker)).engine
    return Role(speaker, await kept(partial(_custom_voice, id_, about, custom, engine)))


def custom_role(id_: str, speakers: Sequence[Speaker], custom: CustomVoices) -> Role:
    """Who speaks a custom voice, of models that are in memory; reads from disk.

    Raises:
        BadRequest: there is no such voice, or no model of its engine.
        EngineFailure: its file is damaged.
    """
    about = _known(id_, custom.voices.find(id_))
    speaker = _speaker_of(id_, about, speakers)
    return Role(speaker, _custom_voice(id_, about, custom, speaker.service.engine))


def custom_id(name: str) -> str | None:
    """The id of a custom voice, if that is what a voice's name is."""
    id_ = name.strip().lower()
    return id_ if id_.startswith(CUSTOM) else None


def _known(id_: str, about: CustomVoice | None) -> CustomVoice:
    if about is None:
        raise _unknown(id_)
    return about


def _speaker_of(id_: str, about: CustomVoice, speakers: Sequence[Speaker]) -> Speaker:
    for speaker in speakers:
        if speaker.kind == about.engine:
            return speaker
    raise BadRequest(
        f"Invalid 'voice': '{id_}' is a voice for {about.engine}, which the model {speakers[0].id} "
        "is not; name a model of that engine (GET /v1/audio/voices lists them).",
        param="voice",
    )


def _unknown(id_: str) -> BadRequest:
    return BadRequest(
        f"Invalid 'voice': there is no custom voice '{id_[:80]}' here; GET /v1/audio/voices lists "
        "what there is.",
        param="voice",
    )


def _understudies(model: str, chosen: Speaker, speakers: Sequence[Speaker]) -> list[Speaker]:
    """Who may step in: nobody where the request names a model of this server itself."""
    own = {name.lower() for name in (chosen.id, *chosen.aliases)}
    if model.lower() in own:
        return []
    return [speaker for speaker in speakers if speaker is not chosen]


def _refuse_unhosted(name: str, model: str, role: Role) -> None:
    hosted = TTS_1_VOICES if model.startswith("tts-1") and model in TTS_NAMES else OPENAI_VOICES
    if name in hosted or own_voice(name, role.speaker.service.engine):
        return
    raise BadRequest(
        f"Invalid 'voice': '{name}' is not a voice of this model; use one of "
        f"{', '.join(sorted(hosted))}; GET /v1/audio/voices lists the engine's own.",
        param="voice",
    )
