"""Names that OpenAI's clients hard-code, and what they stand for here."""

from __future__ import annotations

from myna.engines.contract.voice import OPENAI_VOICES

STT_NAMES = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-03-20",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
)
"""Stand for the default speech-to-text model."""

REALTIME_NAMES = frozenset({"gpt-live-transcribe", "gpt-realtime-whisper"})
"""Stand for it as well, in sessions only: the hosted API has no files for them."""

TTS_NAMES = (
    "tts-1",
    "tts-1-hd",
    "gpt-4o-mini-tts",
    "gpt-4o-mini-tts-2025-03-20",
    "gpt-4o-mini-tts-2025-12-15",
    "tts-1-1106",
    "tts-1-hd-1106",
)
"""Stand for the default text-to-speech model."""

FAST_TTS_NAMES = frozenset({"tts-1", "tts-1-1106"})
"""Those of them that promise an early answer; the others promise a better voice."""

TTS_1_VOICES = frozenset(OPENAI_VOICES) - {"ballad", "verse", "marin", "cedar"}
"""What the hosted `tts-1` family takes; enforced in strict mode."""

DIARIZE_NAMES = frozenset({"gpt-4o-transcribe-diarize"})
"""Models that label speakers."""

LISTS_LANGUAGES = frozenset({"gpt-transcribe", "gpt-live-transcribe"})
"""Models whose answers carry `languages`."""


def as_hosted(model: str) -> str:
    """One of OpenAI's names as OpenAI writes it, whatever the case and the white space around it;
    any other name as it is."""
    plain = model.strip().lower()
    return plain if plain in STT_NAMES else model


def counts_duration(model: str) -> bool:
    """Whether the model's `usage` is in seconds; the gpt-4o family counts tokens."""
    return not model.startswith("gpt-4o")


def hosted_formats(model: str) -> frozenset[str]:
    """Response formats that the hosted model takes; enforced in strict mode."""
    if model in DIARIZE_NAMES:
        return frozenset({"json", "text", "diarized_json"})
    if model.startswith("gpt-"):
        return frozenset({"json", "text"})
    return frozenset({"json", "text", "srt", "vtt", "verbose_json"})
