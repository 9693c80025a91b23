"""`myna transcribe` with the fake engine: who speaks."""

import json
import wave

import numpy as np
import pytest

from myna.engines.fake import FakeSynthesizer
from myna.errors import BadRequest, NotImplementedHere
from myna.local import TranscribeJob, transcribe_files
from myna.settings import Settings

LINES = (
    ("alloy", "Good evening, who is there at this hour?"),
    ("echo", "It is only me, with a letter for you."),
)
LABELLED = "A: Good evening, who is there at this hour?\nB: It is only me, with a letter for you."


@pytest.fixture(scope="module")
def conversation(tmp_path_factory):
    speaker = FakeSynthesizer()
    voices = {voice.id: voice for voice in speaker.voices}
    said = [
        stretch.samples
        for who, text in LINES
        for stretch in speaker.synthesize(text, voices[who], 1.0)
    ]
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(speaker.sample_rate_hz)
        file.writeframes((np.concatenate(said) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def transcribe(conversation, tmp_path):
    """`transcribe(format, …)`: what is written."""

    def run(format_, diarize="auto", **also):
        asked = {"language": "en", "translate": False, "words": False}
        asked |= {"speaker_labels": False, "max_speakers": None} | also
        job = TranscribeJob((conversation,), format_, output=tmp_path / "written", **asked)
        transcribe_files(Settings(stt=("fake",), vad=False, diarize=diarize), job)
        return (tmp_path / "written").read_text()

    return run


def test_diarized_json_says_who_spoke(transcribe):
    segments = json.loads(transcribe("diarized_json"))["segments"]
    assert {segment["speaker"] for segment in segments} == {"A", "B"}
    assert " ".join(segment["text"] for segment in segments) == " ".join(text for _, text in LINES)


def test_there_are_no_more_speakers_than_may_be(transcribe):
    segments = json.loads(transcribe("diarized_json", max_speakers=1))["segments"]
    assert {segment["speaker"] for segment in segments} == {"A"}


def test_text_can_name_its_speakers(transcribe):
    assert transcribe("text", speaker_labels=True).strip() == LABELLED


def test_cues_can_name_their_speakers(transcribe):
    cues = transcribe("srt", speaker_labels=True).split("\n")
    assert [line[:3] for line in cues if line.startswith(("A: ", "B: "))] == ["A: ", "B: "]


def test_nobody_is_named_unless_asked_for(transcribe):
    assert transcribe("text", diarize="none").strip() == " ".join(text for _, text in LINES)


@pytest.mark.parametrize(
    ("format_", "options", "said"),
    [
        ("json", {"speaker_labels": True}, "srt, text, vtt"),
        ("text", {"max_speakers": 2}, "--max-speakers"),
        ("diarized_json", {"translate": True}, "translation"),
    ],
)
def test_what_makes_no_sense_together_is_refused(transcribe, format_, options, said):
    with pytest.raises(BadRequest, match=said):
        transcribe(format_, **options)


def test_what_cannot_be_told_apart_is_said(transcribe):
    with pytest.raises(NotImplementedHere, match="--diarize none"):
        transcribe("diarized_json", diarize="none")
