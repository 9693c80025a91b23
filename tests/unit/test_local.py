"""Speaking from the command line, with an engine that needs no model."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import pytest

from myna.errors import BadRequest
from myna.local import SpeakJob, speak_text
from myna.settings import Settings
from myna.store.custom_voices import CustomVoice, CustomVoices


@pytest.fixture
def speak(tmp_path: Path):
    settings = Settings(offline=True, stt=(), tts=("fake",), voices_dir=tmp_path / "voices")

    def spoken(voice: str, text: str = "One two three.", **asked: Any) -> Path:
        output = tmp_path / "said.wav"
        speak_text(settings, SpeakJob(text, voice, 1.0, None, output, **asked))
        return output

    return spoken


def samples(file: Path) -> bytes:
    with wave.open(str(file)) as said:
        return said.readframes(1_000_000)


@pytest.mark.parametrize("voice", ["nobody", "af_heart", "voice_0123"])
def test_a_voice_that_is_not_there_is_refused_and_nothing_written(speak, tmp_path, voice) -> None:
    with pytest.raises(BadRequest, match=voice):
        speak(voice)
    assert not list(tmp_path.glob("said*"))


def test_a_custom_voice_speaks_like_it_does_for_a_server(speak, tmp_path) -> None:
    about = CustomVoice(name="Mine", type="audio_sample", engine="fake", language="en-US")
    id_ = CustomVoices(tmp_path / "voices", 10).voices.add(about, b"RIFF somebody's voice")
    plain = samples(speak("alloy"))
    assert samples(speak(id_.upper())) != b"" != plain
