"""A transcript as the body of an answer: a pure function for each `response_format`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Any, Literal

from myna.text.cues import srt, vtt
from myna.text.encoding import encode_json, encode_text
from myna.text.languages import language_name
from myna.text.shapes import (
    UsageKind,
    segment_shape,
    shown_s,
    speaker_segment_shape,
    text_shape,
    usage_shape,
    word_shape,
)
from myna.text.transcript import Transcript

ResponseFormat = Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"]
Granularity = Literal["word", "segment"]

LABELLED = frozenset[ResponseFormat]({"text", "srt", "vtt"})
"""Formats that can name the speakers."""

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"
"""Of `text`, `srt` and, as the hosted API has it, `vtt`."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer, ready to be sent."""

    body: bytes
    """UTF-8."""
    content_type: str


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a request asked to see beside the text; see `render`."""

    granularities: Collection[Granularity]
    usage: UsageKind
    output_tokens: int
    logprobs: bool
    languages: bool
    labels: bool


def render(
    transcript: Transcript,
    response_format: ResponseFormat,
    *,
    granularities: Collection[Granularity] = ("segment",),
    usage: UsageKind = "duration",
    output_tokens: int = 0,
    logprobs: bool = False,
    languages: bool = False,
    labels: bool = False,
) -> Rendered:
    """The body of a transcription or translation.

    `granularities` chooses between `words` and `segments` in verbose_json; none means segments.
    `usage` chooses the variant in json, where `output_tokens` is how many text tokens were
    generated. `logprobs` adds that list to json, `languages` adds gpt-transcribe's. `labels` puts
    the speaker's name before a cue of srt and vtt, and before each speaker's part in text.
    """
    wish = _Wish(granularities or ("segment",), usage, output_tokens, logprobs, languages, labels)
    return RENDERERS[response_format](transcript, wish)


def _json(transcript: Transcript, wish: _Wish) -> Rendered:
    if transcript.task == "translate":
        return Rendered(encode_json({"text": transcript.text}), JSON_TYPE)
    body = text_shape(
        transcript,
        usage=wish.usage,
        output_tokens=wish.output_tokens,
        logprobs=wish.logprobs,
        languages=wish.languages,
    )
    return Rendered(encode_json(body), JSON_TYPE)


def _verbose_json(transcript: Transcript, wish: _Wish) -> Rendered:
    translated = transcript.task == "translate"
    body: dict[str, Any] = {
        "task": transcript.task,
        "language": "english" if translated else language_name(transcript.language),
        "duration": shown_s(transcript.duration_s),
        "text": transcript.text,
    }
    if "word" in wish.granularities:
        words = (word_shape(word) for word in transcript.words)
        body["words"] = [word for word in words if word["word"]]
    if "segment" in wish.granularities:
        body["segments"] = [segment_shape(*item) for item in enumerate(transcript.segments)]
    if not translated:
        body["usage"] = usage_shape(transcript)
    return Rendered(encode_json(body), JSON_TYPE)


def _diarized_json(transcript: Transcript, wish: _Wish) -> Rendered:
    said = [segment for segment in transcript.segments if segment.text.strip()]
    body: dict[str, Any] = {
        "task": transcript.task,
        "duration": shown_s(transcript.duration_s),
        "text": transcript.text,
        "segments": [speaker_segment_shape(*item) for item in enumerate(said, start=1)],
        "usage": usage_shape(transcript, wish.usage, wish.output_tokens),
    }
    return Rendered(encode_json(body), JSON_TYPE)


def _text(transcript: Transcript, wish: _Wish) -> Rendered:
    if not wish.labels:
        return Rendered(encode_text(transcript.text + "\n"), TEXT_TYPE)
    parts = groupby(transcript.segments, key=lambda segment: segment.speaker)
    said = ((who, "".join(each.text for each in segments).strip()) for who, segments in parts)
    lines = "".join(f"{who}: {text}\n" for who, text in said if text)
    return Rendered(encode_text(lines or "\n"), TEXT_TYPE)


def _srt(transcript: Transcript, wish: _Wish) -> Rendered:
    return Rendered(encode_text(srt(transcript.segments, labels=wish.labels)), TEXT_TYPE)


def _vtt(transcript: Transcript, wish: _Wish) -> Rendered:
    return Rendered(encode_text(vtt(transcript.segments, labels=wish.labels)), TEXT_TYPE)


_Renderer = Callable[[Transcript, _Wish], Rendered]

RENDERERS: Mapping[str, _Renderer] = MappingProxyType(
    {
        "json": _json,
        "text": _text,
        "srt": _srt,
        "verbose_json": _verbose_json,
        "vtt": _vtt,
        "diarized_json": _diarized_json,
    }
)
"""`response_format` -> what makes its body."""
