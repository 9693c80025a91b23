"""Kokoro-82M: 54 voices in one small network, phonemes by espeak-ng.

A piece of text goes: made readable for espeak -> phonemes in Kokoro's alphabet -> runs of bounded
length through the network, each with the style vector that the voice has for that length ->
samples. One session serves every worker thread; each thread uses
the cores that `threads` gives it.

phonemizer and espeak-ng, which kokoro-onnx brings, are GPL-3.0; they are imported when a model is
loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from myna.audio.tempo import hastened
from myna.engines.contract.synthesizer import Ending, Stretch
from myna.engines.contract.voice import Voice
from myna.engines.devices import Device, choose_workers
from myna.engines.espeak_text import reading
from myna.engines.kokoro.blends import BlendError, Part, is_blend, parts_of
from myna.engines.kokoro.model import load_model
from myna.engines.kokoro.phonemes import ESPEAK_VOICES, runs
from myna.engines.kokoro.voices import (
    SHAPE,
    Style,
    TableVoice,
    read_table,
    styles_of,
    voices_in,
)
from myna.engines.word_times import Said, WordTimes, words_in
from myna.errors import BadRequest, EngineFailure, MynaError

MOST_PHONEMES = 510
"""What the network takes at a time."""

RUN_PHONEMES = 300
"""What it is given at a time, at the voice's own pace: about 17 s, for which it needs 700 MB. At
four times that length it would be 2 GB."""

LEAST_PHONEMES = 75
"""The same however slow the speech: shorter runs would fall apart into words."""

FASTEST = 2.0
"""Beyond it most phonemes are at the least length that the network can make, and tempo has to do
the rest."""

_KANJI = re.compile("[\u3400-\u9fff\uf900-\ufaff]+")


class KokoroSynthesizer:
    """Kokoro with its voices. A `Synthesizer`, a `VoiceMixer`, and a `VoiceReader`."""

    kind = "kokoro"
    first_chars = 36
    clones = False

    def __init__(
        self,
        model: Model,
        name: str,
        voices: Sequence[Voice],
        styles: Mapping[str, Style],
        *,
        stand_ins: Mapping[str, str] | None = None,
        workers: int = 1,
    ) -> None:
        """`styles` has each voice's by its id; `stand_ins`, a voice or blend by OpenAI's name."""
        self.name = name
        self.sample_rate_hz = model.sample_rate_hz
        self.voices = voices
        self.stand_ins: Mapping[str, str] = dict(stand_ins or {})
        self.workers = workers
        self.times_words = model.times
        self._model: Model | None = model
        self._styles = styles
        self._by_id = {voice.id.lower(): voice for voice in voices}

    @classmethod
    def load(
        cls,
        folder: Path,
        name: str,
        *,
        voices: Sequence[Voice] = (),
        stand_ins: Mapping[str, str] | None = None,
        device: Device = "cpu",
        threads: int = 1,
        workers: int | None = None,
    ) -> KokoroSynthesizer:
        """Load the one .onnx file of `folder` with its `voices/*.bin`.

        `voices` are those of the card; without them all that the folder has are taken. `threads` is
        how many cores one call uses; `workers`, how many calls there may be at a time, is by
        default as many as that leaves room for. Raises EngineFailure, saying what is wrong with the
        files or the device, or which extra is not installed.
        """
        model = load_model(folder, device, threads)
        found = list(voices) or voices_in(folder)
        if unread := sorted({voice.language for voice in found} - set(ESPEAK_VOICES)):
            raise EngineFailure(f"Kokoro speaks no {', '.join(unread)}; see {folder}'s card")
        if workers is None:
            workers = choose_workers(device, threads)
        return cls(
            model, name, found, styles_of(folder, found), stand_ins=stand_ins, workers=workers
        )

    def blend(self, name: str) -> Voice | None:
        """The voice that is mixed as `name` says (see `blends`), or None where it is no blend.

        It speaks the language of its first part. Raises BadRequest on a blend that is malformed or
        has a part that is not there.
        """
        if not is_blend(name):
            return None
        parts = self._parts(name)
        mixed = "+".join(f"{part.voice}*{part.share:.6g}" for part in parts)
        return Voice(mixed, mixed, self._by_id[parts[0].voice].language)

    def read_voice(self, file: bytes, about: Voice) -> Voice:
        """The voice of a voice file (see `voices.read_table`). Raises BadRequest."""
        if about.language not in ESPEAK_VOICES:
            raise BadRequest(
                f"Invalid 'language': Kokoro does not speak '{about.language}'; use one of "
                f"{', '.join(ESPEAK_VOICES)}.",
                param="language",
            )
        try:
            table = read_table(file)
        except ValueError as error:
            raise BadRequest(
                f"This is no Kokoro voice file: {error}. Send the voice's table of float32, shape "
                f"{SHAPE}, as NumPy's .npy or as its bare bytes.",
                param="voice_file",
                code="invalid_value",
            ) from error
        return TableVoice(about.id, about.name, about.language, table=table)

    def synthesize(
        self, text: str, voice: Voice, speed: float, *, words: bool = False
    ) -> Iterator[Stretch]:
        """A stretch for each run.

        Text without letters and digits yields nothing. Raises BadRequest where the voice cannot
        read the text, EngineFailure where the network fails, and after `close`.
        """
        model = self._model
        if model is None:
            raise EngineFailure(f"the voice {self.name} is closed")
        if not any(char.isalnum() for char in text):
            return
        most = min(MOST_PHONEMES, max(LEAST_PHONEMES, int(RUN_PHONEMES * min(1.0, speed))))
        natural = min(speed, FASTEST)
        tempo = speed / natural
        try:
            phonemes = _phonemes(model, text, voice)
            times = _times(model, text, voice, phonemes) if words else None
            parts = list(runs(phonemes, most))
            for number, run in enumerate(parts, start=1):
                said = model.speak(run, self._style(voice, len(run)), natural)
                made = hastened(said.samples, model.sample_rate_hz, tempo)
                found = words_in(times, run, said, tempo)
                yield Stretch(np.clip(made, -1, 1), _ending(run, last=number == len(parts)), found)
        except MynaError:
            raise
        except Exception as error:
            raise EngineFailure(f"the voice {self.name} failed on a text: {error}") from error

    def warm_up(self) -> None:
        """Speak one word: the first run of a session takes longer than others."""
        for _ in self.synthesize("Hello.", self.voices[0], 1.0):
            pass

    def close(self) -> None:
        """Free the session once the calls that run have ended."""
        self._model = None

    def _parts(self, name: str) -> tuple[Part, ...]:
        try:
            return parts_of(name, self._known)
        except BlendError as error:
            raise BadRequest(f"Invalid 'voice': {error}.", param="voice") from error

    def _known(self, name: str) -> tuple[Part, ...] | None:
        meant = self.stand_ins.get(name, name).lower()
        if meant != name and is_blend(meant):
            return self._parts(meant)
        voice = self._by_id.get(meant)
        return (Part(voice.id, 1.0),) if voice else None

    def _style(self, voice: Voice, phonemes: int) -> Style:
        """Shape (1, 256): the row for so many phonemes, mixed where the voice is a blend."""
        if isinstance(voice, TableVoice):
            return voice.table[phonemes - 1]
        row = np.zeros((1, 256), np.float32)
        for part in self._parts(voice.id):
            row += np.float32(part.share) * self._styles[part.voice][phonemes - 1]
        return row


class Model(Protocol):
    """What `KokoroSynthesizer` needs of the network and of espeak."""

    sample_rate_hz: int
    times: bool
    """Whether `speak` tells where the phonemes are."""

    def phonemize(self, text: str, language: str) -> str:
        """A text in Kokoro's alphabet; called from several threads."""
        ...

    def speak(self, phonemes: str, style: Style, speed: float) -> Said:
        """One run of at most MOST_PHONEMES; `style` has the shape (1, 256)."""
        ...


def _phonemes(model: Model, text: str, voice: Voice) -> str:
    if voice.language.startswith("ja") and (kanji := _KANJI.search(text)):
        # espeak would say "Chinese letter" to each of them.
        raise BadRequest(
            f"Invalid 'input': the voice {voice.id} reads kana only, and '{kanji[0][:20]}' is "
            "written in kanji; write the text in hiragana or katakana.",
            param="input",
        )
    return model.phonemize(reading(text, english=voice.language.startswith("en")), voice.language)


def _times(model: Model, text: str, voice: Voice, phonemes: str) -> WordTimes:
    return WordTimes(text, phonemes, lambda word: _phonemes(model, word, voice))


def _ending(run: str, *, last: bool) -> Ending:
    """How a run ends: what is the last of a text and has no mark was a line."""
    mark = run.rstrip("\"”“)'’ ")[-1:]
    if mark and mark in ",;:—":
        return "clause"
    return "sentence" if last or (mark and mark in ".!?…") else "word"
