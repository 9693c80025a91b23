"""GET /health (the process lives) and /ready (the models are loaded and warm)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from myna import __version__
from myna.api.context import context
from myna.api.responses import json_response

router = APIRouter(tags=["health"])


@router.head("/health", include_in_schema=False)
@router.get("/health", summary="The process lives")
async def health() -> Response:
    """Always 200 while the event loop turns."""
    return json_response({"status": "ok", "version": __version__})


@router.head("/ready", include_in_schema=False)
@router.get("/ready", summary="The models are loaded and warm")
async def ready(request: Request) -> Response:
    """200 with the models that are loaded; 503 until then."""
    return json_response({"status": "ready", "models": context(request).loaded().names})
