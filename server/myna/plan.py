"""What a server loads: models whose files are in place, and threads for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from myna.engines.contract import Voice

EngineName = Literal["whisper", "piper", "kokoro", "diarizer", "fake"]


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model whose files are in place."""

    id: str
    engine: EngineName
    folder: Path
    """Unused by the fake engine."""
    aliases: tuple[str, ...] = ()
    voices: tuple[Voice, ...] = ()
    """What its card says that it speaks with; empty for a model without a card."""
    stand_ins: Mapping[str, str] = field(default_factory=dict[str, str])
    """OpenAI's voice names, each with the id of one of `voices`."""


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What to load, and with how many threads."""

    stt: tuple[PlannedModel, ...]
    """The default first."""
    tts: tuple[PlannedModel, ...]
    """The default first."""
    threads: int
    """CPU threads for all engines together."""
    diarize: PlannedModel | None = None
    without_speakers: str = "it was started with --diarize none"
    """Why nothing is planned that tells speakers apart."""

    @property
    def front_threads(self) -> int:
        """Threads for decoding, voice activity, features and encoding of requests."""
        return 2 * self.threads + 4
