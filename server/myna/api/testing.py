"""/testing: where tests arrange faults and transcripts. Only with the setting `testing`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from myna.api.context import context
from myna.api.faults import checked
from myna.api.forms import strict_json
from myna.api.rehearsal import CONTROL, FaultInLine, Rehearsal
from myna.api.responses import json_response
from myna.errors import BadRequest, NotFound

router = APIRouter(prefix=CONTROL)


class Script(BaseModel):
    """What is said in an upload."""

    model_config = ConfigDict(extra="forbid")

    text: str
    filename: str | None = None
    """Name of the upload, without folders."""
    sha256: str | None = Field(None, pattern="^[0-9a-fA-F]{64}$")
    """Of its bytes. With neither, the text is said in every upload that has none of its own."""


@router.get("", summary="Requests that came, and faults in line")
async def arranged(request: Request) -> Response:
    """Since the start, or the last `DELETE`."""
    rehearsal = _rehearsal(request)
    return json_response(
        {
            "requests": [asdict(seen) for seen in rehearsal.seen],
            "faults": [due.model_dump() for due in rehearsal.faults],
        }
    )


@router.delete("", summary="Forget faults, transcripts and requests")
async def forget(request: Request) -> Response:
    """As after the start."""
    _rehearsal(request).reset()
    return Response(status_code=204)


@router.post("/faults", summary="Put a fault in line")
async def add_fault(request: Request) -> Response:
    """Faults meet requests in the order in which they were put in line."""
    rehearsal = _rehearsal(request)
    rehearsal.faults.append(checked(FaultInLine, await _json(request)))
    return Response(status_code=204)


@router.post("/transcripts", summary="Say what an upload says")
async def add_transcript(request: Request) -> Response:
    """The upload need not be audio."""
    rehearsal = _rehearsal(request)
    if not rehearsal.scriptable:
        raise BadRequest("Transcripts can only be given to a server with `--stt fake`.")
    script = checked(Script, await _json(request))
    rehearsal.scripts.add(script.text, filename=script.filename, sha256=script.sha256)
    return Response(status_code=204)


def _rehearsal(request: Request) -> Rehearsal:
    found = context(request).rehearsal
    if found is None:
        raise NotFound("This server does not run with `--testing`.")
    return found


async def _json(request: Request) -> Any:
    try:
        return strict_json(await request.body())
    except (ValueError, RecursionError) as broken:
        raise BadRequest(f"The body is not JSON: {broken}") from broken
