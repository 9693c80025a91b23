"""Audio made on the spot: a tone in any container and codec that PyAV can write."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from myna.audio.decode import DecodeLimits, Decoder, PcmStream
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Window

TONE_HZ = 440


@pytest.fixture(scope="session")
def tone() -> Callable[..., np.ndarray]:
    """A sine, shape (n_samples,), float32, half of full scale."""

    def make(seconds: float, rate_hz: int = 16_000, hz: float = TONE_HZ) -> np.ndarray:
        at = np.arange(round(seconds * rate_hz)) / rate_hz
        return (0.5 * np.sin(2 * math.pi * hz * at)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def is_tone() -> Callable[..., bool]:
    """Whether samples at 16 kHz are that sine and little else."""

    def check(samples: np.ndarray, hz: float = TONE_HZ) -> bool:
        middle = samples[1600:-1600]
        at = np.arange(len(middle)) / 16_000
        wave = np.exp(-2j * math.pi * hz * at)
        amplitude = 2 * abs(np.mean(middle * wave))
        total = math.sqrt(2 * np.mean(middle**2))
        return bool(abs(amplitude - 0.5) < 0.05 and amplitude > 0.97 * total)

    return check


@pytest.fixture(scope="session")
def encode() -> Callable[..., None]:
    """Write samples, shape (n_samples,), into a new file."""

    def write(
        path: Path,
        samples: np.ndarray,
        container: str,
        codec: str,
        rate_hz: int,
        *,
        video: bool = False,
    ) -> None:
        with av.open(path, "w", format=container) as output:
            audio = output.add_stream(codec, rate=rate_hz, layout="mono")
            picture = output.add_stream("mpeg4", rate=10) if video else None
            if picture is not None:
                picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
                for number in range(20):
                    frame = av.VideoFrame.from_ndarray(
                        np.full((48, 64, 3), number, np.uint8), format="rgb24"
                    )
                    output.mux(picture.encode(frame))
                output.mux(picture.encode(None))
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.rate = rate_hz
            output.mux(audio.encode(frame))
            output.mux(audio.encode(None))

    return write


@pytest.fixture
def wav_file(tmp_path: Path, tone: Callable[..., np.ndarray], encode: Callable[..., None]) -> Path:
    """Two seconds of the tone."""
    path = tmp_path / "tone.wav"
    encode(path, tone(2), "wav", "pcm_s16le", 16_000)
    return path


@pytest.fixture
def silent_flac(tmp_path: Path, encode: Callable[..., None]) -> Path:
    """Five minutes of silence in a few kilobytes."""
    path = tmp_path / "silence.flac"
    encode(path, np.zeros(300 * 16_000, np.float32), "flac", "flac", 16_000)
    return path


@pytest.fixture
def make_decoder() -> Iterator[Callable[..., Decoder]]:
    """Decoders with the given limits, closed after the test."""
    made: list[Decoder] = []

    def make(max_audio_s: float = 3600, cpu_s: int = 60, memory_bytes: int = 512 << 20) -> Decoder:
        made.append(Decoder(DecodeLimits(max_audio_s, cpu_s, memory_bytes)))
        return made[-1]

    yield make
    for decoder in made:
        decoder.close()


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    """One decoder for a whole module: no file may spoil it for the next."""
    shared = Decoder(DecodeLimits(max_audio_s=3600, cpu_s=60, memory_bytes=512 << 20))
    yield shared
    shared.close()


@pytest.fixture
def open_file() -> Iterator[Callable[[Decoder, Path], PcmStream]]:
    """Streams of files, closed after the test."""
    opened: list[PcmStream] = []

    def start(decoder: Decoder, path: Path) -> PcmStream:
        fd = os.open(path, os.O_RDONLY)
        try:
            stream = decoder.open(fd)
        finally:
            os.close(fd)
        opened.append(stream)
        return stream

    yield start
    for stream in opened:
        stream.close()


@pytest.fixture
def decode_file(
    open_file: Callable[[Decoder, Path], PcmStream],
) -> Callable[..., np.ndarray]:
    """All the audio of a file, read in blocks that are no multiple of anything."""

    def read(decoder: Decoder, path: Path, block: int = 10_007) -> np.ndarray:
        stream = open_file(decoder, path)
        blocks = [np.zeros(0, np.float32)]
        while len(samples := stream.read(block)):
            blocks.append(samples)
        return np.concatenate(blocks)

    return read


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    """No two stretches are alike, so that a shift by one sample shows."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples).astype(np.float32)


def bounds(window: Window) -> tuple[int, int]:
    """First sample and the one behind the last, in the recording."""
    start = round(window.start_s * SAMPLE_RATE_HZ)
    return start, start + len(window.samples)


def span_s(window: Window) -> tuple[float, float]:
    start, end = bounds(window)
    return start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ
