"""A voice's files, and who speaks in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from myna.engines.contract.voice import Voice
from myna.errors import EngineFailure


def voice_file(folder: Path) -> Path:
    """The one voice of a folder: an .onnx file with its .onnx.json. Raises EngineFailure."""
    found = [file for file in sorted(folder.glob("*.onnx")) if Path(f"{file}.json").is_file()]
    if len(found) != 1:
        listed = ", ".join(file.name for file in found) or "none"
        raise EngineFailure(
            f"{folder} should hold one Piper voice (.onnx with its .onnx.json); found {listed}"
        )
    return found[0]


def voices_of(stem: str, about: dict[str, Any]) -> list[Voice]:
    """What a voice's .onnx.json tells: the voice itself, then each speaker as `stem#speaker`."""
    code = str(about.get("language", {}).get("code") or about["espeak"]["voice"])
    language, _, region = code.replace("_", "-").partition("-")
    tag = f"{language.lower()}-{region.upper()}" if region else language.lower()
    quality = about.get("audio", {}).get("quality")
    who = str(about.get("dataset") or stem).replace("_", " ").title()
    detail = f"{tag}, {quality}" if quality else tag
    speakers: dict[str, int] = about.get("speaker_id_map") or {}
    return [
        Voice(stem, f"{who} ({detail})", tag),
        *(
            Voice(f"{stem}#{speaker}", f"{who} {speaker} ({detail})", tag, number)
            for speaker, number in speakers.items()
        ),
    ]
