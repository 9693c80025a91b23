"""A piece of text through a Piper voice: sentences, runs of bounded length, pace and pauses."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from myna.audio.tempo import hastened
from myna.engines.contract.synthesizer import Ending, Stretch
from myna.engines.contract.voice import Voice
from myna.engines.devices import Device, SpeechComputeType, choose_workers
from myna.engines.espeak_text import reading
from myna.engines.piper.model import Model, PiperModel
from myna.engines.piper.vocoder import load_vocoder
from myna.engines.piper.voices import voice_file, voices_of
from myna.engines.word_times import WordTimes, words_in
from myna.errors import EngineFailure

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
        self.times_words = model.times
        self._model: Model | None = model
        self._phonemizing = threading.Lock()

    @classmethod
    def load(
        cls,
        folder: Path,
        name: str,
        *,
        device: Device = "cpu",
        threads: int = 1,
        workers: int | None = None,
        compute_type: SpeechComputeType = "float32",
    ) -> PiperSynthesizer:
        """Load the one voice of `folder`: an .onnx file and its .onnx.json.

        `threads` is how many cores one call uses; `workers`, how many calls there may be at a time,
        is by default as many as that leaves room for. `compute_type` is the number format of the
        decoder, which is most of the work. Raises EngineFailure, saying what is wrong with the
        files or the device.
        """
        file = voice_file(folder)
        try:
            about = json.loads(Path(f"{file}.json").read_text("utf-8"))
            model = PiperModel(file, about, load_vocoder(file, device, threads, compute_type))
            voices = voices_of(file.stem, about)
        except EngineFailure:
            raise
        except Exception as error:
            raise EngineFailure(f"cannot load the Piper voice {file}: {error}") from error
        if workers is None:
            workers = choose_workers(device, threads)
        return cls(model, name, voices, workers)

    def synthesize(
        self, text: str, voice: Voice, speed: float, *, words: bool = False
    ) -> Iterator[Stretch]:
        """One stretch or more a sentence, each as loud as the network makes it.

        Text without letters and digits yields nothing. Raises EngineFailure where the voice cannot
        take the text, and after `close`.
        """
        return self._speak(text, voice, speed, words=words, soon=False)

    def begin(self, text: str, voice: Voice, speed: float) -> Iterator[Stretch]:
        """The same without words, and with the first half second before the rest of its sentence is
        made, where the network itself keeps to the speed."""
        return self._speak(text, voice, speed, words=False, soon=True)

    def _speak(
        self, text: str, voice: Voice, speed: float, *, words: bool, soon: bool
    ) -> Iterator[Stretch]:
        model = self._model
        if model is None:
            raise EngineFailure(f"the voice {self.name} is closed")
        factor, tempo = pace(speed, SYMBOL_S * model.sample_rate_hz / model.hop_samples)
        soon = soon and tempo == 1.0
        most = max(LEAST_PHONEMES, int(MOST_PHONEMES / max(1.0, factor)))
        try:
            sentences = self._sentences(model, text)
            times = self._times(model, text, sentences) if words else None
            for sentence in sentences:
                parts = list(runs(sentence, most))
                for run in parts:
                    ending = _ending(run, last=run is parts[-1])
                    if soon:
                        for samples, last in model.begin(run, voice.speaker, factor):
                            yield Stretch(np.clip(samples, -1, 1), ending if last else "open")
                        soon = False
                        continue
                    said = model.speak(run, voice.speaker, factor)
                    made = hastened(said.samples, model.sample_rate_hz, tempo)
                    found = words_in(times, run, said, tempo)
                    yield Stretch(np.clip(made, -1, 1), ending, found)
        except Exception as error:
            raise EngineFailure(f"the voice {self.name} failed on a text: {error}") from error

    def warm_up(self) -> None:
        """Begin to speak a few words, and go on: the first run of a session takes about twice its
        time, and in bfloat16 the first run of each length."""
        for _ in self.begin("Hello, and good morning.", self.voices[0], 1.0):
            pass

    def close(self) -> None:
        """Free the session once the calls that run have ended."""
        self._model = None

    def _times(self, model: Model, text: str, sentences: Sequence[Sequence[str]]) -> WordTimes:
        def alone(word: str) -> list[str]:
            return [symbol for part in self._sentences(model, word) for symbol in part]

        return WordTimes(text, [symbol for part in sentences for symbol in part], alone)

    def _sentences(self, model: Model, text: str) -> list[list[str]]:
        """Phonemes of each sentence that has any to say."""
        if not any(char.isalnum() for char in text):  # espeak would say "exclamation" to a mere "!"
            return []
        readable = reading(text, english=self.voices[0].language.startswith("en"))
        with self._phonemizing:  # phonemizers are set up at first use, and espeak is one for all
            found = model.phonemize(readable)
        return [sentence for sentence in found if _says(sentence)]


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


def _ending(run: Sequence[str], *, last: bool) -> Ending:
    """How a run ends; `last` says whether the sentence ends with it."""
    if next((part for part in reversed(run) if part != " "), "") in _CLAUSE_MARKS:
        return "clause"
    return "sentence" if last else "word"
