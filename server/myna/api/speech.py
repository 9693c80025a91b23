"""POST /audio/speech."""

from __future__ import annotations

import base64
import json
import math
import re
import unicodedata
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any, Literal, get_args

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from starlette.responses import Response

from myna.api.admission import admitted, leased, leaving
from myna.api.body import Body
from myna.api.casting import cast, refuse_unspoken
from myna.api.context import Context, caller, context, record
from myna.api.responses import LiveStream, event, primed, unless_gone
from myna.audio.codecs import (
    CONTENT_TYPES,
    LEAST_RATE_HZ,
    MOST_RATE_HZ,
    SpeechFormat,
    layout_of,
)
from myna.engines.contract.voice import OPENAI_VOICES
from myna.errors import BadRequest, MynaError, envelope
from myna.scheduling.pieces import Utterance
from myna.scheduling.speaking import Spoken
from myna.stages import Record
from myna.text.manner import manner_of
from myna.text.subtitles import SubtitleFormat, subtitles, word_entry
from myna.text.written import SpokenWord

router = APIRouter(tags=["audio"])

_AUDIO_TOKENS_PER_S = 20
"""The hosted gpt-4o-mini-tts bills about 1,200 audio tokens a minute."""
_BODY_LIMIT_BYTES = 1024 * 1024
"""Far above any text that is accepted."""


