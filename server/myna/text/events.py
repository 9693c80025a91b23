"""The events of a transcript that is streamed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from myna.text.shapes import logprob_shapes, text_shape
from myna.text.transcript import TokenLogprob, Transcript


def delta_event(
    text: str, logprobs: Sequence[TokenLogprob] | None = None, segment_id: str | None = None
) -> dict[str, Any]:
    """`transcript.text.delta`: a stretch of text that the transcript goes on with."""
    event: dict[str, Any] = {"type": "transcript.text.delta", "delta": text}
    if segment_id is not None:
        event["segment_id"] = segment_id
    if logprobs is not None:
        event["logprobs"] = logprob_shapes(logprobs)
    return event


def done_event(
    transcript: Transcript,
    *,
    output_tokens: int = 0,
    logprobs: bool = False,
    languages: bool = False,
) -> dict[str, Any]:
    """`transcript.text.done`: the whole text. SDKs take only the tokens variant of usage here."""
    shape = text_shape(
        transcript,
        usage="tokens",
        output_tokens=output_tokens,
        logprobs=logprobs,
        languages=languages,
    )
    return {"type": "transcript.text.done", **shape}
