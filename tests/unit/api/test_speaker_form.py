"""What a form says of speakers."""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from myna.api.forms import Form
from myna.api.speaker_form import SpeakerForm, begin, read
from myna.audio.activity import AnySound
from myna.audio.decode import DecodeLimits, Decoder
from myna.engines.fake import FakeTranscriber
from myna.engines.fake_diarizer import FakeDiarizer
from myna.errors import BadRequest
from myna.scheduling.diarization import DiarizationService, Hearing, ListeningRunner
from myna.scheduling.queue import Limits
from myna.scheduling.transcription import Bounds, TranscriptionService
from myna.scheduling.workers import Workers

URL = "data:audio/wav;base64,AAAA"


def form(**fields) -> Form:
    return Form(
        [
            (name, text)
            for name, value in fields.items()
            for text in (value if isinstance(value, list) else [value])
        ]
    )


def test_nothing_said_is_nothing_known():
    assert read(form()) == SpeakerForm()


def test_names_go_with_references_and_counts_are_numbers():
    asked = read(
        form(
            known_speaker_names=[" ann ", "bob"],
            known_speaker_references=[URL, URL],
            min_speakers="2",
            max_speakers="4.0",
            speaker_labels="true",
        )
    )
    assert asked == SpeakerForm(("ann", "bob"), (URL, URL), 2, 4, labels=True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"known_speaker_names": ["ann"]}, "known_speaker_names"),
        ({"known_speaker_references": [URL]}, "known_speaker_names"),
        (
            {"known_speaker_names": list("abcde"), "known_speaker_references": [URL] * 5},
            "known_speaker_names",
        ),
        (
            {"known_speaker_names": ["a", "a"], "known_speaker_references": [URL] * 2},
            "known_speaker_names",
        ),
        (
            {"known_speaker_names": ["a\nb"], "known_speaker_references": [URL]},
            "known_speaker_names",
        ),
        (
            {"known_speaker_names": ["a"], "known_speaker_references": ["http://x/a.wav"]},
            "known_speaker_references",
        ),
        (
            {"known_speaker_names": ["a"], "known_speaker_references": ["data:audio/wav,AAAA"]},
            "known_speaker_references",
        ),
        ({"min_speakers": "0"}, "min_speakers"),
        ({"max_speakers": "2.5"}, "max_speakers"),
        ({"max_speakers": "many"}, "max_speakers"),
        ({"min_speakers": "3", "max_speakers": "2"}, "min_speakers"),
        ({"speaker_labels": "maybe"}, "speaker_labels"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(fields, param):
    with pytest.raises(BadRequest) as refusal:
        read(form(**fields))
    assert refusal.value.param == param


def sound(seconds: float, amplitude: float = 0.2) -> str:
    """A data URL of a raw WAV with noise."""
    noise = np.random.default_rng(0).uniform(-amplitude, amplitude, int(seconds * 16_000))
    data = (noise * 32767).astype("<i2").tobytes()
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + bytes([16, 0, 0, 0])
    head += bytes([1, 0, 1, 0]) + (16_000).to_bytes(4, "little") + (32_000).to_bytes(4, "little")
    head += bytes([2, 0, 16, 0]) + b"data" + len(data).to_bytes(4, "little")
    return "data:audio/wav;base64," + base64.b64encode(head + data).decode()


@pytest.fixture(scope="module")
def services():
    decoder = Decoder(DecodeLimits(60.0, 60, 1 << 30))
    with ThreadPoolExecutor(2) as threads:
        engine, ears = FakeTranscriber(), FakeDiarizer()
        hearing = Workers(ListeningRunner(), threads=1, limits=Limits(1))
        hearing.start()
        workers = Workers(engine, threads=1)
        yield (
            TranscriptionService(engine, workers, decoder, AnySound, threads),
            DiarizationService(ears, hearing, threads),
        )
        hearing.close()
    decoder.close()


def begun(services, *references: str):
    asked = SpeakerForm(tuple("abcd"[: len(references)]), references)
    return asyncio.run(begin(asked, *services, Bounds()))


@pytest.mark.parametrize("seconds", [2.0, 6.0, 10.0])
def test_references_of_two_to_ten_seconds_are_taken(services, seconds):
    assert isinstance(begun(services, sound(seconds)), Hearing)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (sound(1.0), "1.0 s long"),
        (sound(11.0), "longer than"),
        (sound(3.0, 0.0), "nobody speaks"),
        (URL, "Invalid file format"),
        ("data:audio/wav;base64,%%%", "not base64"),
        ("data:audio/wav;base64,", "Invalid file format"),
    ],
)
def test_other_references_are_refused_and_say_whose_they_are(services, reference, said):
    with pytest.raises(BadRequest, match=said) as refusal:
        begun(services, sound(3.0), reference)
    assert refusal.value.param == "known_speaker_references"
    assert "'b'" in refusal.value.message
