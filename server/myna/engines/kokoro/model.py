"""The network in onnxruntime, and espeak-ng beside it, as `KokoroSynthesizer` wants them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from myna.engines.devices import Device
from myna.engines.kokoro.network import lean
from myna.engines.kokoro.phonemes import ESPEAK_VOICES, phonemes_of
from myna.engines.kokoro.voices import Style
from myna.engines.sessions import onnx_session
from myna.engines.word_times import Said
from myna.errors import EngineFailure

if TYPE_CHECKING:
    import onnxruntime
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

SAMPLE_RATE_HZ = 24_000

_DURATIONS = "/encoder/Clip_output_0"
"""What the export calls the frames, of 25 ms, that the network gives each token."""

_LATE_FRAMES = 2
"""How much later than it is heard a phoneme's first frame is, up to speed 1. Of words behind a
pause, in five voices, the sound begins 50 to 65 ms before it (medians, speed 1); Kokoro's own
library takes three frames off. In faster speech some sounds begin behind their frame, so nothing is
taken off."""

_EDGE = 0
"""The token that stands before and after what is said."""


def load_model(folder: Path, device: Device, threads: int) -> KokoroModel:
    """The network of a folder. Raises EngineFailure."""
    try:
        from kokoro_onnx.tokenizer import Tokenizer  # noqa: PLC0415 - an extra, under the GPL
    except ImportError as missing:
        raise EngineFailure(
            f"Kokoro is not installed ({missing}): pip install 'myna[kokoro]'"
        ) from missing
    files = sorted(folder.glob("*.onnx"))
    if len(files) != 1:
        listed = ", ".join(file.name for file in files) or "none"
        raise EngineFailure(f"{folder} should hold one Kokoro network (.onnx); found {listed}")
    try:
        file = files[0].read_bytes()
        network = lean(file) if device == "cpu" else file
        del file  # as large as the network
        session = onnx_session(network, device, threads, also=_DURATIONS)
        # It also tells phonemizer where the espeak-ng is that kokoro-onnx came with.
        return KokoroModel(session, Tokenizer().vocab)
    except EngineFailure:
        raise
    except Exception as error:
        raise EngineFailure(f"cannot load the Kokoro network {files[0]}: {error}") from error


class KokoroModel:
    """A `Model` over onnxruntime and espeak-ng."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, session: onnxruntime.InferenceSession, vocabulary: dict[str, int]) -> None:
        self._session = session
        self._vocabulary = vocabulary
        # Exports differ in what they call the phonemes.
        names = {given.name for given in session.get_inputs()}
        self.times = len(session.get_outputs()) > 1
        self._tokens = "input_ids" if "input_ids" in names else "tokens"
        self._espeaks: dict[str, EspeakWrapper] = {}
        self._phonemizing = threading.Lock()

    def phonemize(self, text: str, language: str) -> str:
        """A text in Kokoro's alphabet, and nothing in it that the network does not know."""
        espeak = ESPEAK_VOICES[language]
        found = phonemes_of(text, language, lambda part: self._espeak(part, espeak))
        return "".join(char for char in found if char in self._vocabulary)

    def speak(self, phonemes: str, style: Style, speed: float) -> Said:
        """One run."""
        tokens = [_EDGE, *(self._vocabulary[char] for char in phonemes), _EDGE]
        made = self._session.run(
            None,
            {
                self._tokens: np.array([tokens], np.int64),
                "style": style,
                "speed": np.array([speed], np.float32),
            },
        )
        samples = np.asarray(made[0], np.float32).reshape(-1)
        if not self.times:
            return Said(samples)
        ends = np.cumsum(np.asarray(made[1], np.float64).reshape(-1))
        heard = np.maximum(ends[:-1] - (_LATE_FRAMES if speed <= 1 else 0), 0.0)
        return Said(samples, heard * len(samples) / ends[-1] / SAMPLE_RATE_HZ)

    def _espeak(self, text: str, voice: str) -> str:
        from phonemizer.backend.espeak.wrapper import EspeakWrapper  # noqa: PLC0415 - GPL

        with self._phonemizing:  # espeak is one for all threads
            if voice not in self._espeaks:
                self._espeaks[voice] = EspeakWrapper()
                self._espeaks[voice].set_voice(voice)
            return self._espeaks[voice].text_to_phonemes(text, tie=True)
