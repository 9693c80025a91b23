"""Piper: small VITS voices in ONNX, phonemes by espeak-ng.

A piece of text goes: made readable for espeak -> phonemes, a list per sentence -> runs of bounded
length through the network -> samples. One session serves every worker thread; each thread uses the
cores that `threads` gives it, and one each is best under load.

piper-tts is GPL-3.0 and takes a moment to import, so it is imported when a voice is loaded.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from myna.audio.tempo import hastened
from myna.engines.contract import Samples, Voice
from myna.engines.devices import choose_workers
from myna.engines.espeak_text import reading
from myna.engines.sessions import onnx_session
from myna.errors import EngineFailure

if TYPE_CHECKING:
    import onnxruntime
    from piper.config import PiperConfig

PAUSE_S = 0.2
"""Silence after a sentence. The voice itself leaves 0.1 to 0.2 s around one, where speakers take
about 0.4 s; after a comma what it leaves is enough."""

PEAK = 0.9
"""Loudest sample of a sentence, as Piper itself evens sentences out, with room for resampling."""

MOST_PHONEMES = 200
"""Of one run at the voice's own pace, about 9 s. Memory grows by 20 MB with each second."""

LEAST_PHONEMES = 50
"""The same however slow the speech: shorter runs would fall into single words."""

SYMBOL_S = 0.0204
"""Mean of what a voice's duration predictor gives a symbol (a phoneme or the blank after it),
before rounding. Measured on en_US-joe-medium."""

SHORTEST_FACTOR = 0.4
"""Below this part of their length nearly all symbols are at the least that the network can say."""

_CLAUSE_MARKS = frozenset(",;:")


class PiperSynthesizer:
    """A Piper voice, or all the speakers of one that has several. A `Synthesizer`."""

    kind = "piper"
    first_chars = 70

    def __init__(self, model: Model, name: str, voices: Sequence[Voice], workers: int) -> None:
        self.name = name
        self.sample_rate_hz = model.sample_rate_hz
        self.voices = voices
        self.stand_ins: Mapping[str, str] = {}
        self.workers = workers
        self._model: Model | None = model
        self._phonemizing = threading.Lock()

    @classmethod
    def load(
        cls,
        folder: Path,
        name: str,
        *,
        device: Literal["cpu", "cuda"] = "cpu",
        threads: int = 1,
        workers: int | None = None,
    ) -> PiperSynthesizer:
        """Load the one voice of `folder`: an .onnx file and its .onnx.json.

        `threads` is how many cores one call uses; `workers`, how many calls there may be at a time,
        is by default as many as that leaves room for. Raises EngineFailure, saying what is wrong
        with the files or the device.
        """
        file = _voice_file(folder)
        try:
            about = json.loads(Path(f"{file}.json").read_text("utf-8"))
            model = _PiperModel(file, about, onnx_session(file, device, threads))
            voices = voices_of(file.stem, about)
        except EngineFailure:
            raise
        except Exception as error:
            raise EngineFailure(f"cannot load the Piper voice {file}: {error}") from error
        if workers is None:
            workers = choose_workers(device, threads)
        return cls(model, name, voices, workers)

    def synthesize(self, text: str, voice: Voice, speed: float) -> Iterator[Samples]:
        """Blocks of samples, one or more a sentence, the pauses after sentences included.

        Text without letters and digits yields nothing. Raises EngineFailure where the voice cannot
        take the text, and after `close`.
        """
        model = self._model
        if model is None:
            raise EngineFailure(f"the voice {self.name} is closed")
        factor, tempo = pace(speed, SYMBOL_S * model.sample_rate_hz / model.hop_samples)
        most = max(LEAST_PHONEMES, int(MOST_PHONEMES / max(1.0, factor)))
        try:
            for sentence in self._sentences(model, text):
                for run in runs(sentence, most):
                    made = _level(model.speak(run, voice.speaker, factor))
                    yield hastened(made, model.sample_rate_hz, tempo)
                if not _ends_in_clause(sentence):
                    yield np.zeros(round(PAUSE_S / speed * model.sample_rate_hz), np.float32)
        except Exception as error:
            raise EngineFailure(f"the voice {self.name} failed on a text: {error}") from error

    def warm_up(self) -> None:
        """Speak one word: the first run of a session takes about twice its time."""
        for _ in self.synthesize("Hello.", self.voices[0], 1.0):
            pass

    def close(self) -> None:
        """Free the session once the calls that run have ended."""
        self._model = None

    def _sentences(self, model: Model, text: str) -> list[list[str]]:
        """Phonemes of each sentence that has any to say."""
        if not any(char.isalnum() for char in text):  # espeak would say "exclamation" to a mere "!"
            return []
        readable = reading(text, english=self.voices[0].language.startswith("en"))
        with self._phonemizing:  # phonemizers are set up at first use, and espeak is one for all
            found = model.phonemize(readable)
        return [sentence for sentence in found if _says(sentence)]


