"""The clips that scenarios use: from a folder, or spoken by the server itself; and long files."""

# PyAV names packets by a type parameter that its own signatures leave open:
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

RATE_HZ = 16_000
SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".opus", ".ogg", ".m4a"})
UNFIT = frozenset({"odd", "nonspeech", "container", "diarization", "noisy", "long"})
"""Kinds of a manifest that are no plain speech."""
UPLOAD_BYTES = 25 * 1024 * 1024
"""Of the hosted API; long files stay below, so that any server takes them."""
BLOCK_S = 600.0
"""Longer files repeat a block of this length."""
GAP_S = 0.5
"""Silence between the clips of a long file."""

SENTENCES = (
    "Good morning, and welcome back.",
    "The parcel came on Tuesday, a little wet.",
    "Could you turn the lamp towards the window, please?",
    "She counted forty boats before the rain reached the harbour.",
    "We keep the spare keys in the blue tin, behind the flour and the rice.",
    "Nobody on the night train had expected snow in the middle of April.",
    "If the meeting runs late, leave the notes on my desk and I will read them tomorrow morning.",
    (
        "The old bridge was built from stones of the castle, and for two hundred years it carried "
        "every cart in the valley."
    ),
    (
        "Before you paint the door, wash it with warm water, let it dry for a day, and then sand "
        "it lightly along the grain of the wood."
    ),
    (
        "Our teacher liked to say that a map is a promise somebody else made about a place, and "
        "that one should go there and see whether it was kept, walking slowly along the river "
        "until the evening comes."
    ),
)
"""What the server speaks where no audio is given: 2 to 11 seconds each."""


@dataclass(frozen=True)
class Clip:
    """A recording as it is uploaded."""

    path: Path
    seconds: float
    language: str | None
    text: str | None = None
    """What is said, where it is known."""

    @cached_property
    def data(self) -> bytes:
        """The file."""
        return self.path.read_bytes()


def named(seconds: float) -> str:
    """A length as an adjective: `10-minute`, `3-hour`."""
    return f"{seconds / 60:g}-minute" if seconds < 3600 else f"{seconds / 3600:g}-hour"


def length_s(path: Path) -> float:
    """Seconds of audio in the file, counted, not declared."""
    return len(pcm(path)) / RATE_HZ


def pcm(path: Path) -> NDArray[np.int16]:
    """Mono 16 kHz, shape (n_samples,)."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    blocks: list[NDArray[np.int16]] = []
    with av.open(str(path)) as container:
        for frame in itertools.chain(container.decode(audio=0), [None]):
            blocks += [block.to_ndarray()[0] for block in resampler.resample(frame)]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


def from_folder(folder: Path, language: str) -> list[Clip]:
    """Speech in `language`: what `manifest.jsonl` says is, or every audio file without one."""
    manifest = folder / "manifest.jsonl"
    if manifest.is_file():
        rows = [json.loads(line) for line in manifest.read_text().splitlines() if line.strip()]
        return [
            Clip(folder / row["file"], row["seconds"], language)
            for row in rows
            if row["language"] == language and row["kind"] not in UNFIT and row["seconds"]
        ]
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [Clip(path, length_s(path), language) for path in files]


def from_speech(spoken: Iterable[tuple[str, bytes]], folder: Path) -> list[Clip]:
    """Clips of English sentences and the WAV files that they were spoken to."""
    clips: list[Clip] = []
    for index, (text, wav) in enumerate(spoken):
        path = folder / f"spoken-{index}.wav"
        path.write_bytes(wav)
        clips.append(Clip(path, length_s(path), "en", text))
    return clips


@dataclass(frozen=True, slots=True)
class Library:
    """The clips at hand, and the long files made of them."""

    clips: Sequence[Clip]
    folder: Path
    """Where long files are written."""

    def nearest(self, seconds: float) -> Clip:
        """The clip whose length is nearest."""
        return min(self.clips, key=lambda clip: abs(clip.seconds - seconds))

    def between(self, shortest_s: float, longest_s: float) -> list[Clip]:
        """Clips of these lengths, the shortest first. Raises SystemExit if there is none."""
        found = [clip for clip in self.clips if shortest_s <= clip.seconds <= longest_s]
        if not found:
            raise SystemExit(f"no clip of {shortest_s:g} to {longest_s:g} s in the audio folder")
        return sorted(found, key=lambda clip: clip.seconds)

    def long(self, seconds: float) -> Clip:
        """Clips one after the other until `seconds` are full: FLAC, or Opus where that is too big
        for an upload."""
        block_s = min(seconds, BLOCK_S)
        name = f"long-{seconds:.0f}"
        samples = self._block(block_s)
        if seconds <= BLOCK_S:
            path = self.folder / f"{name}.flac"
            _write(path, samples, "flac", None)
        else:
            bit_rate = int(min(24_000, 0.8 * UPLOAD_BYTES * 8 / seconds))
            block = self.folder / f"{name}-block.ogg"
            path = self.folder / f"{name}.ogg"
            _write(block, samples, "libopus", bit_rate)
            _repeat(block, path, round(seconds / BLOCK_S))
        if path.stat().st_size > UPLOAD_BYTES:
            raise RuntimeError(f"{path.name} is too big for an upload")
        return Clip(path, seconds, self.clips[0].language)

    def _block(self, seconds: float) -> NDArray[np.int16]:
        wanted = int(seconds * RATE_HZ)
        gap = np.zeros(int(GAP_S * RATE_HZ), np.int16)
        parts: list[NDArray[np.int16]] = []
        for clip in itertools.cycle(self.clips):
            parts += [pcm(clip.path), gap]
            if sum(map(len, parts)) >= wanted:
                break
        return np.concatenate(parts)[:wanted]


def _write(path: Path, samples: NDArray[np.int16], codec: str, bit_rate: int | None) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE_HZ)
        assert isinstance(stream, AudioStream)
        stream.codec_context.format = "s16"
        stream.codec_context.layout = "mono"
        if bit_rate:
            stream.codec_context.bit_rate = bit_rate
        for frame in _frames(samples):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(samples: NDArray[np.int16]) -> Iterator[av.AudioFrame]:
    for start in range(0, len(samples), RATE_HZ):
        block = np.ascontiguousarray(samples[np.newaxis, start : start + RATE_HZ])
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, start
        yield frame


def _repeat(block: Path, path: Path, times: int) -> None:
    """The packets of `block` over and over: an hour without encoding an hour."""
    offset = 0
    with av.open(str(path), "w") as container, av.open(str(block)) as first:
        stream = container.add_stream_from_template(first.streams.audio[0])
        for _ in range(times):
            behind = 0
            with av.open(str(block)) as source:
                for packet in source.demux(source.streams.audio[0]):
                    if packet.pts is None or packet.dts is None:
                        continue
                    behind = packet.pts + (packet.duration or 0)
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    container.mux(packet)
            offset += behind
