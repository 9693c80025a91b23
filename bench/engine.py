"""The bare engine: how fast a clip can be with no server around it.

Decode with PyAV, log-mel features of one right-sized window, encode, generate, through CTranslate2
directly: no HTTP, no voice activity, no second try, no timestamps. The allocator is told to keep
its memory, numpy's OpenBLAS to have one thread (by the environment), and encoder and decoder have
all cores, which a thread that ends has loaded: whatever Myna knows, it is told as well.

Asked through standard input, a line of JSON each: `{"path": …, "language": …}` gives
`{"seconds": …, "text": …}`, the time being that of the work inside this process.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import av
import ctranslate2
import numpy as np
import tokenizers
from ctranslate2.models import Whisper
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

RATE_HZ = 16_000
HOP = 160
FULL_FRAMES = 3000
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
"""From glibc's malloc.h."""

Samples = NDArray[np.float32]


def keep_memory() -> None:
    """Let glibc reuse the engine's buffers instead of mapping and faulting them on every call."""
    with suppress(AttributeError, OSError):  # another C library: nothing to set
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_ARENA_MAX, 1)


def decode(path: str) -> Samples:
    """The file as mono 16 kHz, shape (n_samples,)."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    blocks: list[NDArray[np.int16]] = []
    with av.open(path) as container:
        for frame in container.decode(audio=0):
            blocks += [block.to_ndarray()[0] for block in resampler.resample(frame)]
        blocks += [block.to_ndarray()[0] for block in resampler.resample(None)]
    return np.concatenate(blocks).astype(np.float32) / np.float32(32768)


def window_frames(seconds: float) -> int:
    """Frames of 10 ms to encode: a second of silence behind the clip, and at least 8 s."""
    return min(FULL_FRAMES, int(max(8.0, seconds + 1.0) * RATE_HZ) // HOP)


class Engine:
    """One model on all cores."""

    def __init__(self, folder: Path, *, beams: int, timestamps: bool) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        with ThreadPoolExecutor(1) as reader:  # see `myna.engines.whisper.copies`
            self._model = reader.submit(
                Whisper, str(folder), compute_type="int8", intra_threads=cores or 1
            ).result()
        self._extract = FeatureExtractor(feature_size=int(self._model.n_mels))
        self._tokens = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._beams = beams
        self._timestamps = timestamps

    def transcribe(self, path: str, language: str | None) -> str:
        """The text of one clip of at most 30 s."""
        samples = decode(path)[: FULL_FRAMES * HOP]
        frames = window_frames(len(samples) / RATE_HZ)
        padded = np.zeros(frames * HOP, np.float32)
        padded[: len(samples)] = samples[: len(padded)]
        features = self._extract(padded)[np.newaxis, :, :frames].astype(np.float32)
        encoded = self._model.encode(
            ctranslate2.StorageView.from_array(np.ascontiguousarray(features)), to_cpu=True
        )
        if language is None:
            language = self._model.detect_language(encoded)[0][0][0][2:-2]
        multilingual = bool(self._model.is_multilingual)
        tokenizer = Tokenizer(self._tokens, multilingual, "transcribe", language)
        prompt = list(tokenizer.sot_sequence)
        if not self._timestamps:
            prompt.append(tokenizer.no_timestamps)
        budget = int(14 * frames / 100) + 24  # more tokens than this are a loop
        result = self._model.generate(
            encoded, [prompt], beam_size=self._beams, max_length=min(448, 2 * budget)
        )[0]
        return tokenizer.decode(result.sequences_ids[0])


def main() -> None:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--beams", type=int, default=5)
    parser.add_argument("--timestamps", action="store_true")
    asked = parser.parse_args()
    keep_memory()
    engine = Engine(asked.model, beams=asked.beams, timestamps=asked.timestamps)
    for line in sys.stdin:
        question = json.loads(line)
        started_s = time.perf_counter()
        text = engine.transcribe(question["path"], question["language"])
        answer = {"seconds": time.perf_counter() - started_s, "text": text}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
