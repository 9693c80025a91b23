"""What a session says: events as functions of what they tell, without their ids."""

from __future__ import annotations

from typing import Any

from myna.errors import MynaError, envelope
from myna.realtime.items import Delta, Item
from myna.text.shapes import logprob_shapes, text_shape

Event = dict[str, Any]

_TRANSCRIPTION = "conversation.item.input_audio_transcription"


def error(failure: MynaError, culprit: str | None) -> Event:
    """Something the client sent could not be done; the session goes on."""
    return {"type": "error", "error": envelope(failure)["error"] | {"event_id": culprit}}


def speech_started(item_id: str, at_ms: int) -> Event:
    """Somebody begins to speak; `at_ms`, in all the session's audio, includes the padding."""
    return {
        "type": "input_audio_buffer.speech_started",
        "audio_start_ms": at_ms,
        "item_id": item_id,
    }


def speech_stopped(item_id: str, at_ms: int) -> Event:
    """Nobody speaks any more; `at_ms` includes the silence that tells so."""
    return {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": at_ms, "item_id": item_id}


def timeout_triggered(item_id: str, start_ms: int, end_ms: int) -> Event:
    """Nobody has spoken for the idle timeout."""
    return {
        "type": "input_audio_buffer.timeout_triggered",
        "audio_start_ms": start_ms,
        "audio_end_ms": end_ms,
        "item_id": item_id,
    }


def committed(item_id: str, previous_id: str | None) -> Event:
    """An item has all its audio."""
    return {
        "type": "input_audio_buffer.committed",
        "item_id": item_id,
        "previous_item_id": previous_id,
    }


def item_event(type_: str, item_id: str, previous_id: str | None) -> Event:
    """An item is in the conversation."""
    item = {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    return {"type": type_, "previous_item_id": previous_id, "item": item}


def delta(item: Item, part: Delta) -> Event:
    """The item's text goes on."""
    event = _of(item, "delta") | {"delta": part.text}
    if item.manner.logprobs:
        event["logprobs"] = logprob_shapes(part.tokens)
    return event


def completed(item: Item, *, counts_duration: bool, languages: bool) -> Event:
    """The item's whole text."""
    shape = text_shape(
        item.transcript(),
        usage="duration" if counts_duration else "tokens",
        output_tokens=item.output_tokens(),
        languages=languages,
    )
    event = _of(item, "completed") | {"transcript": shape.pop("text")} | shape
    if item.manner.logprobs:
        event["logprobs"] = logprob_shapes(item.tokens)
    return event


def failed(item: Item, failure: MynaError) -> Event:
    """There will be no text."""
    return _of(item, "failed") | envelope(failure)


def _of(item: Item, what: str) -> Event:
    return {"type": f"{_TRANSCRIPTION}.{what}", "item_id": item.id, "content_index": 0}
