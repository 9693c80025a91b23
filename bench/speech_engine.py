"""The bare speech engines: how soon they begin with no server around them.

`--engine piper` is piper-tts's own synthesis, a sentence at a time; `--engine kokoro` is
kokoro-onnx's own stream. Asked through standard input, a line of JSON each: `{"text": …}` gives
`{"first_s": …, "seconds": …}`, from the call to the first and to the last sound.
"""

# piper and kokoro-onnx have no types:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Speak = Callable[[str], tuple[float, float]]
VOICE = "af_alloy"
STYLE = (510, 1, 256)
"""Shape of a Kokoro voice."""


def piper(folder: Path) -> Speak:
    """Piper's own sentences."""
    from piper import PiperVoice  # noqa: PLC0415 - only the engine that is asked for

    (model,) = folder.glob("*.onnx")
    voice = PiperVoice.load(model)

    def speak(text: str) -> tuple[float, float]:
        begun_s = time.perf_counter()
        times = [time.perf_counter() - begun_s for _ in voice.synthesize(text)]
        return times[0], times[-1]

    return speak


def kokoro(folder: Path) -> Speak:
    """kokoro-onnx's own stream."""
    from kokoro_onnx import Kokoro  # noqa: PLC0415 - only the engine that is asked for

    (model,) = folder.glob("*.onnx")
    styles = np.fromfile(folder / "voices" / f"{VOICE}.bin", np.float32).reshape(STYLE)
    with tempfile.TemporaryDirectory() as place:
        np.savez(Path(place) / "voices.npz", **{VOICE: styles})
        engine = Kokoro(str(model), f"{place}/voices.npz")

    async def stream(text: str) -> tuple[float, float]:
        begun_s = time.perf_counter()
        times = [time.perf_counter() - begun_s async for _ in engine.create_stream(text, VOICE)]
        return times[0], times[-1]

    return lambda text: asyncio.run(stream(text))


def main() -> None:
    """Answer until standard input ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--engine", choices=("piper", "kokoro"), required=True)
    parser.add_argument("--weights", type=Path, required=True)
    asked = parser.parse_args()
    answers = sys.stdout
    sys.stdout = sys.stderr  # nothing that a library prints gets among the answers
    speak = (piper if asked.engine == "piper" else kokoro)(asked.weights)
    speak("Hello.")
    for line in sys.stdin:
        first_s, seconds = speak(json.loads(line)["text"])
        answers.write(json.dumps({"first_s": first_s, "seconds": seconds}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
