"""Transcribing and speaking from the command line, through the same scheduler, without a server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn, get_args

from tqdm import tqdm

from myna.api.casting import custom_id, custom_role
from myna.audio.codecs import SPEECH_RATE_HZ, SpeechFormat, layout_of
from myna.audio.windows import Cutting
from myna.engines.contract.diarizer import SpeakerOptions
from myna.engines.contract.transcriber import DecodingOptions
from myna.errors import BadRequest, MynaError
from myna.loading import Loader
from myna.machine import suit_engines
from myna.planning import heaps, plan
from myna.playing import player, playing
from myna.scheduling.casting import Role, Speaker, role_of
from myna.scheduling.diarization import Hearing
from myna.scheduling.pieces import Utterance
from myna.scheduling.residents import Residents
from myna.scheduling.speaking import SpeechService
from myna.scheduling.transcription import TranscriptionService
from myna.settings import Settings
from myna.store.custom_voices import CustomVoices, default_folder
from myna.text.answers import LABELLED, ResponseFormat, render
from myna.text.languages import language_code
from myna.text.sentences import speakable

_SUFFIXES = {
    "text": "txt",
    "json": "json",
    "verbose_json": "json",
    "diarized_json": "json",
    "srt": "srt",
    "vtt": "vtt",
}


@dataclass(frozen=True, slots=True)
class TranscribeJob:
    """What `myna transcribe` was asked for."""

    files: tuple[Path, ...]
    format: ResponseFormat
    language: str | None
    translate: bool
    words: bool
    speaker_labels: bool
    max_speakers: int | None
    output: Path | None

    @property
    def tells_speakers(self) -> bool:
        """Whether it is to be found out who speaks."""
        return self.speaker_labels or self.format == "diarized_json"


@dataclass(frozen=True, slots=True)
class SpeakJob:
    """What `myna speak` was asked for."""

    text: str
    voice: str
    speed: float
    format: SpeechFormat | None
    output: Path | None


def transcribe_files(settings: Settings, job: TranscribeJob) -> None:
    """Transcribe every file, in turn, with a bar over the audio's length.

    Raises:
        BadRequest: a file cannot be decoded, or the language is unknown; later files are not tried.
        ModelUnavailable: the model's files cannot be had.
        NotImplementedHere: speakers are to be told apart, and nothing here does.
    """
    _check_speakers(job)
    options = DecodingOptions(
        task="translate" if job.translate else "transcribe",
        language=language_code(job.language or ""),
        beam_size=settings.beam_size,
        word_timestamps=job.words or job.tells_speakers,
    )
    if not settings.stt:
        raise ValueError("no speech-to-text model: --stt is none")
    alone = {"tts": ()} if job.tells_speakers else {"tts": (), "diarize": "none"}
    with _loaded(settings.model_copy(update=alone)) as residents:
        service = residents.stt.residents[0].service
        if job.translate and not service.engine.translates:
            raise BadRequest(f"The model {service.engine.name} cannot translate.")
        for file in job.files:
            hearing = _hearing(residents, job)
            body = asyncio.run(_transcribed(service, file, options, job, hearing))
            _write(body, _place(job, file))


def _check_speakers(job: TranscribeJob) -> None:
    if not job.tells_speakers and job.max_speakers is not None:
        raise BadRequest("--max-speakers is for --format diarized_json or --speaker-labels")
    if job.speaker_labels and job.format not in LABELLED:
        raise BadRequest(f"--speaker-labels is for --format {', '.join(sorted(LABELLED))}")
    if job.tells_speakers and job.translate:
        raise BadRequest("Speakers are told apart in what is said, not in its translation.")


def _hearing(residents: Residents, job: TranscribeJob) -> Hearing | None:
    """What tells the speakers of the next file apart, where somebody wants to know."""
    if not job.tells_speakers:
        return None
    return residents.diarizer("format").begin(SpeakerOptions(most=job.max_speakers))


def speak_text(settings: Settings, job: SpeakJob) -> None:
    """Speak a text into a file, or aloud where none is named, with a bar over its pieces.

    Raises:
        NoPlayer: it is to be heard, and nothing here plays sound.
        BadRequest: there is nothing to say, the speed is out of range, or the voice is unknown.
        ModelUnavailable: the model's files cannot be had.
    """
    if not speakable(job.text):
        raise BadRequest("There is nothing to say; give some words.")
    if not 0.25 <= job.speed <= 4:
        raise BadRequest("--speed takes 0.25 to 4")
    if not settings.tts:
        raise ValueError("no text-to-speech model: --tts is none")
    if job.output is None and job.format is not None:
        raise BadRequest("--format is for a file; name one with -o, or leave it out to listen")
    command = player(SPEECH_RATE_HZ) if job.output is None else []
    format_ = job.format or (_by_suffix(job.output) if job.output else "pcm")
    with _loaded(settings.model_copy(update={"stt": ()})) as residents:
        role = _role(job.voice, residents.tts.residents, settings)
        utterance = Utterance(job.text, role.voice, job.speed, layout_of(format_))
        target = _target(job.output) if job.output else playing(command, SPEECH_RATE_HZ)
        asyncio.run(_spoken(role.speaker.service, utterance, target))
    if job.output and str(job.output) != "-":
        print(f"wrote {job.output}", file=sys.stderr)  # noqa: T201 - the command's own output


@contextmanager
def _loaded(settings: Settings) -> Generator[Residents]:
    """The models that the settings name, until the block is left."""
    suit_engines(heaps(settings))
    models = plan(settings)
    with ThreadPoolExecutor(models.front_threads) as threads:
        residents = Loader(settings, models, threads, rehearse=False).load()
        try:
            yield residents
        finally:
            residents.close()


async def _transcribed(
    service: TranscriptionService,
    file: Path,
    options: DecodingOptions,
    job: TranscribeJob,
    hearing: Hearing | None,
) -> bytes:
    with file.open("rb") as audio:
        try:
            transcription = await service.open(audio.fileno(), options, Cutting(), hearing=hearing)
            with _bar(file.name, "s") as bar:
                async for progress in transcription.progress():
                    bar.total = max(transcription.declared_s or 0.0, progress.done_s)
                    bar.update(progress.done_s - bar.n)
        except MynaError as error:
            raise BadRequest(f"{file}: {error.message}") from error
    granularities = ("word", "segment") if job.words else ("segment",)
    transcript = transcription.transcript
    return render(
        transcript, job.format, granularities=granularities, labels=job.speaker_labels
    ).body


def _role(name: str, speakers: Sequence[Speaker], settings: Settings) -> Role:
    """Who speaks under a voice's name: the first model that has it. Raises BadRequest."""
    if id_ := custom_id(name):
        custom = CustomVoices(settings.voices_dir or default_folder(), settings.max_custom_voices)
        return custom_role(id_, speakers, custom)
    if role := role_of(name, speakers[0], speakers[1:]):
        return role
    some = ", ".join(voice.id for speaker in speakers for voice in speaker.voices[:5])
    raise BadRequest(
        f"No model that is loaded has the voice '{name}'; take one of OpenAI's names, or one of "
        f"{some}; --tts names the models, and `myna models` lists those that there are."
    )


