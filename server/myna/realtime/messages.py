"""What a client says: messages as they come off the wire."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import cast

from myna.errors import BadRequest
from myna.realtime.fields import Fields

APPEND, COMMIT, CLEAR = (f"input_audio_buffer.{what}" for what in ("append", "commit", "clear"))
MOST_AUDIO_CHARS = 15 * 1024 * 1024
"""Of base64 in one event, as hosted."""
MOST_ID_CHARS = 512
"""Of a client's `event_id`, as hosted."""


def parsed(message: str | bytes) -> Fields:
    """A client's event.

    Raises:
        BadRequest: the message is no JSON object.
    """
    if isinstance(message, bytes):
        raise BadRequest(
            "Binary messages mean nothing here. Send JSON as text; audio goes as base64 into "
            f"'{APPEND}'.",
            code="invalid_message",
        )
    try:
        event: object = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The message is not valid JSON: {error}", code="invalid_json") from error
    if not isinstance(event, dict):
        raise BadRequest("The message is JSON but no object with a `type`.", code="invalid_json")
    return Fields(cast("Mapping[str, object]", event))


def audio_of(event: Fields) -> bytes:
    """The audio of an append.

    Raises:
        BadRequest: there is none, it is no base64, or too much of it.
    """
    encoded = event.text("audio")
    if encoded is None:
        event.refuse("audio", "audio in base64")
    if len(encoded) > MOST_AUDIO_CHARS:
        raise BadRequest(
            f"Invalid 'audio': {len(encoded)} characters of base64 are more than "
            f"{MOST_AUDIO_CHARS} (15 MiB); send it in parts.",
            param="audio",
            code="string_above_max_length",
        )
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise BadRequest(
            f"Invalid 'audio': not base64 ({error}).", param="audio", code="invalid_value"
        ) from error