class Model(Protocol):
    """What `PiperSynthesizer` needs of a voice."""

    sample_rate_hz: int
    hop_samples: int
    """Samples that the network makes at a time: the grain of durations."""

    def phonemize(self, text: str) -> list[list[str]]:
        """Phonemes and marks of each sentence."""
        ...

    def speak(self, phonemes: Sequence[str], speaker: int | None, factor: float) -> Samples:
        """Samples of one run, each symbol `factor` times as long as the voice's own."""
        ...


class _PiperModel:
    """The `Model` over piper-tts."""

    def __init__(
        self, file: Path, about: dict[str, Any], session: onnxruntime.InferenceSession
    ) -> None:
        from piper.config import PiperConfig, SynthesisConfig  # noqa: PLC0415 - see the module
        from piper.voice import PiperVoice  # noqa: PLC0415

        self._config: PiperConfig = PiperConfig.from_dict(about)
        self._synthesis = SynthesisConfig
        # What a voice needs besides (Chinese ones do) is looked for beside it.
        self._voice = PiperVoice(session=session, config=self._config, download_dir=file.parent)
        self.sample_rate_hz = self._config.sample_rate
        self.hop_samples = self._config.hop_length

    def phonemize(self, text: str) -> list[list[str]]:
        return self._voice.phonemize(text)

    def speak(self, phonemes: Sequence[str], speaker: int | None, factor: float) -> Samples:
        how = self._synthesis(speaker_id=speaker, length_scale=self._config.length_scale * factor)
        ids = self._voice.phonemes_to_ids(list(phonemes))
        made = self._voice.phoneme_ids_to_audio(ids, how)
        return np.asarray(made, np.float32).reshape(-1)


def _voice_file(folder: Path) -> Path:
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


def pace(speed: float, symbol_frames: float) -> tuple[float, float]:
    """How a speed is made: the factor on the network's durations, and the tempo of what it says.

    The network rounds each symbol up to whole frames and so stretches less than it is told to. With
    durations spread exponentially around a mean of m frames (`symbol_frames`), a symbol at factor f
    takes 1 / (1 - exp(-1 / (m f))) frames; that fits what voices do within 5 %, and is solved for f
    here. Where f would be too small to be understood, the rest is made from the finished sound.
    """

    def frames(factor: float) -> float:
        return 1 / (1 - math.exp(-1 / (symbol_frames * factor)))

    natural = min(speed, frames(1.0) / frames(SHORTEST_FACTOR))
    factor = -1 / (symbol_frames * math.log(1 - natural / frames(1.0)))
    return factor, speed / natural


def _level(samples: Samples) -> Samples:
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(PEAK / max(peak, 0.05))  # near-silence is not blown up


def runs(phonemes: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """A sentence in runs of at most `most` phonemes: cut after a clause, else after a word, else
    anywhere. Runs in which nothing is said are left out."""
    start = 0
    while start < len(phonemes):
        end = min(start + most, len(phonemes))
        if end < len(phonemes):
            end = _run_end(phonemes, start, end)
        run = phonemes[start:end]
        if _says(run):
            yield run
        start = end


def _run_end(phonemes: Sequence[str], start: int, limit: int) -> int:
    half = start + (limit - start) // 2
    for marks in (_CLAUSE_MARKS, {" "}):
        for end in range(limit, half, -1):
            if phonemes[end - 1] in marks:
                return end
    return limit


def _says(phonemes: Sequence[str]) -> bool:
    """Whether there is a sound among marks and spaces; every phoneme has a letter or a digit."""
    return any(char.isalnum() for part in phonemes for char in part)


def _ends_in_clause(phonemes: Sequence[str]) -> bool:
    return next((part for part in reversed(phonemes) if part != " "), "") in _CLAUSE_MARKS
