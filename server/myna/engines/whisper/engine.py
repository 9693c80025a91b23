"""The engine itself: a batch of windows in, their segments out."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import ctranslate2
import numpy as np
from ctranslate2.models import Whisper
from numpy.typing import NDArray

from myna.engines.contract.samples import SAMPLE_RATE_HZ, Window
from myna.engines.contract.transcriber import DecodingOptions, WindowJob, WindowResult
from myna.engines.devices import Device, DeviceChoice, choose_compute_type, choose_device
from myna.engines.whisper.copies import BatchCopies, Copies
from myna.engines.whisper.decoder import Decoder
from myna.engines.whisper.encoder import LONG_FRAMES, load_encoder
from myna.engines.whisper.fallback import Attempt, Step, best, next_step
from myna.engines.whisper.mel import LogMel
from myna.engines.whisper.reading import Reading, read_words
from myna.engines.whisper.vocabulary import Vocabulary
from myna.engines.whisper.windowing import (
    FRAMES_PER_S,
    FULL_FRAMES,
    LONG_CONTEXT_TOKENS,
    Sizing,
    needs_timestamps,
    plan_pools,
)
from myna.engines.whisper.work import Features, Work
from myna.errors import EngineFailure
from myna.stages import Stage
from myna.text.transcript import Segment

_BATCH_LIMIT: dict[Device, int] = {"cpu": 8, "cuda": 16}
_BATCH_LIMIT_S: dict[Device, float] = {"cpu": 120.0, "cuda": 480.0}
"""A window of 30 s with five beams takes 50 MB and more while it is decoded."""
_LONG_LIMIT_S: dict[Device, float] = {"cpu": 30.0, "cuda": 480.0}
"""On a CPU a batch of such windows is hardly quicker than one after the other."""
_WARM_RUNS = 4
"""So many that decoding on one core and on all has been tried twice, where there are both."""


class WhisperTranscriber:
    """A Whisper model in CTranslate2's format."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        device: DeviceChoice = "auto",
        compute_type: str = "auto",
        cores: int = 1,
        batch_limit: int = 0,
        sizing: Sizing | None = None,
    ) -> None:
        """Load the model of `folder`. A `batch_limit` of 0 is what suits the device.

        Raises:
            ValueError: the device or the compute type is not to be had here.
            RuntimeError: CTranslate2 cannot read the folder.
        """
        chosen = choose_device(device, ctranslate2.get_cuda_device_count())
        supported = set(ctranslate2.get_supported_compute_types(chosen))
        self.name = name
        self.device = chosen
        self.compute_type = choose_compute_type(compute_type, chosen, supported)
        weights = folder / "model.bin"
        pools = plan_pools(cores, weights.stat().st_size, chosen)
        self.workers = pools.workers
        self.express = pools.express
        self.batch_limit = batch_limit or _BATCH_LIMIT[chosen]
        self.batch_limit_s = 15.0 * batch_limit or _BATCH_LIMIT_S[chosen]
        self.long_limit_s = 15.0 * batch_limit or _LONG_LIMIT_S[chosen]

        def load(batches: int, threads: int) -> Whisper:
            return Whisper(
                str(folder),
                device=chosen,
                compute_type=self.compute_type,
                inter_threads=batches,
                intra_threads=threads,
            )

        with ThreadPoolExecutor(1) as aside:  # CTranslate2 reads with one thread
            encoder = aside.submit(load_encoder, weights, self.compute_type, pools.encoder_threads)
            self._copies = Copies(load, pools)
        self._encoder = encoder.result()
        multilingual = bool(self._copies.shared.is_multilingual)
        self.translates = multilingual
        self._vocabulary = Vocabulary(folder, multilingual=multilingual)
        self._decoder = Decoder(self._vocabulary)
        known = self._vocabulary.language_tokens.values() if multilingual else ("en",)
        self.languages = frozenset(known)
        self._mel = LogMel(int(self._copies.shared.n_mels))
        self._sizing = sizing or Sizing()
        self._closed = False

    def long_lanes(self) -> int:
        """How many long batches had best run at a time; known once `warm_up` has been called."""
        return self._copies.long_lanes()

    def prompt_tokens(self, options: DecodingOptions) -> int:
        """How many tokens the prompt and hotwords come to."""
        return len(self._vocabulary.context(options))

    def count_tokens(self, segments: Sequence[Segment]) -> int:
        """Text tokens, timestamps not counted."""
        eot = self._vocabulary.base.eot
        return sum(1 for segment in segments for token in segment.tokens if token < eot)

    def prepare(self, job: WindowJob) -> None:
        """Compute the window's log-mel features."""
        begun_s = time.perf_counter()
        self._features(job, self._work(job))
        _told((job,), "encode", begun_s)

    def batch_key(self, job: WindowJob) -> Hashable:
        """Windows decode together that are alike in length, length of prompt, temperature, beams
        and in whether times are written."""
        work = self._work(job)
        return (
            self._frames(job, full_length=work.step.full_length),
            len(work.context),
            work.step.temperature,
            job.options.beam_size,
            work.step.timestamps,
        )

    def cost_s(self, job: WindowJob) -> float:
        """Length of what the encoder reads."""
        return self._frames(job, full_length=self._work(job).step.full_length) / FRAMES_PER_S

    def run(self, jobs: Sequence[WindowJob]) -> list[WindowResult | WindowJob | Exception]:
        """Encode, detect languages where they are not given, decode, judge, and time words."""
        works = [self._work(job) for job in jobs]
        if self._closed:
            return [EngineFailure(f"{self.name} has been unloaded") for _ in jobs]
        with self._copies.batch(self.cost_s(jobs[0])) as copies:
            return self._run(jobs, works, copies)

    def _run(
        self, jobs: Sequence[WindowJob], works: Sequence[Work], copies: BatchCopies
    ) -> list[WindowResult | WindowJob | Exception]:
        try:
            begun_s = time.perf_counter()
            encoded = self._encode(jobs, works, copies)
            begun_s = _told(jobs, "encode", begun_s)
            self._detect(jobs, works, encoded, copies)
            attempts = self._decoder.decode(jobs, works, encoded, copies)
            outcomes = [self._judge(*row) for row in zip(jobs, works, attempts, strict=True)]
            results = self._read(jobs, works, encoded, outcomes, copies)
        except RuntimeError as failure:
            return [EngineFailure(f"{self.name} failed on this audio: {failure}") for _ in jobs]
        _told(jobs, "generate", begun_s)
        return results

    def warm_up(self) -> None:
        """Encode a second of faint noise, and decode it in each of the ways there are.

        Raises RuntimeError where CTranslate2 cannot.
        """
        noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ).astype(np.float32) * 1e-3
        jobs = [WindowJob(Window(noise, 0.0), DecodingOptions())]
        works = [self._work(job) for job in jobs]
        with self._copies.batch(self.cost_s(jobs[0])) as copies:
            encoded = self._encode(jobs, works, copies)
            self._detect(jobs, works, encoded, copies)
            for _ in range(_WARM_RUNS if self._copies.apart else 1):
                self._decoder.decode(jobs, works, encoded, copies)

    def close(self) -> None:
        """Give the memory back; what runs afterwards fails."""
        self._closed = True
        self._encoder = None
        self._copies.unload()

    def _work(self, job: WindowJob) -> Work:
        if not isinstance(job.state, Work):
            options = job.options
            context = tuple(self._vocabulary.context(options))
            full = not self._sizing.enabled or len(context) > LONG_CONTEXT_TOKENS
            language = options.language if self.translates else "en"
            frames = self._frames(job, full_length=full)
            timestamps = options.timestamps or needs_timestamps(job.window.seconds, frames)
            step = Step(options.temperature, full, timestamps)
            job.state = Work(step, context=context, language=language)
        return job.state

    def _frames(self, job: WindowJob, *, full_length: bool) -> int:
        return FULL_FRAMES if full_length else self._sizing.frames(job.window.seconds)

    def _features(self, job: WindowJob, work: Work) -> Features:
        frames = self._frames(job, full_length=work.step.full_length)
        if work.features is None or work.features.shape[1] != frames:
            work.features = self._mel.features(job.window.samples, frames)
            work.encoded = None
        return work.features

    def _encode(
        self, jobs: Sequence[WindowJob], works: Sequence[Work], copies: BatchCopies
    ) -> ctranslate2.StorageView:
        rows = [self._features(job, work) for job, work in zip(jobs, works, strict=True)]
        if self.device == "cuda":
            return copies.encoder().encode(_view(np.stack(rows)))
        # One by one: on a CPU the encoder gains nothing from a batch, and its attention over 30 s
        # takes 72 MB for every window that is encoded at once.
        own = self._encoder
        for work, row in zip(works, rows, strict=True):
            if work.encoded is not None:
                continue
            if own is not None and row.shape[1] >= LONG_FRAMES:
                work.encoded = own.encode(row)
            else:
                work.encoded = np.array(copies.encoder().encode(_view(row[None])))[0]
        return _view(np.stack([work.encoded for work in works if work.encoded is not None]))

    def _detect(
        self,
        jobs: Sequence[WindowJob],
        works: Sequence[Work],
        encoded: ctranslate2.StorageView,
        copies: BatchCopies,
    ) -> None:
        if all(work.language for work in works):
            return
        found = copies.encoder().detect_language(encoded)
        for job, work, ranked in zip(jobs, works, found, strict=True):
            codes = [self._vocabulary.language_tokens[token] for token, _ in ranked]
            wanted = [code for code in codes if code in job.options.candidates]
            work.language = work.language or (wanted or codes)[0]

    def _judge(self, job: WindowJob, work: Work, attempt: Attempt) -> Attempt | WindowJob:
        if job.options.draft:
            return attempt if attempt.good else replace(attempt, tokens=(), text="")
        work.attempts.append(attempt)
        step = next_step(attempt, job.options.temperature)
        if step is None:
            return best(work.attempts)
        work.step = step
        return job

    def _read(
        self,
        jobs: Sequence[WindowJob],
        works: Sequence[Work],
        encoded: ctranslate2.StorageView,
        outcomes: Sequence[Attempt | WindowJob],
        copies: BatchCopies,
    ) -> list[WindowResult | WindowJob | Exception]:
        readings = {
            row: Reading(job, work.language or "en", outcome, self._vocabulary)
            for row, (job, work, outcome) in enumerate(zip(jobs, works, outcomes, strict=True))
            if isinstance(outcome, Attempt)
        }
        timed = [row for row, reading in readings.items() if reading.wants_alignment]
        if timed:
            view = encoded if len(timed) == len(jobs) else _view(np.array(encoded)[timed])
            read_words(copies.encoder(), view, [readings[row] for row in timed])
        for row in readings:
            works[row].features = works[row].encoded = None
        return [
            readings[row].result() if isinstance(outcome, Attempt) else outcome
            for row, outcome in enumerate(outcomes)
        ]


def _told(jobs: Sequence[WindowJob], stage: Stage, begun_s: float) -> float:
    """Tell every request of a batch that it was at a stage until now, which is returned: all of
    them waited for it."""
    ended_s = time.perf_counter()
    for job in jobs:
        job.record.stage(stage, begun_s, ended_s)
    return ended_s


def _view(array: NDArray[np.float32]) -> ctranslate2.StorageView:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array, dtype=np.float32))
