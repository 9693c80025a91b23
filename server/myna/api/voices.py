"""/audio/voices: what this server speaks with, and the voices that clients make."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from myna.api import voice_form
from myna.api.context import context
from myna.api.keeping import full, kept
from myna.api.kept_form import kept_form
from myna.api.records import RecordKind
from myna.api.responses import json_response, unless_gone
from myna.api.voice_form import VoiceForm
from myna.engines.contract.synthesizer import Synthesizer
from myna.engines.contract.voice import OPENAI_VOICES, Voice
from myna.errors import BadRequest, NotImplementedHere
from myna.scheduling.casting import Role, Speaker, role_of
from myna.store.custom_voices import ConsentMissing, CustomVoice, CustomVoices, Full
from myna.text.samples import sample

router = APIRouter(tags=["voices"])


def _members(voice: CustomVoice) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": voice.name,
        "created_at": voice.created_at,
        "type": voice.type,
        "language": voice.language,
        "engine": voice.engine,
    }
    return found if voice.blend is None else {**found, "prompt": voice.blend}


_KIND = RecordKind(
    noun="custom voice",
    param="voice_id",
    object="audio.voice",
    deleted_object="audio.voice.deleted",
    members=_members,
)


@router.get("/audio/voices", summary="Voices; no key needed")
async def voices(request: Request) -> Response:
    """OpenAI's names first, as the default model speaks them, then the engines' own, then those
    that clients made, the newest first."""
    shared = context(request)
    speakers = shared.loaded().tts.residents

    def listed() -> list[dict[str, Any]]:
        return [*_hosted(speakers), *_own(speakers), *_made(speakers, shared.custom)]

    return json_response({"voices": await kept(listed)})


def _hosted(speakers: tuple[Speaker, ...]) -> list[dict[str, Any]]:
    cast = [(name, role_of(name, speakers[0], speakers[1:])) for name in OPENAI_VOICES if speakers]
    return [_entry(name, name.capitalize(), role) for name, role in cast if role is not None]


def _own(speakers: tuple[Speaker, ...]) -> list[dict[str, Any]]:
    return [
        _entry(voice.id, voice.name, Role(speaker, voice))
        for speaker in speakers
        for voice in speaker.voices
        if voice.id not in OPENAI_VOICES
    ]


def _made(speakers: tuple[Speaker, ...], custom: CustomVoices) -> list[dict[str, Any]]:
    """Those that an engine of this server speaks."""
    by_engine = {speaker.kind: speaker for speaker in reversed(speakers)}
    found: list[dict[str, Any]] = []
    for id_ in custom.voices.ids():
        about = custom.voices.find(id_)
        speaker = by_engine.get(about.engine) if about else None
        if about and speaker:
            voice = Voice(id_, about.name, about.language)
            found.append(_entry(id_, about.name, Role(speaker, voice)) | {"custom": True})
    return found


def _entry(id_: str, name: str, role: Role) -> dict[str, Any]:
    return {
        "id": id_,
        "name": name,
        "language": role.voice.language,
        "model": role.speaker.id,
        "engine": role.speaker.kind,
        "sample": sample(role.voice.language),
    }


@router.post("/audio/voices", summary="Make a voice")
async def create(request: Request) -> Response:
    """A form; see `voice_form`."""
    shared = context(request)
    async with await kept_form(request, shared) as form:
        asked = voice_form.read(form)
        voice, file = await _made_by_one(request, asked)
        try:
            id_ = await kept(lambda: shared.custom.add_voice(voice, file))
            return json_response(_KIND.shape(id_, voice))
        except Full:
            raise full("custom voices", shared.settings.max_custom_voices) from None
        except ConsentMissing:
            raise BadRequest(
                f"Invalid 'consent': there is no consent '{(asked.consent or '')[:80]}'; "
                "GET /v1/audio/voice_consents lists what there is.",
                param="consent",
                code="invalid_value",
            ) from None


async def _made_by_one(request: Request, asked: VoiceForm) -> tuple[CustomVoice, bytes | None]:
    """The voice as the models in memory make it, or else as one of the others does, each of which
    is loaded for that."""
    speakers = context(request).loaded().tts.residents
    here = tuple(one for one in speakers if one.held)
    cold = [(one,) for one in speakers if not one.held]
    first, *rest = [here, *cold] if here else cold or [()]
    try:
        return await _made_by(request, asked, first)
    except NotImplementedHere:
        for group in rest:
            with suppress(NotImplementedHere):
                return await _made_by(request, asked, group)
        raise


async def _made_by(
    request: Request, asked: VoiceForm, speakers: tuple[Speaker, ...]
) -> tuple[CustomVoice, bytes | None]:
    lending = context(request).lending()
    engines: list[Synthesizer] = []
    with ExitStack() as until:
        for speaker in speakers:
            lease = await unless_gone(request, lending.lease(speaker))
            until.callback(lease.end)
            engines.append(lease.service.engine)
        return await kept(partial(voice_form.made, asked, engines))


@router.get("/audio/voices/{voice}", summary="One custom voice")
async def retrieve(request: Request, voice: str) -> Response:
    """As it was answered when it was made."""
    return await _KIND.retrieve(context(request).custom.voices, voice)


@router.post("/audio/voices/{voice}", summary="Rename a custom voice")
async def rename(request: Request, voice: str) -> Response:
    """JSON or a form with `name`."""
    shared = context(request)
    return await _KIND.rename(request, shared, shared.custom.voices, voice)


@router.delete("/audio/voices/{voice}", summary="Delete a custom voice")
async def delete(request: Request, voice: str) -> Response:
    """What is being spoken with it is spoken to its end. Its consent stays."""
    custom = context(request).custom
    return await _KIND.delete(voice, partial(custom.voices.delete, voice))
