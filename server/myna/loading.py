"""From resolved models to residents: engines built, warmed, and put behind their schedulers."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import cached_property, partial
from typing import Any, TypeVar

from myna.api.names import FAST_TTS_NAMES, STT_NAMES, TTS_NAMES
from myna.audio.activity import AnySound, SpeechProbabilities
from myna.audio.decode import DecodeLimits, Decoder
from myna.building import build_diarizer, build_synthesizer, build_transcriber
from myna.engines.contract.synthesizer import Synthesizer
from myna.engines.contract.transcriber import Transcriber, WindowJob, WindowResult
from myna.machine import give_back_freed_memory, loading
from myna.plan import ModelPlan, PlannedModel
from myna.scheduling.admission import Admission
from myna.scheduling.casting import check_stand_ins
from myna.scheduling.diarization import DiarizationService, ListeningJob, ListeningRunner
from myna.scheduling.pieces import Made, PieceJob, PieceRunner
from myna.scheduling.queue import Limits
from myna.scheduling.resident import About, Loaded, Resident
from myna.scheduling.residents import Residents, Shelf
from myna.scheduling.speaking import SpeechService
from myna.scheduling.transcription import TranscriptionService
from myna.scheduling.voices import foreseen, give_stand_ins, meant_by
from myna.scheduling.workers import Observer, Workers
from myna.settings import Settings

_Engine = TypeVar("_Engine", Transcriber, Synthesizer)
_Service = TypeVar("_Service", TranscriptionService, SpeechService)

_log = logging.getLogger("myna.loading")


class Loader:
    """Builds the residents of one server."""

    def __init__(
        self,
        settings: Settings,
        plan: ModelPlan,
        threads: Executor,
        observer: Observer | None = None,
        shares: Mapping[str, float] | None = None,
        *,
        rehearse: bool = True,
    ) -> None:
        """`observer` hears of every batch that runs; `shares` are those of callers. With `rehearse`
        voices say something unheard, see `SpeechService.get_to_know`."""
        self._rehearse = rehearse
        self._shares = shares
        self._settings = settings
        self._observer = observer
        self._plan = plan
        self._threads = threads

    def load(self) -> Residents:
        """Load and warm every model that the settings name; blocks.

        Raises:
            ValueError: the setting `voices` has what is not there.
            Exception: whatever a model's library says about its files or the device.
        """
        residents = self.prepare()
        try:
            for listener in residents.stt.named:
                listener.hold(listener.build())
            for speaker in residents.tts.named:
                speaker.hold(speaker.build())
            check_stand_ins(residents.tts.residents, self._settings.voices)
        except BaseException:
            residents.close()
            raise
        return residents

    def prepare(self) -> Residents:
        """All models, none of them in memory yet, and what they share; blocks."""
        decoder = Decoder(self._limits())
        decoder.start()
        stt = tuple(
            self._resident(model, partial(self._transcriber, model, decoder))
            for model in self._plan.stt
        )
        tts = tuple(
            self._resident(model, partial(self._speaker, model)) for model in self._plan.tts
        )
        meanings = speech_names([speaker for speaker in tts if speaker.standing == "named"])
        return Residents(
            Shelf("transcription", stt, STT_NAMES, self._admission(stt)),
            Shelf("speech", tts, TTS_NAMES, self._admission(tts), meanings),
            decoder.close,
            self._diarization(),
            self._plan.without_speakers,
        )

    def _diarization(self) -> DiarizationService | None:
        """Not loaded yet: most requests want no speakers. A thread for every two cores, since it
        takes a small part of what a transcription does and runs beside one."""
        if self._plan.diarize is None:
            return None
        engine = build_diarizer(self._plan.diarize)
        threads = max(1, self._plan.threads // 2)
        workers = Workers[ListeningJob, Any](
            ListeningRunner(),
            threads=threads,
            limits=Limits(1),
            name=engine.name,
            observer=self._observer,
            shares=self._shares,
        )
        workers.start()
        return DiarizationService(engine, workers, self._threads, _size_bytes(self._plan.diarize))

    def _admission(
        self,
        residents: Sequence[Resident[TranscriptionService]] | Sequence[Resident[SpeechService]],
    ) -> Admission:
        """One bound for all models of a task: they share the machine."""

        def workers() -> list[Workers[WindowJob, WindowResult] | Workers[PieceJob, Made]]:
            return [held.service.workers for one in residents if (held := one.held)]

        def speed() -> float | None:
            return min((rate for one in workers() if (rate := one.speed)), default=None)

        return Admission(
            most_requests=self._settings.max_requests,
            most_queued_s=self._settings.max_queued_s,
            queued_s=lambda: sum(one.queued_s for one in workers()),
            speed=speed,
        )

    def _limits(self) -> DecodeLimits:
        return DecodeLimits(
            max_audio_s=self._settings.max_audio_s,
            cpu_s=self._settings.decoder_cpu_s,
            memory_bytes=self._settings.decoder_memory_bytes,
        )

    @cached_property
    def _speech(self) -> Callable[[], SpeechProbabilities]:
        """What finds speech, for all transcribers: loaded with the first that is a real one."""
        if not self._settings.vad:
            return AnySound
        from myna.audio.vad import SpeechDetector, VadModel  # noqa: PLC0415 - brings onnxruntime

        model = VadModel()
        return lambda: SpeechDetector(model)

    def _resident(
        self, model: PlannedModel, build: Callable[[], Loaded[_Service]]
    ) -> Resident[_Service]:
        here = model.engine != "fake" and model.folder.is_dir()
        size_bytes = _size_bytes(model)
        about = About(
            model.id,
            model.aliases,
            model.engine,
            created=int(model.folder.stat().st_mtime) if here else 0,
            size_bytes=model.supply.size_bytes if model.supply is not None else size_bytes,
            pinned=model.named
            and bool({"all", model.id, *model.aliases} & set(self._settings.pinned)),
            voices=model.voices,
            stand_ins=foreseen(model.stand_ins, model.voices)
            | foreseen(self._settings.voices, model.voices),
            standing=model.standing,
            supply=model.supply,
        )
        return Resident(about, build)

    def _transcriber(self, model: PlannedModel, decoder: Decoder) -> Loaded[TranscriptionService]:
        here, threads = model.located(), self._plan.threads
        engine = _timed(model, lambda: build_transcriber(here, self._settings, threads))
        workers = Workers[WindowJob, WindowResult](
            engine,
            threads=engine.workers,
            express=engine.express,
            limits=Limits(engine.batch_limit, engine.batch_limit_s, engine.long_limit_s),
            long_lanes=engine.long_lanes,
            name=model.id,
            observer=self._observer,
            shares=self._shares,
        )
        workers.start()
        found = AnySound if model.engine == "fake" else self._speech
        service = TranscriptionService(engine, workers, decoder, found, self._threads)
        return Loaded(service, _closing(workers.close, engine.close))

    def _speaker(self, model: PlannedModel) -> Loaded[SpeechService]:
        here, threads = model.located(), self._plan.threads
        engine = _timed(model, lambda: build_synthesizer(here, self._settings, threads))
        # What the fake engine says is heard again as it was written, and its voices are told apart
        # by their loudness.
        fake = model.engine == "fake"
        give_stand_ins(engine, self._settings.voices)
        workers = Workers[PieceJob, Made](
            PieceRunner(engine),
            threads=engine.workers,
            limits=Limits(1),
            name=model.id,
            observer=self._observer,
            shares=self._shares,
        )
        workers.start()
        service = SpeechService(
            engine,
            workers,
            self._threads,
            first_chars=engine.first_chars,
            normalize=self._settings.normalize_text and not fake,
            loudness_lufs=None if fake else self._settings.loudness or None,
        )
        meant = meant_by(engine)
        if self._rehearse:
            likely = {voice.id: voice for voice in (engine.voices[0], *meant.values())}
            service.get_to_know(likely.values())
        close = _closing(workers.close, engine.close)
        return Loaded(service, close, tuple(engine.voices), meant)


def speech_names(
    residents: Sequence[Resident[SpeechService]],
) -> Mapping[str, Resident[SpeechService]]:
    """What OpenAI's names mean where there is an engine for speed and one for quality: `tts-1` is
    Piper, and all others are Kokoro. Empty where there is only one of the two."""
    found = {resident.kind: resident for resident in reversed(residents)}
    if not {"piper", "kokoro"} <= set(found):
        return {}
    return {name: found["piper" if name in FAST_TTS_NAMES else "kokoro"] for name in TTS_NAMES}


def _timed(model: PlannedModel, build: Callable[[], _Engine]) -> _Engine:
    _log.info("loading %s (%s)", model.id, model.engine)
    started_s = time.perf_counter()
    with loading():
        engine = build()
    loaded_s = time.perf_counter()
    try:
        engine.warm_up()
    except BaseException:
        engine.close()
        raise
    warm_s = time.perf_counter()
    _log.info(
        "loaded %s in %.1f s, warm after %.1f s more",
        model.id,
        loaded_s - started_s,
        warm_s - loaded_s,
    )
    return engine


def _closing(*closers: Callable[[], None]) -> Callable[[], None]:
    def close() -> None:
        for closer in closers:
            closer()
        # Engines are in cycles, and what they free stays with malloc otherwise.
        gc.collect()
        give_back_freed_memory()

    return close


def _size_bytes(model: PlannedModel) -> int:
    """Of its files; 0 where there are none."""
    if model.engine == "fake":
        return 0
    return sum(file.stat().st_size for file in model.folder.rglob("*") if file.is_file())
