"""What a server loads: models, and threads for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from myna.engines.contract.voice import Voice
from myna.scheduling.resident import Standing
from myna.supply import CardSupply

EngineName = Literal["whisper", "piper", "kokoro", "diarizer", "fake"]


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model, in most cases one whose files are in place."""

    id: str
    engine: EngineName
    folder: Path
    """Unused by the fake engine."""
    aliases: tuple[str, ...] = ()
    voices: tuple[Voice, ...] = ()
    """What its card says that it speaks with; empty for a model without a card."""
    stand_ins: Mapping[str, str] = field(default_factory=dict[str, str])
    """OpenAI's voice names, each with the id of one of `voices`."""
    standing: Standing = "named"
    supply: CardSupply | None = None
    """Where its files may have to be fetched or checked first: then `folder` is where they lie, or
    would."""

    @property
    def named(self) -> bool:
        """Whether it is one of the settings `stt` and `tts`."""
        return self.standing == "named"

    def located(self) -> PlannedModel:
        """The model with the folder that its files are in by now; blocks."""
        return self if self.supply is None else replace(self, folder=self.supply.folder())


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What to load, and with how many threads."""

    stt: tuple[PlannedModel, ...]
    """The default first; behind those that the settings name, those that may be called up."""
    tts: tuple[PlannedModel, ...]
    """The same."""
    threads: int
    """CPU threads for all engines together."""
    diarize: PlannedModel | None = None
    without_speakers: str = "it was started with --diarize none"
    """Why nothing is planned that tells speakers apart."""

    @property
    def named(self) -> tuple[PlannedModel, ...]:
        """Those of the settings `stt` and `tts`."""
        return tuple(model for model in (*self.stt, *self.tts) if model.named)

    @property
    def front_threads(self) -> int:
        """Threads for decoding, voice activity, features and encoding of requests."""
        return 2 * self.threads + 4
