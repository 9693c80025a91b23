"""From a window's tokens to segments, by the timestamps that Whisper writes between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TIMESTAMP_STEP_S = 0.02
"""Whisper's timestamp tokens are 20 ms apart."""


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens between two timestamps."""

    tokens: tuple[int, ...]
    """The timestamps at both ends included, as Whisper's own verbose output has them."""
    start_s: float
    """Seconds from the window's beginning."""
    end_s: float
    """Seconds from the window's beginning."""


def spans(tokens: Sequence[int], timestamp_begin: int, window_s: float) -> list[Span]:
    """Cut at each pair of timestamps, as openai/whisper does.

    A tail without a closing timestamp ends where the window ends; a window without any timestamp
    is one span. Times never leave the window and never run backwards.
    """
    found: list[Span] = []
    start = 0
    for index in range(1, len(tokens)):
        if tokens[index] >= timestamp_begin and tokens[index - 1] >= timestamp_begin:
            found.append(_span(tokens[start:index], timestamp_begin, window_s))
            start = index
    found.append(_span(tokens[start:], timestamp_begin, window_s))
    spoken = [span for span in found if any(t < timestamp_begin for t in span.tokens)]
    # What begins where the audio has ended was made up for the silence that pads the window.
    return _ordered([span for span in spoken if span.start_s < window_s and span.end_s > 0])


def stops_early(tokens: Sequence[int], timestamp_begin: int) -> bool:
    """Whether Whisper says that more is spoken behind its last timestamp.

    It closes a window with one timestamp where it is done; with two where the next segment has
    begun and does not fit. openai/whisper goes on from there, and so must we.
    """
    return len(tokens) > 1 and min(tokens[-2:]) >= timestamp_begin


def _span(tokens: Sequence[int], timestamp_begin: int, window_s: float) -> Span:
    opens = bool(tokens) and tokens[0] >= timestamp_begin
    closes = len(tokens) > 1 and tokens[-1] >= timestamp_begin
    start_s = (tokens[0] - timestamp_begin) * TIMESTAMP_STEP_S if opens else 0.0
    end_s = (tokens[-1] - timestamp_begin) * TIMESTAMP_STEP_S if closes else window_s
    return Span(tuple(tokens), min(start_s, window_s), min(end_s, window_s))


def _ordered(found: list[Span]) -> list[Span]:
    clean: list[Span] = []
    last = 0.0
    for span in found:
        start_s = max(span.start_s, last)
        end_s = max(span.end_s, start_s)
        clean.append(Span(span.tokens, start_s, end_s))
        last = end_s
    return clean
