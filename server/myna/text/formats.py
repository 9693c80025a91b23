"""A transcript in OpenAI's shapes: a table of pure functions, one for each `response_format`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import Any, Literal

from myna.text.languages import language_name
from myna.text.transcript import Segment, TokenLogprob, Transcript, Word

ResponseFormat = Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"]
Granularity = Literal["word", "segment"]
UsageKind = Literal["duration", "tokens"]

LABELLED = frozenset[ResponseFormat]({"text", "srt", "vtt"})
"""Formats that can name the speakers."""

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"
"""Of `text`, `srt` and, as the hosted API has it, `vtt`."""

AUDIO_TOKENS_PER_S = 10
"""How many tokens the hosted `gpt-4o-transcribe` counts for a second of audio."""

_INFINITE = 9999.0
"""Stands for infinity, which JSON cannot say."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer, ready to be sent."""

    body: bytes
    """UTF-8."""
    content_type: str


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a request asked to see beside the text."""

    granularities: Collection[Granularity]
    usage: UsageKind
    output_tokens: int
    logprobs: bool
    languages: bool
    labels: bool = False


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


def delta_event(
    text: str, logprobs: Sequence[TokenLogprob] | None = None, segment_id: str | None = None
) -> dict[str, Any]:
    """`transcript.text.delta`: a stretch of text that the transcript goes on with."""
    event: dict[str, Any] = {"type": "transcript.text.delta", "delta": text}
    if segment_id is not None:
        event["segment_id"] = segment_id
    if logprobs is not None:
        event["logprobs"] = logprob_objects(logprobs)
    return event


def segment_id(number: int) -> str:
    """The id of a speaker's segment; the first is number 1."""
    return f"seg_{number:03d}"


def segment_event(number: int, segment: Segment) -> dict[str, Any]:
    """`transcript.text.segment`: what one speaker says in one go, also in diarized_json."""
    start_s = _seconds(segment.start_s)
    return {
        "type": "transcript.text.segment",
        "id": segment_id(number),
        "start": start_s,
        "end": max(start_s, _seconds(segment.end_s)),
        "text": segment.text.strip(),
        "speaker": segment.speaker,
    }


def done_event(
    transcript: Transcript,
    *,
    output_tokens: int = 0,
    logprobs: bool = False,
    languages: bool = False,
) -> dict[str, Any]:
    """`transcript.text.done`: the whole text. SDKs take only the tokens variant of usage here."""
    wish = _Wish((), "tokens", output_tokens, logprobs, languages)
    return {"type": "transcript.text.done", **_said(transcript, wish)}


def completed_event(
    transcript: Transcript,
    *,
    usage: UsageKind,
    output_tokens: int = 0,
    logprobs: Sequence[TokenLogprob] | None = None,
    languages: bool = False,
) -> dict[str, Any]:
    """`conversation.item.input_audio_transcription.completed`, without its ids."""
    wish = _Wish((), usage, output_tokens, logprobs=False, languages=languages)
    said = _said(transcript, wish)
    event = {
        "type": "conversation.item.input_audio_transcription.completed",
        "content_index": 0,
        "transcript": said.pop("text"),
        **said,
    }
    if logprobs is not None:
        event["logprobs"] = logprob_objects(logprobs)
    return event


def encode_json(payload: object) -> bytes:
    """Compact JSON in UTF-8, on one line for every reader.

    U+0085, U+2028 and U+2029 are escaped because line readers of some event-stream clients break
    there; a lone surrogate, which UTF-8 cannot hold, becomes U+FFFD. Raises ValueError on NaN.
    """
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = _LINE_BREAK.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return _utf8(text)


_LINE_BREAK = re.compile("[\u0085\u2028\u2029]")


def _json(transcript: Transcript, wish: _Wish) -> Rendered:
    if transcript.task == "translate":
        return Rendered(encode_json({"text": transcript.text}), JSON_TYPE)
    return Rendered(encode_json(_said(transcript, wish)), JSON_TYPE)


def _verbose_json(transcript: Transcript, wish: _Wish) -> Rendered:
    translated = transcript.task == "translate"
    body: dict[str, Any] = {
        "task": transcript.task,
        "language": "english" if translated else language_name(transcript.language),
        "duration": _seconds(transcript.duration_s),
        "text": transcript.text,
    }
    if "word" in wish.granularities:
        words = (word_shape(word) for word in transcript.words)
        body["words"] = [word for word in words if word["word"]]
    if "segment" in wish.granularities:
        body["segments"] = [_segment(*item) for item in enumerate(transcript.segments)]
    if not translated:
        body["usage"] = _duration_usage(transcript)
    return Rendered(encode_json(body), JSON_TYPE)


def _diarized_json(transcript: Transcript, wish: _Wish) -> Rendered:
    said = [segment for segment in transcript.segments if segment.text.strip()]
    body: dict[str, Any] = {
        "task": transcript.task,
        "duration": _seconds(transcript.duration_s),
        "text": transcript.text,
        "segments": [segment_event(*item) for item in enumerate(said, start=1)],
        "usage": _usage(transcript, wish),
    }
    return Rendered(encode_json(body), JSON_TYPE)


