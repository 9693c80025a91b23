"""GET /models, /models/{id}, /audio/models: what this server has."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from myna.api.context import context
from myna.api.responses import json_response
from myna.errors import ModelNotFound
from myna.scheduling.residents import Residents

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
