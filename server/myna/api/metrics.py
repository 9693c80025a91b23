"""GET /metrics: what the server tells of itself, for Prometheus."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response

from myna.api.context import context

router = APIRouter(tags=["metrics"])


@router.get("/metrics", summary="Metrics for Prometheus")
async def metrics(request: Request) -> Response:
    """In the form that `Accept` asks for: Prometheus' text, or OpenMetrics."""
    encode, kind = choose_encoder(request.headers.get("accept", ""))
    # In a thread, as it reads /proc and what the scheduler holds under its locks.
    body: bytes = await asyncio.to_thread(encode, context(request).registry)
    return Response(body, media_type=kind)
