"""`myna speak` and `myna transcribe`, as a person types them, on the starter models."""

from __future__ import annotations

import json
import subprocess
import sys
import wave

import pytest

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def myna(steady_weights):
    """Run a command in a folder."""

    def run(*arguments: str, folder, given: str = "", weights=steady_weights):
        command = [sys.executable, "-m", "myna", *arguments, "--offline"]
        return subprocess.run(
            [*command, "--weights-dir", str(weights)],
            cwd=folder, input=given, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def recording(myna, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spoken")
    done = myna("speak", "-", "-o", "said.wav", folder=folder, given="The sun is warm today.")
    assert done.returncode == 0, done.stderr
    return folder / "said.wav"


def test_speak_reads_standard_input_and_writes_a_wave_file(myna, recording):
    with wave.open(str(recording)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (1, 24_000, 2)
    assert 40_000 < recording.stat().st_size < 200_000


def test_speak_plays_what_is_piped_in_through_the_player_that_is_there(myna, tmp_path, monkeypatch):
    """A stand-in for aplay on the path keeps what it is given."""
    player = tmp_path / "aplay"
    player.write_text(f"#!/bin/sh\necho $@ > {tmp_path}/how\ncat > {tmp_path}/heard\n")
    player.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    done = myna("speak", folder=tmp_path, given="The sun is warm today.")
    assert done.returncode == 0, done.stderr
    assert "--rate=24000" in (tmp_path / "how").read_text()
    assert 40_000 < (tmp_path / "heard").stat().st_size < 200_000


def test_transcribe_prints_the_text(myna, recording):
    done = myna("transcribe", recording.name, "--language", "en", folder=recording.parent)
    assert done.returncode == 0, done.stderr
    assert "sun is warm today" in done.stdout.lower()


def test_transcribe_writes_words_into_a_folder(myna, recording, tmp_path):
    done = myna(
        *("transcribe", recording.name, "--format", "verbose_json", "--words"),
        *("-o", str(tmp_path)),
        folder=recording.parent,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "said.json").read_text())
    assert [word["word"].lower() for word in written["words"]][-1] == "today"


def test_transcribe_says_who_speaks(myna, recording):
    done = myna("transcribe", recording.name, "--speaker-labels", folder=recording.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("A: ")
    assert "sun is warm today" in done.stdout.lower()


def test_what_is_no_audio_is_said_in_one_sentence(myna, tmp_path):
    (tmp_path / "notes.txt").write_text("no audio in here\n" * 50)
    done = myna("transcribe", "notes.txt", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "notes.txt: Invalid file format" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_to_say_is_refused(myna, tmp_path):
    done = myna("speak", "...", "-o", "x.wav", folder=tmp_path)
    assert done.returncode == 1
    assert "nothing to say" in done.stderr
    assert not (tmp_path / "x.wav").exists()


def test_a_missing_model_is_named_with_the_way_out(myna, tmp_path):
    done = myna(*("speak", "Hello.", "-o", "x.wav"), folder=tmp_path, weights=tmp_path / "none")
    assert done.returncode == 1
    assert "piper-en_US-joe-medium" in done.stderr
    assert "myna pull" in done.stderr
