"""Who speaks when, by Myna's engine or by sherpa-onnx with the same two networks.

Asked through standard input, a line of JSON each: `{"path": …, "live": …}` (a WAV of 16 kHz) gives
`{"seconds": …, "wall_s": …, "turns": [[start, end, speaker], …], "load_s": …, "loaded_mb": …,
"peak_mb": …}`. Seconds are the processor's: one thread does the work, on a machine that may have
other work too; `wall_s` is what the clock says.
Myna is fed block by block, as the server does; sherpa-onnx takes only whole files.
"""

# sherpa-onnx has no types:
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from myna.audio.overlap import OverlappingWindows
from myna.engines.contract.diarizer import SpeakerOptions
from myna.engines.diarizer import SpeakerDiarizer

BLOCK = 16 * 16_000
SHIFT_RATIO, THRESHOLD = 0.25, 0.9
"""sherpa-onnx's step in windows, and where it cuts the tree: the best of what was tried; its own
0.5 finds three speakers too many."""

Turns = list[list[float]]
METADATA = {
    "segmentation.onnx": {
        "num_speakers": 3,
        "powerset_max_classes": 2,
        "num_classes": 7,
        "sample_rate": 16000,
        "window_size": 160000,
        "receptive_field_size": 991,
        "receptive_field_shift": 270,
        "model_type": "pyannote-segmentation-3.0",
        "version": 1,
        "model_author": "pyannote",
        "maintainer": "none",
        "license": "MIT",
    },
    "embedding.onnx": {
        "framework": "3d-speaker",
        "language": "Chinese-English",
        "url": "none",
        "comment": "none",
        "sample_rate": 16000,
        "output_dim": 192,
        "normalize_samples": 1,
        "feature_normalize_type": "global-mean",
    },
}
"""What sherpa-onnx wants to read in the files."""


def myna(folder: Path) -> Callable[[Path, bool], Turns]:
    """Myna's engine, loaded."""
    engine = SpeakerDiarizer(folder, "speakers")
    engine.warm_up()

    def turns(path: Path, live: bool) -> Turns:  # noqa: FBT001 - of a question
        following = engine.follow(SpeakerOptions(live=live))
        windows = OverlappingWindows(engine.window_s, engine.step_s)
        found: Turns = []

        def take() -> None:
            found.extend([one.start_s, one.end_s, one.speaker] for one in following.take())

        with wave.open(str(path)) as file:
            while block := file.readframes(BLOCK):
                samples = np.frombuffer(block, np.int16).astype(np.float32) / 32768
                for window in windows.feed(samples):
                    following.add(engine.hear(window))
                take()
        for window in windows.finish():
            following.add(engine.hear(window))
        following.finish()
        take()
        return found

    return turns


def sherpa(folder: Path) -> Callable[[Path, bool], Turns]:
    """sherpa-onnx, loaded."""
    import sherpa_onnx as so  # noqa: PLC0415 - not installed everywhere

    place = Path(tempfile.mkdtemp(prefix="sherpa-"))
    for name, facts in METADATA.items():
        entries = (_entry(key, str(value)) for key, value in facts.items())
        (place / name).write_bytes((folder / name).read_bytes() + b"".join(entries))
    pyannote = so.OfflineSpeakerSegmentationPyannoteModelConfig(
        str(place / "segmentation.onnx"), SHIFT_RATIO
    )
    engine = so.OfflineSpeakerDiarization(
        so.OfflineSpeakerDiarizationConfig(
            segmentation=so.OfflineSpeakerSegmentationModelConfig(pyannote=pyannote),
            embedding=so.SpeakerEmbeddingExtractorConfig(str(place / "embedding.onnx")),
            clustering=so.FastClusteringConfig(num_clusters=-1, threshold=THRESHOLD),
            min_duration_on=0.0,
        )
    )

    def turns(path: Path, _live: bool) -> Turns:  # noqa: FBT001 - of a question
        with wave.open(str(path)) as file:
            data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        found = engine.process(data.astype(np.float32) / 32768).sort_by_start_time()
        return [[one.start, one.end, one.speaker] for one in found]

    return turns


def _entry(key: str, value: str) -> bytes:
    """A `metadata_props` of ONNX's ModelProto (field 14): appended to a file, it is part of it."""
    parts = b"".join(
        bytes([tag, len(text)]) + text.encode() for tag, text in ((10, key), (18, value))
    )
    return bytes([14 << 3 | 2, len(parts)]) + parts


def main() -> None:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=["myna", "sherpa"], required=True)
    parser.add_argument("--models", type=Path, required=True)
    asked = parser.parse_args()
    started_s = time.perf_counter()
    turns = (myna if asked.engine == "myna" else sherpa)(asked.models)
    load_s = time.perf_counter() - started_s
    loaded_mb = _peak_mb()
    for line in sys.stdin:
        question = json.loads(line)
        started_s, clock_s = time.process_time(), time.perf_counter()
        found = turns(Path(question["path"]), question.get("live", False))
        answer = {
            "seconds": time.process_time() - started_s,
            "wall_s": time.perf_counter() - clock_s,
            "turns": found,
            "load_s": load_s,
            "loaded_mb": loaded_mb,
            "peak_mb": _peak_mb(),
        }
        print(json.dumps(answer), flush=True)


def _peak_mb() -> float:
    """The most memory that this process has held (Linux). Not `ru_maxrss`, in which a process has
    what its parent held when it was started."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) * 1024 / 1e6


if __name__ == "__main__":
    main()
