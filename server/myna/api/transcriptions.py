"""POST /audio/transcriptions and /audio/translations."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from myna.api import speaker_form, transcription_form
from myna.api.admission import admitted, leased, leaving, lent
from myna.api.context import caller, context, record
from myna.api.form_body import form_of
from myna.api.forms import Form
from myna.api.head_start import HeadStart
from myna.api.names import LISTS_LANGUAGES, counts_duration
from myna.api.responses import DONE, LiveStream, event, primed, unless_gone
from myna.api.transcription_form import TranscriptionForm
from myna.errors import BadRequest, MynaError, envelope
from myna.scheduling.ahead import Ahead
from myna.scheduling.diarization import Hearing
from myna.scheduling.resident import Resident
from myna.scheduling.residents import Residents
from myna.scheduling.transcription import Bounds, Progress, Transcription, TranscriptionService
from myna.stages import Record
from myna.text.answers import render
from myna.text.events import delta_event, done_event
from myna.text.shapes import speaker_segment_id, speaker_segment_shape
from myna.text.transcript import Task, Transcript

router = APIRouter(tags=["audio"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "model"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "model": {"type": "string", "default": "whisper-1"},
                        "language": {"type": "string"},
                        "prompt": {"type": "string"},
                        "response_format": {
                            "type": "string",
                            "enum": list(transcription_form.FORMATS),
                            "default": "json",
                        },
                        "temperature": {"type": "number", "minimum": 0, "maximum": 1},
                        "timestamp_granularities[]": {
                            "type": "array",
                            "items": {"type": "string", "enum": ["word", "segment"]},
                        },
                        "include[]": {
                            "type": "array",
                            "items": {"type": "string", "enum": ["logprobs"]},
                        },
                        "stream": {"type": "boolean", "default": False},
                        "known_speaker_names[]": {"type": "array", "items": {"type": "string"}},
                        "known_speaker_references[]": {
                            "type": "array",
                            "items": {"type": "string", "description": "data URL, 2 to 10 s"},
                        },
                        "min_speakers": {"type": "integer", "minimum": 1},
                        "max_speakers": {"type": "integer", "minimum": 1},
                        "speaker_labels": {"type": "boolean", "default": False},
                    },
                }
            }
        },
    }
}


@router.post("/audio/transcriptions", openapi_extra=_BODY, summary="Speech to text")
async def transcriptions(request: Request) -> Response:
    """Transcribe a recording in the language that is spoken."""
    return await _answer(request, "transcribe")


@router.post("/audio/translations", openapi_extra=_BODY, summary="Speech to English text")
async def translations(request: Request) -> Response:
    """Transcribe a recording of any language in English."""
    return await _answer(request, "translate")


async def _answer(request: Request, task: Task) -> Response:
    shared = context(request)
    residents = shared.loaded()
    place = await admitted(request, residents.stt.admission, shared.settings.max_upload_bytes)
    form = None
    streaming = False

    def named(form: Form) -> tuple[str, Resident[TranscriptionService]]:
        model = request.path_params.get("deployment") or form.text("model")
        if not model:
            raise BadRequest("you must provide a model parameter", param="model")
        return model, residents.transcriber(model, strict=shared.settings.strict)

    def choose(form: Form) -> tuple[TranscriptionService, TranscriptionForm]:
        model, resident = named(form)
        service = lent(request, resident, place)
        return service, transcription_form.read(
            form,
            model=model,
            task=task,
            engine=service.engine,
            beam_size=shared.settings.beam_size,
            strict=shared.settings.strict,
        )

    told = record(request)
    bounds = Bounds(caller(request), shared.settings.request_timeout_s or None, told)
    start = HeadStart(choose, partial(_hearing, residents, bounds), bounds)
    try:
        form = await form_of(
            request,
            limit_bytes=shared.settings.max_upload_bytes,
            spool=shared.spool,
            arriving=start.begin,
        )
        if shared.rehearsal is not None:
            await shared.rehearsal.rewrite(form, shared.spool)
        await leased(request, named(form)[1], place)
        service, asked = choose(form)
        if asked.stream:
            source = leaving(_events(form, service, asked, start, told), place)
            events = await unless_gone(request, primed(source))
            streaming = True
            return LiveStream(events, media_type="text/event-stream; charset=utf-8")
        return await unless_gone(request, _whole(service, asked, start, told))
    finally:
        if not streaming:
            place.leave()
            await start.close()
            if form is not None:
                await form.close()


async def _hearing(
    residents: Residents, bounds: Bounds, service: TranscriptionService, asked: TranscriptionForm
) -> Hearing | None:
    """What tells the speakers apart, where somebody wants to know."""
    if asked.speakers is None:
        return None
    return await speaker_form.begin(
        asked.speakers, service, residents.diarizer("response_format"), bounds.caller
    )


async def _whole(
    service: TranscriptionService, asked: TranscriptionForm, start: HeadStart, told: Record
) -> Response:
    transcription = await start.finish(service, asked)
    transcript = await transcription.run()
    begun_s = time.perf_counter()
    # In a thread, as an hour of words is megabytes of JSON.
    rendered = await service.call(
        lambda: render(
            transcript,
            asked.format,
            granularities=asked.granularities,
            usage="duration" if counts_duration(asked.model) else "tokens",
            output_tokens=_output_tokens(service, transcript),
            logprobs=asked.logprobs,
            languages=asked.model in LISTS_LANGUAGES,
            labels=asked.speakers is not None and asked.speakers.labels,
        )
    )
    told.stage("encode-out", begun_s, time.perf_counter())
    return Response(rendered.body, media_type=rendered.content_type)


async def _events(
    form: Form,
    service: TranscriptionService,
    asked: TranscriptionForm,
    start: HeadStart,
    told: Record,
) -> AsyncGenerator[bytes]:
    """Deltas as windows finish, with diarized_json a segment behind each, one `done` with the whole
    text, `[DONE]`.

    A failure before the first delta is raised, one behind it becomes an error event.
    """
    begun = False
    try:
        transcription = await start.finish(service, asked)
        if asked.format == "diarized_json":
            said = _segments(transcription)
        else:
            said = _deltas(transcription, logprobs=asked.logprobs)
        async for block in said:
            begun = True
            yield block
        transcript = transcription.transcript
        yield event(
            done_event(
                transcript,
                output_tokens=_output_tokens(service, transcript),
                logprobs=asked.logprobs,
                languages=asked.model in LISTS_LANGUAGES,
            )
        )
        yield DONE
    except MynaError as error:
        if not begun:
            raise
        told.failed(error.code or error.type)
        yield event(envelope(error))
    finally:
        await start.close()
        await form.close()


async def _segments(transcription: Transcription | Ahead) -> AsyncIterator[bytes]:
    """What each speaker says, as it becomes final: its text, then all about it. Joined, the deltas
    are the text of `done`."""
    number = 0
    async for progress in transcription.progress():
        for segment in progress.segments:
            if not segment.text.strip():
                continue
            number += 1
            text = segment.text.rstrip() if number > 1 else segment.text.strip()
            yield event(delta_event(text, segment_id=speaker_segment_id(number)))
            yield event(speaker_segment_shape(number, segment))


async def _deltas(transcription: Transcription | Ahead, *, logprobs: bool) -> AsyncIterator[bytes]:
    """The text as it becomes final; joined, the deltas are the text of `done`."""
    begun = False
    held = ""
    async for progress in transcription.progress():
        text = held + _text(progress)
        if not begun:
            text = text.lstrip()
        # Space at the end stays back: if nothing follows, it is no part of the whole text.
        held = text[len(text.rstrip()) :]
        text = text.rstrip()
        if text:
            tokens = [token for segment in progress.segments for token in segment.logprobs]
            yield event(delta_event(text, tokens if logprobs else None))
            begun = True
    if not begun:
        yield event(delta_event("", [] if logprobs else None))


def _text(progress: Progress) -> str:
    return "".join(segment.text for segment in progress.segments)


def _output_tokens(service: TranscriptionService, transcript: Transcript) -> int:
    return service.engine.count_tokens(transcript.segments)
