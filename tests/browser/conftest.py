"""The playground in headless Chromium, against a live server on the fake engines.

The browser is the system's own (Debian's package `chromium`, or what `MYNA_CHROMIUM` names); its
microphone is a WAV file. Without one these tests are left out, and say so.
"""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import wave
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("MYNA_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
ROOT = Path(__file__).parents[2]
KEY = "sk-playground-0123456789"
SPOKEN = "The myna repeats what it hears."
RATE_HZ = 24_000
WAIT_MS = 30_000

expect.set_options(timeout=WAIT_MS)


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if not CHROMIUM and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="there is no Chromium (package chromium)"))


@pytest.fixture(scope="session")
def launch(tmp_path_factory):
    """Start a server on fake engines unless flags say otherwise; its address."""
    running = []

    def start(*flags, env=None):
        folder = tmp_path_factory.mktemp("server")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MYNA_")}
        command = [sys.executable, "-m", "myna", "serve", "--offline", "--port", "0"]
        models = () if "--stt" in flags else ("--stt", "fake", "--tts", "fake")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, *models, *flags], stdout=log, stderr=log, env=clean | (env or {})
            )
        running.append((process, folder / "log"))
        return _address(process, folder / "log")

    yield start
    for process, log in running:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        assert "Traceback" not in log.read_text("utf-8", "replace")


def _address(process, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        text = log.read_text("utf-8", "replace")
        found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", text)
        if found and "ready after" in text:
            return found[1]
        assert process.poll() is None, text
        time.sleep(0.05)
    pytest.fail(f"the server did not start:\n{text}")


@pytest.fixture(scope="session")
def url(launch):
    return launch()


@pytest.fixture(scope="session")
def keyed_url(launch):
    return launch(env={"MYNA_API_KEYS": KEY})


def speak(url, text):
    """A text in the fake voice, as a WAV with silence around it: half a second, and two."""
    request = urllib.request.Request(
        f"{url}/v1/audio/speech",
        f'{{"model":"tts-1","voice":"alloy","response_format":"pcm","input":"{text}"}}'.encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        said = answer.read()
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(bytes(RATE_HZ) + said + bytes(4 * RATE_HZ))
    return file.getvalue()


@pytest.fixture(scope="session")
def spoken():
    """The text of `speech_file`."""
    return SPOKEN


@pytest.fixture(scope="session")
def speech_file(url, tmp_path_factory):
    """SPOKEN in a WAV file; the microphone hears it too, over and over."""
    file = tmp_path_factory.mktemp("speech") / "it's a talk.wav"
    file.write_bytes(speak(url, SPOKEN))
    return file


# Not for the session: while it runs, asyncio.run works in no other test.
@pytest.fixture(scope="module")
def browser(speech_file, tmp_path_factory):
    # Its path must have no comma or space in it, as the flag is split there.
    heard = tmp_path_factory.mktemp("microphone") / "heard.wav"
    heard.write_bytes(speech_file.read_bytes())
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",  # which Chromium refuses to root, as whom containers run
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={heard}",
                "--disable-background-networking",
                "--disable-component-update",
            ],
        )
        yield running
        running.close()


@pytest.fixture
def open_page(browser):
    """Open the playground of a server; the test fails on any error of the page's scripts, and on
    any request to elsewhere."""
    contexts, faults = [], []

    def open_(url, *, ready=True, allowed=(), **options):
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.grant_permissions(["microphone", "clipboard-read", "clipboard-write"], origin=url)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: (
                faults.append(message.text)
                if message.type == "error" and not any(part in message.text for part in allowed)
                else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((url, "blob:", "data:"))
                else faults.append(f"asked {request.url}")
            ),
        )
        page.goto(f"{url}/")
        if ready:
            expect(page.locator("#server")).to_have_attribute("data-state", "ready")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def page(open_page, url):
    return open_page(url)


@pytest.fixture
def until():
    """Wait until an expression of the page is true. Not by the page's own polling, which its policy
    forbids."""

    def wait(page, expression):
        deadline = time.monotonic() + WAIT_MS / 1000
        while not page.evaluate(expression):
            assert time.monotonic() < deadline, expression
            page.wait_for_timeout(50)

    return wait
