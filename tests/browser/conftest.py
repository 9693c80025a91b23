"""The playground in headless Chromium, against a live server on the fake engines.

The browser is the system's own (Debian's package `chromium`, or what `MYNA_CHROMIUM` names); its
microphone is a WAV file. Without one these tests are left out, and say so.
"""

import io
import os
import shutil
import time
import urllib.request
import wave
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from myna.testing import ServerProcess

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("MYNA_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
ROOT = Path(__file__).parents[2]
KEY = "sk-playground-0123456789"
SPOKEN = "The myna repeats what it hears."
RATE_HZ = 24_000
WAIT_MS = 240_000
START_S, STOP_S = 240, 240
SLOWLY = """
const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () {
  this.playbackRate = 0.1;
  return play.call(this);
};
"""
"""So that what is there while a recording plays is there for longer than a look at it may take."""

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
        models = () if "--stt" in flags else ("--stt", "fake", "--tts", "fake")
        process = ServerProcess(["--offline", *models, *flags], folder / "log", env)
        running.append(process)
        process.wait_until_ready(START_S)
        return f"http://127.0.0.1:{process.port}"

    yield start
    for code, log in [(process.stop(STOP_S), process.log) for process in running]:
        assert code == 0, f"exit {code}:\n{log[-4000:]}"
        assert "Traceback" not in log, log[-8000:]


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
    with urllib.request.urlopen(request, timeout=240) as answer:
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
            timeout=WAIT_MS,
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

    def open_(url, *, ready=True, allowed=(), slowly=False, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        if slowly:
            context.add_init_script(SLOWLY)
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
def slow_page(open_page, url):
    """On which recordings play at a tenth of their pace."""
    return open_page(url, slowly=True)


@pytest.fixture
def until():
    """Wait until an expression of the page is true, or what a function answers. Not by the page's
    own polling, which its policy forbids."""

    def wait(page, condition):
        deadline = time.monotonic() + WAIT_MS / 1000
        while not (condition() if callable(condition) else page.evaluate(condition)):
            assert time.monotonic() < deadline, condition
            page.wait_for_timeout(50)

    return wait
