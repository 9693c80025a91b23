"""The programs that the page writes: copied from it, run, and right."""

import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest
from playwright.sync_api import expect

NODE_SDK = Path(__file__).parents[1] / "contract" / "node" / "node_modules"
NODE = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
NODE_20 = {"NODE_OPTIONS": "--experimental-websocket"}  # which has WebSocket behind this
TEXT = 'It\'s "quoted", $HOME \\ and – ünïcode.'


def program(page, language):
    """What the copy button copies."""
    page.click(f"#code-{language}")
    page.click("#copy")
    expect(page.locator("#copied")).to_have_text("Copied.")
    return page.evaluate("navigator.clipboard.readText()")


def ran(language, text, folder, **env):
    """What a program prints that ends well."""
    done = ended(language, text, folder, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ended(language, text, folder, **env):
    if language == "Node":
        (folder / "program.mjs").write_text(text, "utf-8")
        target = folder / "node_modules"
        if not target.exists():
            target.symlink_to(NODE_SDK)
    commands = {
        "curl": ["bash", "-c", text],
        "Python": [sys.executable, "-c", text],
        "Node": ["node", "program.mjs"],
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    return subprocess.run(
        commands[language], cwd=folder, env=clean | env, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip


def need(language):
    if language == "curl" and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    if language == "Node" and not (shutil.which("node") and (NODE_SDK / "openai").is_dir()):
        pytest.skip("the Node SDK is not installed; tests/contract installs it")


@pytest.mark.parametrize("language", ["curl", "Python", "Node"])
def test_the_transcription_that_was_done_is_done_again(page, speech_file, tmp_path, language):
    need(language)
    page.set_input_files("#file", speech_file)
    expect(page.locator("#downloads")).to_be_visible()
    shutil.copy(speech_file, tmp_path)
    printed = ran(language, program(page, language), tmp_path)
    assert "repeats" in printed
    assert "hears" in printed


@pytest.mark.parametrize("language", ["curl", "Python", "Node"])
def test_the_speech_that_was_heard_is_made_again(page, tmp_path, language):
    need(language)
    page.click("#tab-speak")
    page.fill("#text", TEXT)
    page.select_option("#format", "flac")
    page.select_option("#voice", "nova")
    ran(language, program(page, language), tmp_path)
    made = tmp_path / "speech.flac"
    assert made.read_bytes().startswith(b"fLaC")
    page.click("#tab-transcribe")
    page.set_input_files("#file", made)
    expect(page.locator("#transcript p").first).to_be_visible()
    assert " ".join(page.locator("#transcript p").all_text_contents()) == TEXT


def test_a_key_is_read_from_the_environment(open_page, keyed_url, tmp_path):
    page = open_page(keyed_url, ready=False, allowed=("401",))
    page.fill("#key-field", "sk-playground-0123456789")
    page.keyboard.press("Enter")
    expect(page.locator("#server")).to_have_attribute("data-state", "ready")
    page.click("#tab-speak")
    text = program(page, "Python")
    ran("Python", text, tmp_path, MYNA_API_KEY="sk-playground-0123456789")
    assert (tmp_path / "speech.mp3").stat().st_size > 0


def test_live_captions_are_a_program_too(page, speech_file, tmp_path):
    page.click("#tab-live")
    text = program(page, "Python")
    assert page.locator("#code-curl").count() == 0
    shutil.copy(speech_file, tmp_path / "talk.wav")
    with wave.open(str(tmp_path / "talk.wav")) as file:
        assert file.getframerate() == 24_000
    assert "repeats what it hears." in ran("Python", text, tmp_path)


def said_twice(speech_file, file):
    with wave.open(str(speech_file)) as once, wave.open(str(file), "wb") as twice:
        twice.setparams(once.getparams())
        twice.writeframes(once.readframes(once.getnframes()) * 2)


def test_live_captions_of_several_turns_are_all_printed(page, speech_file, tmp_path):
    page.click("#tab-live")
    said_twice(speech_file, tmp_path / "talk.wav")
    printed = ran("Python", program(page, "Python"), tmp_path)
    assert printed.count("repeats what it hears.") == 2


@NODE
def test_live_captions_are_a_program_for_node_too(page, speech_file, tmp_path):
    page.click("#tab-live")
    with wave.open(str(speech_file)) as talk:
        (tmp_path / "talk.pcm").write_bytes(talk.readframes(talk.getnframes()))
    printed = ran("Node", program(page, "Node"), tmp_path, **NODE_20)
    assert "repeats what it hears." in printed


CAPTIONS = pytest.mark.parametrize(
    ("language", "file"), [("Python", "talk.wav"), pytest.param("Node", "talk.pcm", marks=NODE)]
)


@CAPTIONS
def test_live_captions_without_their_file_end_and_name_it(page, tmp_path, language, file):
    page.click("#tab-live")
    done = ended(language, program(page, language), tmp_path, **NODE_20)
    assert done.returncode != 0
    assert file in done.stderr


@CAPTIONS
def test_live_captions_tell_what_the_server_refuses(page, speech_file, tmp_path, language, file):
    page.click("#tab-live")
    text = program(page, language)
    assert text.count("server_vad") == 1
    shutil.copy(speech_file, tmp_path / file)
    printed = ran(language, text.replace("server_vad", "no_such_vad"), tmp_path, **NODE_20)
    assert "no_such_vad" in printed


def test_live_captions_tell_why_a_turn_has_no_text(open_page, launch, speech_file, tmp_path):
    """The first turn takes more than there is for a minute."""
    page = open_page(launch("--audio-s-per-minute", "0.1"))
    page.click("#tab-live")
    said_twice(speech_file, tmp_path / "talk.wav")
    first, second = ran("Python", program(page, "Python"), tmp_path).strip().splitlines()
    assert "repeats what it hears." in first
    assert "audio-seconds" in second


@CAPTIONS
def test_live_captions_without_a_server_end_and_say_so(
    page, speech_file, tmp_path, url, language, file
):
    page.click("#tab-live")
    shutil.copy(speech_file, tmp_path / file)
    nobody = program(page, language).replace(url.removeprefix("http://"), "127.0.0.1:9")
    done = ended(language, nobody, tmp_path, **NODE_20)
    assert done.returncode != 0
    assert done.stderr.strip()


def test_the_chosen_language_of_code_is_kept_over_a_tab_that_lacks_it(page):
    expect(page.locator("#code-curl")).to_have_attribute("aria-selected", "true")
    page.click("#tab-live")
    expect(page.locator("#code-Python")).to_have_attribute("aria-selected", "true")
    page.click("#tab-transcribe")
    expect(page.locator("#code-curl")).to_have_attribute("aria-selected", "true")