class VoiceObject(BaseModel):
    """`{"id": …}`, the hosted form of a custom voice."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1)


class SpeechRequest(BaseModel):
    """Body of a speech request; fields it does not know are ignored, as clients send many."""

    model_config = ConfigDict(extra="ignore", strict=True)

    model: str | None = None
    input: str
    voice: str | VoiceObject | None = None
    instructions: str | None = Field(None, max_length=4096)
    response_format: SpeechFormat | None = None
    speed: float | None = Field(None, ge=0.25, le=4.0)
    stream_format: Literal["audio", "sse"] | None = None
    sample_rate: int | None = None
    """Hertz; an extension. What each format allows is in `audio.codecs`."""
    bitrate: int | None = None
    """Bits per second, of the lossy formats; an extension."""
    timestamp_granularities: list[Literal["word"]] | None = None
    """Extension for `sse`: `["word"]` adds events that tell where the words are."""
    subtitles: SubtitleFormat | None = None
    """Extension for `sse`: an event with subtitles of what was said."""

    @model_validator(mode="before")
    @classmethod
    def _bracketed(cls, content: dict[str, Any]) -> dict[str, Any]:
        """`timestamp_granularities[]`, as forms have it, is taken too."""
        members = dict(content)
        bracketed = members.pop("timestamp_granularities[]", None)
        if bracketed is not None:
            members["timestamp_granularities"] = bracketed
        return members

    @field_validator("speed")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("must be a finite number")
        return value


@router.post(
    "/audio/speech",
    summary="Text to speech",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": SpeechRequest.model_json_schema()}},
        }
    },
)
async def speech(request: Request) -> Response:
    """Speak a text; the audio is sent while it is made."""
    shared = context(request)
    residents = shared.loaded()
    place = await admitted(request, residents.tts.admission, _BODY_LIMIT_BYTES)
    streaming = False
    try:
        body = _parsed(await Body(request.stream(), request.headers, _BODY_LIMIT_BYTES).whole())
        model = request.path_params.get("deployment") or body.model
        if not model:
            raise BadRequest("you must provide a model parameter", param="model")
        lend = partial(leased, request, place=place)
        role = await cast(shared, lend, model, _voice_name(body.voice))
        service = role.speaker.service
        utterance = Utterance(
            text=_text(body.input, shared),
            voice=role.voice,
            speed=body.speed or 1.0,
            layout=layout_of(body.response_format or "mp3", body.sample_rate, body.bitrate),
            words=_wants_words(body),
            manner=manner_of(body.instructions or ""),
        )
        events = body.stream_format == "sse"
        told = record(request)
        spoken = service.speak(utterance, caller(request), told)
        source = _events(spoken, utterance, body, told) if events else _audio(spoken)
        audio = await unless_gone(request, primed(leaving(source, place)))
        streaming = True
    finally:
        if not streaming:
            place.leave()
    kind = "text/event-stream; charset=utf-8" if events else CONTENT_TYPES[utterance.layout.format]
    return LiveStream(audio, media_type=kind)


def _wants_words(body: SpeechRequest) -> bool:
    """Raises BadRequest where there would be no event to tell them in."""
    for name in ("timestamp_granularities", "subtitles"):
        if getattr(body, name) and body.stream_format != "sse":
            raise BadRequest(
                f"Invalid '{name}': sound alone cannot carry it; set stream_format to sse.",
                param=name,
            )
    return bool(body.timestamp_granularities or body.subtitles)


def _parsed(raw: bytes) -> SpeechRequest:
    try:
        content: Any = json.loads(raw)
    except (ValueError, RecursionError) as broken:
        raise BadRequest(
            "We could not parse the JSON body of your request; send a JSON object with "
            "model, input and voice."
        ) from broken
    if not isinstance(content, dict):
        raise BadRequest("The body must be a JSON object with model, input and voice.")
    try:
        return SpeechRequest.model_validate(content)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        param = str(first["loc"][0]) if first["loc"] else None
        raise BadRequest(
            f"Invalid '{param}': {_problem(param, first['msg'])}", param=param
        ) from None


def _problem(param: str | None, message: str) -> str:
    hints = {
        "voice": f"give a name such as {', '.join(OPENAI_VOICES[:3])}, or an object with only `id`",
        "response_format": f"use one of {', '.join(get_args(SpeechFormat))}",
        "speed": "give a number from 0.25 to 4.0",
        "stream_format": "use audio or sse",
        "timestamp_granularities": 'give ["word"]',
        "subtitles": "use srt or vtt",
        "sample_rate": f"give a whole number of hertz from {LEAST_RATE_HZ} to {MOST_RATE_HZ}",
        "bitrate": "give a whole number of bits per second, such as 64000",
    }
    return hints.get(param or "", message[:1].lower() + message[1:])


def _text(text: str, shared: Context) -> str:
    limit = shared.settings.max_input_chars
    if re.search("[\ud800-\udfff]", text):
        raise BadRequest("Invalid 'input': it holds half of a surrogate pair.", param="input")
    if len(text) > limit:
        raise BadRequest(
            f"Invalid 'input': string too long. Expected a string with maximum length {limit}, "
            f"but got a string with length {len(text)} instead; send it in parts.",
            param="input",
            code="string_above_max_length",
        )
    if not _visible(text):
        raise BadRequest(
            "Invalid 'input': there is nothing to say; give some words.",
            param="input",
            code="empty_string" if not text else None,
        )
    refuse_unspoken(text, shared)
    return text


def _visible(text: str) -> bool:
    """Whether there is more than white space and control characters. Marks and emoji say nothing,
    but hosted they are no error: clients try a key with a full stop, and a reply may be a thumb up.
    They become a moment of silence."""
    return any(unicodedata.category(char)[0] not in "CZ" for char in text)


def _voice_name(asked: str | VoiceObject | None) -> str:
    return (asked.id if isinstance(asked, VoiceObject) else asked) or OPENAI_VOICES[0]


async def _audio(speech: AsyncGenerator[Spoken]) -> AsyncGenerator[bytes]:
    async with aclosing(speech):
        async for spoken in speech:
            if spoken.data:
                yield spoken.data


async def _events(
    speech: AsyncGenerator[Spoken], utterance: Utterance, body: SpeechRequest, told: Record
) -> AsyncGenerator[bytes]:
    """Base64 deltas, then `done` with usage; a failure behind the first becomes an error event.

    Words follow the sound that they are in, subtitles come before `done`.
    """
    seconds = 0.0
    said: list[SpokenWord] = []
    begun = False
    try:
        async with aclosing(speech):
            async for spoken in speech:
                seconds += spoken.seconds
                if spoken.data:
                    audio = base64.b64encode(spoken.data).decode()
                    yield event({"type": "speech.audio.delta", "audio": audio})
                    begun = True
                said += spoken.words
                if body.timestamp_granularities and spoken.words:
                    words = [word_entry(word) for word in spoken.words]
                    yield event({"type": "speech.audio.words", "words": words})
    except MynaError as error:
        if not begun:
            raise
        told.failed(error.code or error.type)
        yield event(envelope(error))
        return
    if body.subtitles:
        yield event(
            {
                "type": "speech.audio.subtitles",
                "format": body.subtitles,
                "text": subtitles(said, body.subtitles),
            }
        )
    usage = _usage(utterance.text, seconds)
    yield event({"type": "speech.audio.done", "usage": usage})


def _usage(text: str, seconds: float) -> dict[str, int]:
    """Tokens as a bill would count them: words and marks in, audio out."""
    words: list[str] = re.findall(r"\w+|[^\w\s]", text)
    spoken = math.ceil(seconds * _AUDIO_TOKENS_PER_S)
    return {
        "input_tokens": len(words),
        "output_tokens": spoken,
        "total_tokens": len(words) + spoken,
    }
