"""From a bundle to spoken and understood words, with every socket to the outside forbidden."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODELS = ("whisper-base", "piper-en_US-joe-medium", "kokoro-v1.0", "speakers-campplus")

# An audit hook sees every socket that Python code makes, whichever library wants it.
SEALED = """
import socket, sys
def sealed(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        raise RuntimeError(f"the network was asked: {event} {args}")
    if event == "socket.connect" and args[0].family != socket.AF_UNIX:
        raise RuntimeError(f"the network was asked: {event} {args}")
sys.addaudithook(sealed)
from myna.cli import main
main(prog_name="myna")
"""


def myna(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SEALED, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.models
def test_a_bundle_is_all_that_a_machine_without_a_network_needs(tmp_path, steady_weights):
    bundle, wav = tmp_path / "out.tar", tmp_path / "hello.wav"
    here = ("--offline", "--weights-dir", str(ROOT / "models" / "weights"))
    myna("bundle", str(bundle), *MODELS, *here)
    assert not bundle.is_symlink()

    there = ("--weights-dir", str(tmp_path / "weights"), "--models-dir", str(tmp_path / "cards"))
    said = myna("unbundle", str(bundle), *there, "--offline")
    assert all(model in said for model in MODELS)
    bundle.unlink()
    checked = myna("pull", *MODELS, "--verify", *there, "--offline")
    assert all(f"{model}: {tmp_path / 'weights' / model}" in checked for model in MODELS)
    for about in (steady_weights / MODELS[1]).glob("*.json"):  # so that it is heard by no chance
        shutil.copy(about, tmp_path / "weights" / MODELS[1])
    for voice in MODELS[1:3]:
        offline = (*there, "--offline", "--stt", MODELS[0], "--tts", voice)
        myna("speak", "The birds sing in the garden.", "--output", str(wav), *offline)
        assert "birds sing in the garden" in myna("transcribe", str(wav), *offline).lower()


def test_the_seal_is_one():
    script = SEALED.partition("from myna")[0] + "socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "the network was asked" in done.stderr
