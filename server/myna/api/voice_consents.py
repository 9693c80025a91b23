"""/audio/voice_consents: recordings in which somebody agrees to a voice being made of theirs."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response

from myna.api.context import context
from myna.api.forms import refuse
from myna.api.keeping import full, kept
from myna.api.kept_form import is_audio, kept_form, language_tag, named, uploaded
from myna.api.records import RecordKind
from myna.api.responses import json_response
from myna.errors import BadRequest, UnsupportedAudio
from myna.store.custom_voices import Consent, ConsentInUse, Full

router = APIRouter(tags=["voices"])

_MOST_LISTED, _USUALLY_LISTED = 100, 20


def _members(consent: Consent) -> dict[str, Any]:
    return {
        "name": consent.name,
        "language": consent.language,
        "created_at": consent.created_at,
    }


_KIND = RecordKind(
    noun="voice consent",
    param="consent_id",
    object="audio.voice_consent",
    deleted_object="audio.voice_consent",
    members=_members,
)


@router.post("/audio/voice_consents", summary="Keep a consent recording")
async def create(request: Request) -> Response:
    """A form with `name`, `language` and `recording`."""
    shared = context(request)
    async with await kept_form(request, shared) as form:
        name, language = named(form), language_tag(form)
        recording = uploaded(form, "recording")
        if recording is None:
            raise BadRequest("Missing 'recording': send the consent as a file.", param="recording")

        def add() -> tuple[str, Consent]:
            data = recording.file.read()
            if not is_audio(data):
                raise UnsupportedAudio(param="recording")
            consent = Consent(name=name, language=language)
            return shared.custom.add_consent(consent, data), consent

        try:
            return json_response(_KIND.shape(*await kept(add)))
        except Full:
            raise full("consents", shared.settings.max_custom_voices) from None


@router.get("/audio/voice_consents", summary="Consents, the newest first, in pages")
async def list_(request: Request) -> Response:
    """`after` is the last id of the page before, `limit` from 1 to 100."""
    custom = context(request).custom
    limit, after = _limit(request.query_params), request.query_params.get("after")

    def page() -> dict[str, Any]:
        ids = custom.consents.ids()
        if after:
            # The one that the client names may have been deleted since.
            ids = [id_ for id_ in ids if id_ < after]
        found = [(id_, custom.consents.find(id_)) for id_ in ids[:limit]]
        data = [_KIND.shape(id_, consent) for id_, consent in found if consent is not None]
        return {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": len(ids) > limit,
        }

    return json_response(await kept(page))


@router.get("/audio/voice_consents/{consent}", summary="One consent")
async def retrieve(request: Request, consent: str) -> Response:
    """What it is called; the recording itself is not given out."""
    return await _KIND.retrieve(context(request).custom.consents, consent)


@router.post("/audio/voice_consents/{consent}", summary="Rename a consent")
async def rename(request: Request, consent: str) -> Response:
    """JSON or a form with `name`."""
    shared = context(request)
    return await _KIND.rename(request, shared, shared.custom.consents, consent)


@router.delete("/audio/voice_consents/{consent}", summary="Delete a consent")
async def delete(request: Request, consent: str) -> Response:
    """Refused while a voice rests on it."""
    custom = context(request).custom
    try:
        return await _KIND.delete(consent, partial(custom.delete_consent, consent))
    except ConsentInUse as used:
        raise BadRequest(
            f"The voice {used} rests on this consent; delete the voice first.", code="in_use"
        ) from None


def _limit(query: QueryParams) -> int:
    text = query.get("limit") or str(_USUALLY_LISTED)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST_LISTED):
        refuse("limit", f"Invalid 'limit': {text[:40]!r} is no number from 1 to {_MOST_LISTED}.")
    return int(text)
