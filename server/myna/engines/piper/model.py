"""What `PiperSynthesizer` needs of a voice, over piper-tts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract.samples import Samples
from myna.engines.piper.vocoder import Feed, Vocoder
from myna.engines.word_times import Said

if TYPE_CHECKING:
    from piper.config import PiperConfig


class Model(Protocol):
    """What `PiperSynthesizer` needs of a voice."""

    sample_rate_hz: int
    hop_samples: int
    """Samples that the network makes at a time: the grain of durations."""
    times: bool
    """Whether `speak` tells where the phonemes are."""

    def phonemize(self, text: str) -> list[list[str]]:
        """Phonemes and marks of each sentence."""
        ...

    def speak(self, phonemes: Sequence[str], speaker: int | None, factor: float) -> Said:
        """One run, each symbol `factor` times as long as the voice's own."""
        ...

    def begin(
        self, phonemes: Sequence[str], speaker: int | None, factor: float
    ) -> Iterator[tuple[Samples, bool]]:
        """One run in parts that belong together, the first as soon as it can be had; and of each,
        whether it is the last."""
        ...


class PiperModel:
    """The `Model` over piper-tts."""

    def __init__(self, file: Path, about: dict[str, Any], vocoder: Vocoder) -> None:
        """`file` is the voice's, `about` what its .onnx.json says."""
        from piper.config import PhonemeType, PiperConfig  # noqa: PLC0415 - see the package
        from piper.voice import PiperVoice  # noqa: PLC0415

        self._config: PiperConfig = PiperConfig.from_dict(about)
        self._vocoder = vocoder
        # For its phonemes; it never runs the network. What a voice needs besides (Chinese ones do)
        # is looked for beside it.
        self._voice = PiperVoice(
            session=cast("Any", None),
            config=self._config,
            download_dir=file.parent,
        )
        self.sample_rate_hz = self._config.sample_rate
        self.hop_samples = self._config.hop_length
        # Pinyin has ids for parts of a syllable, and blanks where no other voice has them.
        self.times = self._config.phoneme_type != PhonemeType.PINYIN and vocoder.times

    def phonemize(self, text: str) -> list[list[str]]:
        """Phonemes and marks of each sentence."""
        return self._voice.phonemize(text)

    def speak(self, phonemes: Sequence[str], speaker: int | None, factor: float) -> Said:
        """One run."""
        samples, frames = self._vocoder.speak(self._feed(phonemes, speaker, factor))
        if frames is None or not self.times:
            return Said(samples)
        return Said(samples, self._bounds_s(phonemes, frames))

    def begin(
        self, phonemes: Sequence[str], speaker: int | None, factor: float
    ) -> Iterator[tuple[Samples, bool]]:
        """One run in parts."""
        return self._vocoder.begin(self._feed(phonemes, speaker, factor))

    def _feed(self, phonemes: Sequence[str], speaker: int | None, factor: float) -> Feed:
        ids = np.array([self._voice.phonemes_to_ids(list(phonemes))], np.int64)
        config = self._config
        scales = [config.noise_scale, config.length_scale * factor, config.noise_w_scale]
        feed: dict[str, NDArray[Any]] = {
            "input": ids,
            "input_lengths": np.array([ids.shape[1]], np.int64),
            "scales": np.array(scales, np.float32),
        }
        if config.num_speakers > 1:
            number = config.default_speaker_id if speaker is None else speaker
            feed["sid"] = np.array([number], np.int64)
        return feed

    def _bounds_s(self, phonemes: Sequence[str], frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of the frames of each id: a beginning, then each phoneme's ids and a blank, an end."""
        counts = [len(self._config.phoneme_id_map.get(phoneme, ())) for phoneme in phonemes]
        firsts = 2 + np.cumsum([0, *(count + 1 if count else 0 for count in counts)])
        ends = np.concatenate([[0], np.cumsum(frames)])
        return ends[firsts] * self.hop_samples / self.sample_rate_hz