def _text(transcript: Transcript, wish: _Wish) -> Rendered:
    if not wish.labels:
        return Rendered(_utf8(transcript.text + "\n"), TEXT_TYPE)
    parts = groupby(transcript.segments, key=lambda segment: segment.speaker)
    said = ((who, "".join(each.text for each in segments).strip()) for who, segments in parts)
    lines = "".join(f"{who}: {text}\n" for who, text in said if text)
    return Rendered(_utf8(lines or "\n"), TEXT_TYPE)


def _srt(transcript: Transcript, wish: _Wish) -> Rendered:
    cues = [
        f"{number}\n{start.replace('.', ',')} --> {end.replace('.', ',')}\n{text}\n\n"
        for number, (start, end, text) in enumerate(_cues(transcript, wish), start=1)
    ]
    # The hosted body has one line feed more than its last cue needs.
    return Rendered(_utf8("".join(cues) + "\n" if cues else ""), TEXT_TYPE)


def _vtt(transcript: Transcript, wish: _Wish) -> Rendered:
    cues = [f"{start} --> {end}\n{text}\n\n" for start, end, text in _cues(transcript, wish)]
    return Rendered(_utf8("WEBVTT\n\n" + "".join(cues)), TEXT_TYPE)


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


def _said(transcript: Transcript, wish: _Wish) -> dict[str, Any]:
    """What `json` and the last event of a stream have in common."""
    body: dict[str, Any] = {"text": transcript.text}
    if wish.logprobs:
        body["logprobs"] = logprob_objects(transcript.logprobs)
    if wish.languages:
        body["languages"] = _languages(transcript)
    return {**body, "usage": _usage(transcript, wish)}


def _languages(transcript: Transcript) -> list[dict[str, str]]:
    """A language detected where nobody spoke is a guess, and is left out."""
    if transcript.language_detected and not transcript.text:
        return []
    return [{"code": transcript.language}]


def _usage(transcript: Transcript, wish: _Wish) -> dict[str, Any]:
    if wish.usage == "tokens":
        return _token_usage(transcript, wish.output_tokens)
    return _duration_usage(transcript)


def _duration_usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(_seconds(transcript.duration_s))}


def _token_usage(transcript: Transcript, output_tokens: int) -> dict[str, Any]:
    audio_tokens = math.ceil(_seconds(transcript.duration_s) * AUDIO_TOKENS_PER_S)
    input_tokens = transcript.prompt_tokens + audio_tokens
    return {
        "type": "tokens",
        "input_tokens": input_tokens,
        "input_token_details": {
            "text_tokens": transcript.prompt_tokens,
            "audio_tokens": audio_tokens,
        },
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    start_s = _seconds(segment.start_s)
    return {
        "id": number,
        "seek": int(segment.seek),
        "start": start_s,
        "end": max(start_s, _seconds(segment.end_s)),
        "text": segment.text,
        "tokens": [int(token) for token in segment.tokens],
        "temperature": _finite(segment.temperature),
        "avg_logprob": _finite(segment.avg_logprob),
        "compression_ratio": _finite(segment.compression_ratio),
        "no_speech_prob": _finite(segment.no_speech_prob),
    }


_BEFORE_WORD = "\"'“”„‘’«»‹›¿¡([{-–—…"
_AFTER_WORD = "\"'“”„‘’«»‹›.。,，!！?？:：;；、)]}-–—…،؟।"
"""Punctuation that Whisper joins to the neighbouring word, and its like in other scripts. Signs
that are spoken (%, $, &, @, #) stay."""


def word_shape(word: Word) -> dict[str, Any]:
    """`{word, start, end}` in seconds; empty `word` where there was only punctuation."""
    start_s = _seconds(word.start_s)
    text = word.text.strip().rstrip(_AFTER_WORD)
    bare = text.lstrip(_BEFORE_WORD)
    if bare[:1].isdigit() and text.removesuffix(bare).endswith("-"):
        bare = "-" + bare
    return {"word": bare.strip(), "start": start_s, "end": max(start_s, _seconds(word.end_s))}


def logprob_objects(tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """Tokens as the API lists them."""
    return [
        {"token": token.text, "logprob": _finite(token.logprob), "bytes": list(token.utf8)}
        for token in tokens
    ]


def _cues(transcript: Transcript, wish: _Wish) -> list[tuple[str, str, str]]:
    """Start, end and text of every segment that says something."""
    cues: list[tuple[str, str, str]] = []
    for segment in transcript.segments:
        # An empty line would end the cue, an arrow would start a new one.
        lines = [line.strip() for line in segment.text.splitlines() if line.strip()]
        who = f"{segment.speaker}: " if wish.labels and lines else ""
        text = re.sub("-{2,}>", "->", who + "\n".join(lines))
        if text:
            start_s = _seconds(segment.start_s)
            end_s = max(start_s, _seconds(segment.end_s))
            cues.append((_clock(start_s), _clock(end_s), text))
    return cues


def _clock(seconds: float) -> str:
    """HH:MM:SS.mmm; hours grow beyond two digits where they must."""
    total_ms = round(seconds * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{ms // 1000:02d}.{ms % 1000:03d}"


def _seconds(value: float) -> float:
    """A time as it is shown: whole milliseconds, never before the beginning nor after 30 years."""
    return min(max(0.0, round(_finite(value), 3)), 1e9)


def _finite(value: float) -> float:
    number = float(value)
    if math.isnan(number):
        return 0.0
    return math.copysign(_INFINITE, number) if math.isinf(number) else number


def _utf8(text: str) -> bytes:
    """By way of UTF-16, which joins the halves of a split character and marks a lone one."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
