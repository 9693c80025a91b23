"""Engines by the name that a plan gives them; each is imported when it is chosen.

`threads` is how many all engines have together. What a model's library says about its files or the
device is raised as it is.
"""

from __future__ import annotations

from myna.engines.contract.diarizer import Diarizer
from myna.engines.contract.synthesizer import Synthesizer
from myna.engines.contract.transcriber import Transcriber
from myna.engines.devices import (
    Device,
    DeviceChoice,
    choose_device,
    choose_speech_compute_type,
)
from myna.plan import PlannedModel
from myna.settings import Settings

KOKORO_THREADS = 4
"""Cores of one run of Kokoro. Its runs share their threads and do not spin, so a lone one has these
cores, and as many as there are cores each have about one: on two cores it was 1.6 times as fast
alone as with one, and no slower when both were busy. Piper gains nothing alone (57 ms against 62 to
its first sound) and lost an eighth when both were busy: one core a run."""


def build_transcriber(model: PlannedModel, settings: Settings, threads: int) -> Transcriber:
    """A Whisper, or the fake."""
    if model.engine == "fake":
        from myna.engines.fake import FakeTranscriber  # noqa: PLC0415 - loaded when chosen

        return FakeTranscriber(model.id)
    from myna.engines.whisper import WhisperTranscriber  # noqa: PLC0415 - loaded when chosen
    from myna.engines.whisper.windowing import Sizing  # noqa: PLC0415 - loaded when chosen

    return WhisperTranscriber(
        model.folder,
        model.id,
        device=settings.device,
        compute_type=settings.compute_type,
        cores=threads,
        batch_limit=settings.batch_size,
        sizing=Sizing(enabled=settings.right_size),
    )


def build_diarizer(model: PlannedModel) -> Diarizer:
    """What tells speakers apart, or the fake."""
    if model.engine == "fake":
        from myna.engines.fake_diarizer import FakeDiarizer  # noqa: PLC0415 - loaded when chosen

        return FakeDiarizer(model.id)
    from myna.engines.diarizer import SpeakerDiarizer  # noqa: PLC0415 - loaded when chosen

    return SpeakerDiarizer(model.folder, model.id)


def build_synthesizer(model: PlannedModel, settings: Settings, threads: int) -> Synthesizer:
    """A Kokoro, a Piper, or the fake."""
    if model.engine == "fake":
        from myna.engines.fake import FakeSynthesizer  # noqa: PLC0415 - loaded when chosen

        return FakeSynthesizer(model.id)
    if model.engine == "kokoro":
        from myna.engines.kokoro import KokoroSynthesizer  # noqa: PLC0415 - loaded when chosen

        return KokoroSynthesizer.load(
            model.folder,
            model.id,
            voices=model.voices,
            stand_ins=model.stand_ins,
            device=_onnx_device(settings.device),
            threads=min(threads, KOKORO_THREADS),
            workers=threads,
        )
    from myna.engines import bfloat16  # noqa: PLC0415 - loaded when chosen
    from myna.engines.piper import PiperSynthesizer  # noqa: PLC0415 - loaded when chosen

    device = _onnx_device(settings.device)
    return PiperSynthesizer.load(
        model.folder,
        model.id,
        device=device,
        threads=1,
        workers=threads,
        compute_type=choose_speech_compute_type(
            settings.tts_compute_type,
            device,
            quick=bfloat16.is_quick(),
            has_torch=bfloat16.has_torch,
        ),
    )


def _onnx_device(asked: DeviceChoice) -> Device:
    """Where ONNX models run: the plain build of onnxruntime has no GPU, and a voice needs none."""
    import onnxruntime  # noqa: PLC0415 - slow to import, and only needed with an ONNX engine

    gpus = int("CUDAExecutionProvider" in onnxruntime.get_available_providers())
    return choose_device("cpu" if asked == "cpu" else "auto", gpus)
