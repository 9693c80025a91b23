"""What a batch costs the engine: the service times that `scaling.py` plays.

    python bench/service_times.py --output bench/service_times.json

Batches of Whisper base on one core, of one to eight windows of each length. Processor seconds, so
that others on the machine count little; on a core of one's own a batch takes as long. The speech is
Piper's, at the pace of a reader.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from myna.audio.resample import Resampler
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples, Window
from myna.engines.contract.transcriber import DecodingOptions, WindowJob
from myna.engines.piper import PiperSynthesizer
from myna.engines.whisper import WhisperTranscriber
from myna.machine import suit_engines

WEIGHTS = Path(__file__).resolve().parent.parent / "models" / "weights"
LENGTHS_S = (8, 12, 20, 30)
"""What windows come in, padding included."""
COUNTS = (1, 2, 4, 8)
MOST_S = 120
"""Of audio in a batch, as in the server."""
MARGIN_S = 1.0
REPEATS = 2
PASSAGE = (
    "Last summer we walked along the river to the old mill. The water was low and very clear. "
    "My brother counted eleven fish under the wooden bridge. Nobody had repaired the roof for "
    "many years. In the afternoon a farmer gave us bread and cheese. He told a story about a "
    "horse that could open doors. When the rain began, we waited in his kitchen. "
)


def spoken(minutes: float) -> Samples:
    """Speech at 16 kHz."""
    speaker = PiperSynthesizer.load(
        WEIGHTS / "piper-en_US-joe-medium", "joe", device="cpu", threads=1, workers=1
    )
    resampler = Resampler(speaker.sample_rate_hz, SAMPLE_RATE_HZ)
    voice = speaker.voices[0]
    said = np.concatenate(
        [resampler.push(block.samples) for block in speaker.synthesize(PASSAGE, voice, 1.0)]
    )
    times = -(-int(minutes * 60 * SAMPLE_RATE_HZ) // len(said))
    return np.tile(said, times)


def batch(speech: Samples, length_s: int, count: int) -> list[WindowJob]:
    """`count` windows that are encoded at `length_s`, each with other words."""
    size = int((length_s - MARGIN_S) * SAMPLE_RATE_HZ) if length_s < 30 else 30 * SAMPLE_RATE_HZ
    options = DecodingOptions(language="en", timestamps=False)
    jobs: list[WindowJob] = []
    for number in range(count):
        start = number * 5 * SAMPLE_RATE_HZ
        jobs.append(WindowJob(Window(speech[start : start + size], 0.0), options))
    return jobs


def measured(engine: WhisperTranscriber, speech: Samples, length_s: int, count: int) -> float:
    """Processor seconds for a batch, the fewest of a few tries."""
    tries: list[float] = []
    for _ in range(REPEATS):
        jobs = batch(speech, length_s, count)
        for job in jobs:
            engine.prepare(job)
        started_s = time.process_time()
        engine.run(jobs)
        tries.append(time.process_time() - started_s)
    return min(tries)


def main() -> None:
    """Measure, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("bench/service_times.json"))
    asked = parser.parse_args()
    suit_engines(1)
    engine = WhisperTranscriber(WEIGHTS / "whisper-base", "whisper-base", cores=1)
    engine.warm_up()
    speech = spoken(minutes=2)
    kinds = [(one, n) for one in LENGTHS_S for n in COUNTS if one * n <= MOST_S]
    batches = [
        {"length_s": length_s, "count": n, "cpu_s": round(measured(engine, speech, length_s, n), 3)}
        for length_s, n in tqdm(kinds, unit="kind")
    ]
    found = {"model": engine.name, "compute_type": engine.compute_type, "batches": batches}
    asked.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
