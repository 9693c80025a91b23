"""The stand-in baseline: faster-whisper as servers on top of it use it, behind a plain route.

One `WhisperModel` with one worker, default threads and the system's allocator; voice activity
finds speech, clips of at most 30 s are gathered from it, and `BatchedInferencePipeline` decodes
them eight at a time with five beams. Nothing is tuned here on purpose.

    python bench/baseline.py --port 8001
"""

# faster-whisper has no types of its own, and Myna's stubs cover what Myna calls:
# pyright: reportAttributeAccessIssue=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnusedFunction=false, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Annotated

import numpy as np
import uvicorn
from fastapi import FastAPI, Form, UploadFile
from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio
from faster_whisper.vad import VadOptions, get_speech_timestamps

RATE_HZ = 16_000
LONGEST_S = 30.0
BATCH = 8
BEAMS = 5
WEIGHTS = Path(__file__).resolve().parent.parent / "models" / "weights" / "whisper-base"


def speech_clips(audio: np.ndarray) -> list[dict[str, float]]:
    """Speech as clips of at most 30 s, in seconds: neighbours are joined while they fit."""
    options = VadOptions(max_speech_duration_s=LONGEST_S, min_silence_duration_ms=160)
    clips: list[dict[str, float]] = []
    for found in get_speech_timestamps(audio, options):
        start_s, end_s = found["start"] / RATE_HZ, found["end"] / RATE_HZ
        if clips and end_s - clips[-1]["start"] <= LONGEST_S:
            clips[-1]["end"] = end_s
        else:
            clips.append({"start": start_s, "end": end_s})
    return clips


def create_app(folder: Path) -> FastAPI:
    """Load the model and put one route before it."""
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", num_workers=1)
    app = FastAPI()

    @app.get("/ready")
    def ready() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/audio/transcriptions")
    def transcriptions(
        file: UploadFile,
        language: Annotated[str | None, Form()] = None,
    ) -> dict[str, str]:
        audio = decode_audio(file.file, sampling_rate=RATE_HZ)
        clips = speech_clips(audio)
        if not clips:
            return {"text": ""}
        segments, _ = BatchedInferencePipeline(model=model).transcribe(
            audio,
            language=language,
            beam_size=BEAMS,
            batch_size=BATCH,
            temperature=0.0,
            vad_filter=False,
            clip_timestamps=clips,
        )
        return {"text": "".join(segment.text for segment in segments).strip()}

    return app


def main() -> None:
    """Serve on the loopback interface."""
    parser = argparse.ArgumentParser(description="A plain faster-whisper server to compare with.")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--model", type=Path, default=WEIGHTS, help="folder of a CTranslate2 model")
    asked = parser.parse_args()
    uvicorn.run(create_app(asked.model), host="127.0.0.1", port=asked.port, log_level="warning")


if __name__ == "__main__":
    main()
