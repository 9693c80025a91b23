"""What answers and events are made of: the parts of a transcript as the API's JSON objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from myna.text.transcript import Segment, TokenLogprob, Transcript, Word

UsageKind = Literal["duration", "tokens"]

AUDIO_TOKENS_PER_S = 10
"""How many tokens the hosted `gpt-4o-transcribe` counts for a second of audio."""

_INFINITE = 9999.0
"""Stands for infinity, which JSON cannot say."""
_BEFORE_WORD = "\"'“”„‘’«»‹›¿¡([{-–—…"
_AFTER_WORD = "\"'“”„‘’«»‹›.。,，!！?？:：;；、)]}-–—…،؟।"
"""Punctuation that Whisper joins to the neighbouring word, and its like in other scripts. Signs
that are spoken (%, $, &, @, #) stay."""


def text_shape(
    transcript: Transcript,
    *,
    usage: UsageKind,
    output_tokens: int = 0,
    logprobs: bool = False,
    languages: bool = False,
) -> dict[str, Any]:
    """`{text, logprobs, languages, usage}`, which `json` and the last event of a stream share.

    `usage` and `output_tokens` are those of `usage_shape`; `logprobs` and `languages` are left out
    unless they are asked for.
    """
    shape: dict[str, Any] = {"text": transcript.text}
    if logprobs:
        shape["logprobs"] = logprob_shapes(transcript.logprobs)
    if languages:
        shape["languages"] = _languages(transcript)
    return {**shape, "usage": usage_shape(transcript, usage, output_tokens)}


def _languages(transcript: Transcript) -> list[dict[str, str]]:
    """A language detected where nobody spoke is a guess, and is left out."""
    if transcript.language_detected and not transcript.text:
        return []
    return [{"code": transcript.language}]


def usage_shape(
    transcript: Transcript, kind: UsageKind = "duration", output_tokens: int = 0
) -> dict[str, Any]:
    """What the request is counted as: whole seconds, or tokens, of which `output_tokens` are text
    that was generated."""
    duration_s = shown_s(transcript.duration_s)
    if kind == "duration":
        return {"type": "duration", "seconds": math.ceil(duration_s)}
    audio_tokens = math.ceil(duration_s * AUDIO_TOKENS_PER_S)
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


def segment_shape(number: int, segment: Segment) -> dict[str, Any]:
    """A segment of verbose_json; the first is number 0."""
    start_s, end_s = shown_span_s(segment)
    return {
        "id": number,
        "seek": int(segment.seek),
        "start": start_s,
        "end": end_s,
        "text": segment.text,
        "tokens": [int(token) for token in segment.tokens],
        "temperature": _finite(segment.temperature),
        "avg_logprob": _finite(segment.avg_logprob),
        "compression_ratio": _finite(segment.compression_ratio),
        "no_speech_prob": _finite(segment.no_speech_prob),
    }


def speaker_segment_shape(number: int, segment: Segment) -> dict[str, Any]:
    """What one speaker says in one go, in diarized_json and as the event
    `transcript.text.segment`; the first is number 1."""
    start_s, end_s = shown_span_s(segment)
    return {
        "type": "transcript.text.segment",
        "id": speaker_segment_id(number),
        "start": start_s,
        "end": end_s,
        "text": segment.text.strip(),
        "speaker": segment.speaker,
    }


def speaker_segment_id(number: int) -> str:
    """The id of a speaker's segment; the first is number 1."""
    return f"seg_{number:03d}"


def word_shape(word: Word) -> dict[str, Any]:
    """`{word, start, end}` in seconds; empty `word` where there was only punctuation."""
    start_s, end_s = shown_span_s(word)
    text = word.text.strip().rstrip(_AFTER_WORD)
    bare = text.lstrip(_BEFORE_WORD)
    if bare[:1].isdigit() and text.removesuffix(bare).endswith("-"):
        bare = "-" + bare
    return {"word": bare.strip(), "start": start_s, "end": end_s}


def logprob_shapes(tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """Tokens as the API lists them."""
    return [
        {"token": token.text, "logprob": _finite(token.logprob), "bytes": list(token.utf8)}
        for token in tokens
    ]


def shown_span_s(part: Segment | Word) -> tuple[float, float]:
    """Start and end in seconds as they are shown; an end before the start becomes the start."""
    start_s = shown_s(part.start_s)
    return start_s, max(start_s, shown_s(part.end_s))


def shown_s(seconds: float) -> float:
    """A time as it is shown: whole milliseconds, never before the beginning nor after 30 years."""
    return min(max(0.0, round(_finite(seconds), 3)), 1e9)


def _finite(value: float) -> float:
    number = float(value)
    if math.isnan(number):
        return 0.0
    return math.copysign(_INFINITE, number) if math.isinf(number) else number
