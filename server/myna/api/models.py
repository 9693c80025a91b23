"""GET /models, /models/{id}, /audio/models, /audio/voices: what this server has."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from myna.api.context import context
from myna.api.responses import json_response
from myna.engines.contract import OPENAI_VOICES, Voice
from myna.errors import ModelNotFound, NotImplementedHere
from myna.scheduling.resident import Resident
from myna.scheduling.residents import Residents
from myna.scheduling.speaking import SpeechService

router = APIRouter(tags=["models"])


def _listed(residents: Residents) -> list[dict[str, object]]:
    listed: dict[str, dict[str, object]] = {}
    for name, resident in (*residents.stt.names(), *residents.tts.names()):
        entry: dict[str, object] = {
            "id": name,
            "object": "model",
            "created": resident.created,
            "owned_by": "myna",
        }
        listed.setdefault(name.lower(), entry)
    return list(listed.values())


@router.get("/models", summary="Models, by every name that they answer to")
async def models(request: Request) -> Response:
    """OpenAI's names, ids of cards and their aliases."""
    return json_response({"object": "list", "data": _listed(context(request).loaded())})


@router.get("/models/{model:path}", summary="One model")
async def model(request: Request, model: str) -> Response:
    """A model by any of its names; a slash in it may be percent-encoded or not."""
    for entry in _listed(context(request).loaded()):
        if str(entry["id"]).lower() == model.lower():
            return json_response(entry)
    raise ModelNotFound(model)


@router.get("/audio/models", summary="Models as Open WebUI asks for them; no key needed")
async def audio_models(request: Request) -> Response:
    """Only ids."""
    listed = _listed(context(request).loaded())
    return json_response({"models": [{"id": entry["id"]} for entry in listed]})


@router.get("/audio/voices", summary="Voices; no key needed")
async def voices(request: Request) -> Response:
    """OpenAI's names first, as the default model speaks them, then the engines' own."""
    residents = context(request).loaded().tts.residents
    listed = [
        _voice(name, name.capitalize(), voice, resident)
        for resident in residents[:1]
        for name, voice in resident.stand_ins.items()
    ]
    listed += [
        _voice(voice.id, voice.name, voice, resident)
        for resident in residents
        for voice in resident.voices
        if voice.id not in OPENAI_VOICES
    ]
    return json_response({"voices": listed})


def _voice(
    id_: str, name: str, voice: Voice, resident: Resident[SpeechService]
) -> dict[str, object]:
    return {
        "id": id_,
        "name": name,
        "language": voice.language,
        "model": resident.id,
        "engine": resident.kind,
    }


@router.post("/audio/voices", include_in_schema=False)
@router.delete("/audio/voices/{voice}", include_in_schema=False)
@router.api_route("/audio/voice_consents", methods=["GET", "POST"], include_in_schema=False)
@router.api_route(
    "/audio/voice_consents/{consent}", methods=["GET", "POST", "DELETE"], include_in_schema=False
)
async def custom_voices(request: Request) -> Response:
    """Part of the hosted API that is not here yet."""
    del request
    raise NotImplementedHere(
        "Custom voices are not available on this server; GET /v1/audio/voices lists what is."
    )
