"""Which of an engine's voices a name means."""

from __future__ import annotations

from myna.engines.contract import OPENAI_VOICES, Synthesizer, Voice, VoiceMixer


def own_voice(name: str, engine: Synthesizer) -> Voice | None:
    """The engine's voice with that id, or the blend of its voices that the name describes.

    Raises:
        BadRequest: a blend that is malformed, or has a part that is not there.
    """
    wanted = name.strip().lower()
    for voice in engine.voices:
        if wanted == voice.id.lower():
            return voice
    return engine.blend(wanted) if isinstance(engine, VoiceMixer) else None


def voice_named(name: str, engine: Synthesizer) -> Voice:
    """The engine's voice of that name, or the blend that it describes; OpenAI's names mean the
    voices that stand in for them, or are dealt out over what there is; any other name gets the
    engine's first voice.

    Raises:
        BadRequest: a blend that is malformed, or has a part that is not there.
    """
    wanted = name.strip().lower()
    voices = {voice.id.lower(): voice for voice in reversed(engine.voices)}
    voices = {voice.name.lower(): voice for voice in reversed(engine.voices)} | voices
    if isinstance(engine, VoiceMixer) and wanted in engine.stand_ins:
        wanted = engine.stand_ins[wanted].lower()
    if wanted in voices:
        return voices[wanted]
    if own := own_voice(wanted, engine):
        return own
    place = OPENAI_VOICES.index(wanted) if wanted in OPENAI_VOICES else 0
    return engine.voices[place % len(engine.voices)]
