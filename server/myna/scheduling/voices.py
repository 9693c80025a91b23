"""Which of an engine's voices a name means."""

from __future__ import annotations

from myna.engines.contract import Synthesizer, Voice

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


def voice_named(name: str, engine: Synthesizer) -> Voice:
    """The engine's voice of that name; OpenAI's names are dealt out over what there is; any other
    name gets the engine's first voice."""
    wanted = name.lower()
    for voice in engine.voices:
        if wanted in (voice.id.lower(), voice.name.lower()):
            return voice
    place = OPENAI_VOICES.index(wanted) if wanted in OPENAI_VOICES else 0
    return engine.voices[place % len(engine.voices)]
