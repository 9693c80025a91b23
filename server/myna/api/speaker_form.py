"""What a form says of speakers: known ones with recordings of them, and how many there are."""

from __future__ import annotations

import base64
import math
import os
import tempfile
from dataclasses import dataclass

import numpy as np

from myna.api.forms import Form, refuse
from myna.engines.contract.diarizer import KnownVoice, SpeakerOptions
from myna.engines.contract.samples import SAMPLE_RATE_HZ, Samples
from myna.errors import BadRequest, MynaError, UnsupportedAudio
from myna.scheduling.diarization import DiarizationService, Hearing
from myna.scheduling.transcription import TranscriptionService

_MOST_KNOWN = 4
_SHORTEST_S, _LONGEST_S = 2.0, 10.0
"""Of a reference recording, as the hosted API has it."""
_GRACE_S = 0.1
"""Coders add and drop a few milliseconds."""
_MOST_SPEAKERS = 100
_NAMES, _REFERENCES = "known_speaker_names", "known_speaker_references"


@dataclass(frozen=True, slots=True)
class SpeakerForm:
    """What is asked for, and known, of the speakers."""

    names: tuple[str, ...] = ()
    """Of known speakers."""
    references: tuple[str, ...] = ()
    """A data URL for each of them."""
    least: int = 1
    most: int | None = None
    labels: bool = False
    """Whether text, srt and vtt name the speakers."""
    live: bool = False
    """Whether segments are sent as they become final."""


def read(form: Form) -> SpeakerForm:
    """The fields about speakers; recordings are not looked at yet.

    Raises:
        BadRequest: counts do not fit, or a value is malformed.
    """
    names, references = form.texts(_NAMES), form.texts(_REFERENCES)
    if len(names) != len(references) or len(names) > _MOST_KNOWN:
        raise BadRequest(
            f"{_NAMES} and {_REFERENCES} must have the same length, at most {_MOST_KNOWN}; "
            f"got {len(names)} and {len(references)}",
            param=_NAMES,
        )
    names = [name.strip() for name in names]
    if len(set(names)) < len(names) or any(not name.isprintable() for name in names):
        refuse(_NAMES, f"{_NAMES} must be different from each other, each a single line")
    for reference in references:
        if not reference.startswith("data:") or not reference.partition(",")[0].endswith(";base64"):
            refuse(_REFERENCES, f"{_REFERENCES} must be data URLs: data:audio/wav;base64,…")
    least, most = _count(form, "min_speakers"), _count(form, "max_speakers")
    if least is not None and most is not None and least > most:
        refuse("min_speakers", f"min_speakers {least} is more than max_speakers {most}.")
    return SpeakerForm(
        tuple(names),
        tuple(references),
        least or 1,
        most,
        labels=form.boolean("speaker_labels") or False,
    )


async def begin(
    asked: SpeakerForm,
    transcription: TranscriptionService,
    diarization: DiarizationService,
    caller: str,
) -> Hearing:
    """Take the known speakers' voices, and begin with a recording.

    Raises:
        BadRequest: a reference cannot be decoded, has the wrong length, or nobody speaks in it.
    """
    known: list[KnownVoice] = []
    for name, reference in zip(asked.names, asked.references, strict=True):
        samples = await _recording(reference, name, transcription)
        voice = await diarization.voice(samples, caller)
        if voice is None:
            refuse(_REFERENCES, f"{_REFERENCES}: nobody speaks in the recording of {name!r}.")
        known.append(voice)
    options = SpeakerOptions(asked.least, asked.most, tuple(known), asked.live)
    return diarization.begin(options, asked.names, caller)


async def _recording(reference: str, name: str, transcription: TranscriptionService) -> Samples:
    """The audio of a data URL, decoded where uploads are."""
    with await transcription.call(tempfile.TemporaryFile) as file:
        await transcription.call(lambda: _store(reference, name, file.fileno()))
        try:
            with await transcription.decoded(file.fileno()) as pcm:
                most = math.ceil((_LONGEST_S + _GRACE_S) * SAMPLE_RATE_HZ) + 1
                samples = await transcription.call(lambda: pcm.read(most))
        except UnsupportedAudio as error:
            message = f"{_REFERENCES}: the recording of {name!r}: {error.message}"
            raise BadRequest(message, param=_REFERENCES, code="invalid_value") from error
    seconds = len(samples) / SAMPLE_RATE_HZ
    if not _SHORTEST_S - _GRACE_S <= seconds <= _LONGEST_S + _GRACE_S:
        length = "longer than" if seconds > _LONGEST_S else f"{seconds:.1f} s long, not"
        bounds = f"{_LONGEST_S:g} s" if seconds > _LONGEST_S else "2 to 10 s"
        refuse(_REFERENCES, f"{_REFERENCES}: the recording of {name!r} is {length} {bounds}.")
    return np.asarray(samples, np.float32)


def _store(reference: str, name: str, fd: int) -> None:
    _, _, data = reference.partition(",")
    try:
        decoded = base64.b64decode("".join(data.split()), validate=True)
    except ValueError as error:
        message = f"{_REFERENCES}: the data URL of {name!r} is not base64: {error}"
        raise BadRequest(message, param=_REFERENCES, code="invalid_value") from error
    try:
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(decoded)
    except OSError as error:
        raise MynaError(f"A reference could not be stored: {error.strerror}") from error


def _count(form: Form, name: str) -> int | None:
    number = form.number(name, 1, _MOST_SPEAKERS)
    if number is None:
        return None
    if number != int(number):
        refuse(name, f"{name} {number:g} is not a whole number.")
    return int(number)
