"""Whom a synthesizer speaks as."""

from __future__ import annotations

from dataclasses import dataclass

OPENAI_VOICES = (
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
)
"""OpenAI's built-in voices; each is mapped to a voice of the engine that speaks."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that a synthesizer speaks with."""

    id: str
    """Native name, such as `en_US-joe-medium` or `af_heart`; or that of a blend."""
    name: str
    """For people."""
    language: str
    """BCP 47, such as `en-US`."""
    speaker: int | None = None
    """Number of the speaker inside a voice that has several."""