async def _spoken(
    service: SpeechService, utterance: Utterance, place: AbstractContextManager[BinaryIO]
) -> None:
    total = len(service.pieces(utterance))
    with place as target, _bar("speaking", "piece", total) as bar:
        async for spoken in service.speak(utterance):
            await asyncio.to_thread(_sent, target, spoken.data)
            bar.update(1 if bar.n < total else 0)


def _sent(target: BinaryIO, data: bytes) -> None:
    target.write(data)
    target.flush()


def _by_suffix(output: Path) -> SpeechFormat:
    suffix = output.suffix.lstrip(".").lower()
    named = {"ogg": "opus", "oga": "opus"}.get(suffix, suffix)
    for format_ in get_args(SpeechFormat):
        if format_ == named:
            return format_
    return "wav"


def _place(job: TranscribeJob, file: Path) -> Path | None:
    """Where a file's transcript goes; None for standard output."""
    if job.output is None:
        return None
    if job.output.is_dir() or len(job.files) > 1:
        return job.output / f"{file.stem}.{_SUFFIXES[job.format]}"
    return job.output


def _write(body: bytes, place: Path | None) -> None:
    if place is None:
        ending = b"" if body.endswith(b"\n") or not body else b"\n"
        sys.stdout.buffer.write(body + ending)
        sys.stdout.flush()
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(body)
    print(f"wrote {place}", file=sys.stderr)  # noqa: T201 - the command's own output


@contextmanager
def _target(output: Path) -> Generator[BinaryIO]:
    """The output file, put in place only when it is whole; `-` is standard output."""
    if str(output) == "-":
        yield sys.stdout.buffer
        return
    part = output.with_name(output.name + ".part")
    try:
        with part.open("wb") as target:
            yield target
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def _bar(name: str, unit: str, total: float | None = None) -> tqdm[NoReturn]:
    """A progress bar on standard error, where somebody looks at it."""
    return tqdm(
        total=total,
        desc=name,
        unit=unit,
        disable=None,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}]",
    )
