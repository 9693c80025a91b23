"""Forms as JSON, with the audio as base64: `{model, input_audio: {data, format}, …}`."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from anyio import to_thread

from myna.api.body import BODY_LIMIT_BYTES, Body
from myna.api.forms import Form, Upload, refuse, stored, strict_json
from myna.api.spool import Spool
from myna.errors import BadRequest


async def read_json_form(
    stream: AsyncIterator[bytes],
    headers: Mapping[str, str],
    *,
    limit_bytes: int = BODY_LIMIT_BYTES,
    spool: Spool | None = None,
) -> Form:
    """Read the JSON form of a transcription request, `{model, input_audio: {data, format}, …}`.

    `input_audio` (base64) becomes the upload `file`, every other member a field. Arguments and
    errors are those of `api.multipart.read_form`.
    """
    body = Body(stream, headers, limit_bytes)
    text = await body.whole()
    return await to_thread.run_sync(_form_from_json, text, spool or Spool())


def _form_from_json(text: bytes, spool: Spool) -> Form:
    try:
        body = strict_json(text)
        if not isinstance(body, dict):
            raise BadRequest("The request is JSON but no object. Send {'name of a field': …, …}.")
        members = cast("dict[str, Any]", body)
        audio = members.pop("input_audio", None)
        fields = [field for name, value in members.items() for field in _flattened(name, value)]
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"Could not parse the request as JSON: {error}") from error
    return Form(fields, {} if audio is None else {"file": _decoded(audio, spool)})


def _flattened(name: str, value: object) -> list[tuple[str, str]]:
    """A member of a JSON body as the fields that a form would have had."""
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    texts = [
        item if isinstance(item, str) else json.dumps(item) for item in items if item is not None
    ]
    for text in texts:
        text.encode()  # a lone surrogate is no text
    return [(name, text) for text in texts]


def _decoded(audio: object, spool: Spool) -> Upload:
    """`{data, format}` with base64 data, which may have the head of a data URL, as an upload."""
    members = cast("dict[str, object]", audio) if isinstance(audio, dict) else {}
    data, kind = members.get("data"), members.get("format") or ""
    if not isinstance(data, str) or not isinstance(kind, str):
        refuse("input_audio", "input_audio is not {'data': <base64>, 'format': 'wav'}.")
    encoded = data.partition(",")[2] if data.startswith("data:") else data
    try:
        decoded = base64.b64decode("".join(encoded.split()), validate=True)
    except ValueError as error:
        raise BadRequest(f"input_audio.data is not base64: {error}", param="input_audio") from error
    names = (f"audio.{kind}", f"audio/{kind}") if kind else ("audio", "")
    return stored(spool, decoded, *names)
