"""Both voices and a listener, loaded once, and ways to have a text spoken by them.

The voices say a text alike every time: Kokoro always does, and Piper has no noise here.
"""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from myna.audio.codecs import SPEECH_RATE_HZ, layout_of
from myna.audio.encode import encoder
from myna.audio.windows import Cutting
from myna.engines.contract.transcriber import DecodingOptions
from myna.loading import Loader
from myna.planning import plan
from myna.scheduling.pieces import Utterance
from myna.scheduling.residents import Residents
from myna.scheduling.speaking import Spoken
from myna.scheduling.voices import voice_named
from myna.settings import Settings
from myna.text.transcript import Transcript, Word

WEIGHTS = Path(__file__).parents[2] / "models/weights"
PIPER, KOKORO = "piper-en_US-joe-medium", "kokoro-v1.0"


@dataclass
class Speech:
    """What was spoken, at 24 kHz."""

    parts: list[Spoken]

    @property
    def samples(self) -> np.ndarray:
        """As float32."""
        pcm = np.frombuffer(b"".join(part.data for part in self.parts), "<i2")
        return pcm.astype(np.float32) / 32768

    @property
    def words(self) -> list[Word]:
        """Where each word is."""
        return [word for part in self.parts for word in part.words]

    @property
    def joints(self) -> list[int]:
        """Samples at which one piece ends and the next begins."""
        ends_s = np.cumsum([part.seconds for part in self.parts if part.seconds])
        return [round(end_s * SPEECH_RATE_HZ) for end_s in ends_s[:-1]]


@dataclass
class Studio:
    """Models that speak, and one that listens."""

    residents: Residents
    _said: dict[tuple[Any, ...], Speech] = field(default_factory=dict)

    def say(self, model: str, voice: str, text: str, *, speed: float = 1.0, **asked: Any) -> Speech:
        """A text in a voice; `asked` are further members of the utterance. What has been said once
        is not said again, as it would be the same."""
        key = (model, voice, text, speed, *sorted(asked.items()))
        if key not in self._said:
            self._said[key] = self._say(model, voice, text, speed, **asked)
        return self._said[key]

    def _say(self, model: str, voice: str, text: str, speed: float, **asked: Any) -> Speech:
        service = self.residents.speaker(model, strict=True).service
        utterance = Utterance(
            text, voice_named(voice, service.engine), speed, layout_of("pcm"), **asked
        )

        async def all_of_it() -> list[Spoken]:
            return [part async for part in service.speak(utterance)]

        return Speech(asyncio.run(all_of_it()))

    def hear(self, samples: np.ndarray, **options: Any) -> Transcript:
        """What Whisper makes of samples at 24 kHz."""
        service = self.residents.stt.residents[0].service

        async def all_of_it(descriptor: int) -> Transcript:
            transcription = await service.open(descriptor, DecodingOptions(**options), Cutting())
            return await transcription.run()

        with tempfile.TemporaryFile() as file, encoder(layout_of("wav"), SPEECH_RATE_HZ) as coder:
            file.write(coder.encode(samples) + coder.finish())
            file.flush()
            return asyncio.run(all_of_it(file.fileno()))


@pytest.fixture(scope="session")
def studio(residents):
    """What has the models say a text, and hear one."""
    return Studio(residents)


@pytest.fixture(scope="session")
def residents(steady_weights):
    """Whisper, Piper, Kokoro and who tells speakers apart, with the settings of a new user."""
    if missing := [name for name in (PIPER, KOKORO) if not (WEIGHTS / name).is_dir()]:
        pytest.skip(f"the weights of {' and '.join(missing)} are not here")
    settings = Settings(offline=True, tts=(PIPER, KOKORO), weights_dir=steady_weights)
    models = plan(settings)
    with ThreadPoolExecutor(models.front_threads) as threads:
        loaded = Loader(settings, models, threads).load()
        yield loaded
        loaded.close()
