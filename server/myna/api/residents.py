"""GET /residents, POST and DELETE /models/{id}: which models are in memory, and changing that."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from myna.api.context import Context, context
from myna.api.responses import json_response
from myna.errors import BadRequest, Forbidden, MethodNotAllowed, ModelNotFound, Overloaded
from myna.scheduling.residents import AnyResident, Residents

router = APIRouter(tags=["residents"])


@router.get("/residents", summary="Which models are in memory")
async def listed(request: Request) -> Response:
    """All models of this server, each with its state; where there is an admin key, also those that
    it may have loaded."""
    found = context(request).loaded()
    shown = [_shown(resident, found) for resident in found.known]
    return json_response({"object": "list", "data": shown})


@router.post("/models/{model:path}", summary="Load a model; needs the admin key")
async def load(request: Request, model: str) -> Response:
    """200 when it is in memory; 202 where it is still on its way after `load_wait_s`. With
    `?pinned=true` it stays there, with `?pinned=false` it need not any more."""
    shared, resident = _asked(request, model)
    pinned = _pinned(request)
    try:
        await shared.lending().load(resident, wait_s=shared.settings.load_wait_s)
    except Overloaded:
        if resident.state not in {"fetching", "loading"}:
            raise
    if pinned is not None:
        resident.pinned = pinned
    return json_response(_shown(resident, shared.loaded()), 200 if resident.held else 202)


@router.delete("/models/{model:path}", summary="Unload a model; needs the admin key")
async def unload(request: Request, model: str) -> Response:
    """It leaves memory, and is loaded again when somebody asks for it; 409 while it is in use."""
    shared, resident = _asked(request, model)
    await shared.lending().unload(resident)
    shown = _shown(resident, shared.loaded())
    return json_response({**shown, "object": "model", "deleted": True})


def _asked(request: Request, model: str) -> tuple[Context, AnyResident]:
    shared = context(request)
    resident = shared.loaded().find_known(model)
    if resident is None:
        raise ModelNotFound(model)  # also for what tells speakers apart: it has a setting
    if shared.keyring.admin is None:
        raise MethodNotAllowed(
            f"The model `{model}` belongs to this server; to load and unload models while it runs, "
            "set admin_key and send that."
        )
    if not shared.keyring.is_admin(request.headers):
        raise Forbidden("Only the admin key loads and unloads models (setting admin_key).")
    return shared, resident


def _pinned(request: Request) -> bool | None:
    """What the query says; None where it says nothing."""
    said = request.query_params.get("pinned")
    if said not in {None, "true", "false"}:
        raise BadRequest("pinned must be true or false", param="pinned")
    return None if said is None else said == "true"


def _shown(resident: AnyResident, residents: Residents) -> dict[str, object]:
    now_s = asyncio.get_running_loop().time()
    since_s = resident.loading_since_s
    idle = resident.held is not None and not resident.leases
    return {
        "id": resident.id,
        "object": "resident",
        "task": residents.task_of(resident),
        "engine": resident.kind,
        "state": resident.state,
        "served": resident.served,
        "pinned": resident.pinned,
        "requests": resident.leases,
        "memory_bytes": resident.memory_bytes,
        "loading_s": None if since_s is None else round(now_s - since_s, 1),
        "fetched": None if resident.fetched is None else round(resident.fetched, 3),
        "idle_s": round(now_s - resident.used_s, 1) if idle else None,
    }
