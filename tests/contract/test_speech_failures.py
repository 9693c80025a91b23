"""A voice that breaks at each point of a request, over a real socket: never a 200 with a hole."""

import http.client
import json
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from myna import loading
from myna.app import create_app
from myna.engines.fake import FakeSynthesizer
from myna.errors import EngineFailure
from myna.plan import ModelPlan, PlannedModel
from myna.scheduling import speaking
from myna.settings import Settings
from myna.text.sentences import pieces

FAKE = PlannedModel("fake", "fake", Path())
TEXT = " ".join(
    f"This is sentence number {number}, and it is long enough to be spoken as a piece of its own, "
    "since it goes on about nothing in particular for quite some time."
    for number in range(8)
)
PIECES = list(pieces(TEXT))
FORMATS = ["mp3", "opus", "aac", "flac", "wav", "pcm"]


class Breaking(FakeSynthesizer):
    """Fails at one piece, once the one before it has been taken off the line."""

    def __init__(self, at):
        super().__init__()
        self.at = at
        self.heard = threading.Event()

    def synthesize(self, text, voice, speed, *, words=False):
        if self.at is not None and text == PIECES[self.at]:
            if self.at:
                assert self.heard.wait(240)
            raise EngineFailure("the voice broke")
        yield from super().synthesize(text, voice, speed, words=words)


@contextmanager
def serving(engine, monkeypatch):
    """The port of a server that speaks with `engine`."""
    monkeypatch.setattr(loading, "build_synthesizer", lambda *_: engine)
    app = create_app(Settings(stt=(), log_level="error"), ModelPlan((), (FAKE,), threads=2))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started or asked_once(server, "/ready") != 200:
            assert thread.is_alive()
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(240)


def asked_once(server, path):
    port = server.servers[0].sockets[0].getsockname()[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=240)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


@contextmanager
def asking(port, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=240)
    body = {"model": "tts-1", "input": TEXT, "voice": "alloy"} | fields
    head = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/audio/speech", json.dumps(body), head)
    yield connection.getresponse()
    connection.close()


def is_envelope(response, match):
    error = json.loads(response.read())["error"]
    assert response.status == 500
    assert set(error) == {"message", "type", "param", "code"}
    assert match in error["message"]


def breaks_off(response, heard):
    """The 200 has begun, and its body has no proper end."""
    assert response.status == 200
    assert response.read(1)
    heard.set()
    with pytest.raises(http.client.IncompleteRead):
        response.read()


def ends_with_an_error_event(response, heard, match):
    assert response.status == 200
    first = response.readline()
    heard.set()
    *told, last = [
        json.loads(line.removeprefix(b"data: "))
        for line in (first + response.read()).split(b"\n\n")
        if line
    ]
    assert told[0]["type"] == "speech.audio.delta"
    assert {event["type"] for event in told} <= {"speech.audio.delta", "speech.audio.words"}
    assert set(last) == {"error"}
    assert match in last["error"]["message"]


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
@pytest.mark.parametrize("format_", FORMATS)
def test_a_failure_in_the_first_piece_is_an_envelope(monkeypatch, stream_format, format_):
    with (
        serving(Breaking(0), monkeypatch) as port,
        asking(port, stream_format=stream_format, response_format=format_) as response,
    ):
        is_envelope(response, "the voice broke")


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("at", [1, len(PIECES) - 1], ids=["second", "last"])
def test_a_failure_in_a_later_piece_breaks_the_sound_off(monkeypatch, format_, at):
    engine = Breaking(at)
    with serving(engine, monkeypatch) as port, asking(port, response_format=format_) as response:
        breaks_off(response, engine.heard)


WORDS = {"timestamp_granularities": ["word"], "subtitles": "srt"}


@pytest.mark.parametrize("told", [{}, WORDS], ids=["sound", "words"])
@pytest.mark.parametrize("at", [1, len(PIECES) - 1], ids=["second", "last"])
def test_a_failure_in_a_later_piece_is_an_error_event(monkeypatch, at, told):
    """And the last: neither subtitles of half a text nor `done` come behind it."""
    engine = Breaking(at)
    with (
        serving(engine, monkeypatch) as port,
        asking(port, stream_format="sse", **told) as response,
    ):
        ends_with_an_error_event(response, engine.heard, "the voice broke")


def test_a_failure_in_the_first_piece_is_an_envelope_where_words_are_asked_for_too(monkeypatch):
    with (
        serving(Breaking(0), monkeypatch) as port,
        asking(port, stream_format="sse", **WORDS) as response,
    ):
        is_envelope(response, "the voice broke")


def test_the_header_of_a_wave_file_promises_no_length_that_is_not_there(monkeypatch):
    """0xFFFFFFFF for both sizes, so a reader that heard the stream break off has heard what there
    is."""
    engine = Breaking(1)
    with serving(engine, monkeypatch) as port, asking(port, response_format="wav") as response:
        head = response.read(44)
        assert (head[4:8], head[40:44]) == (b"\xff" * 4, b"\xff" * 4)
        engine.heard.set()
        with pytest.raises(http.client.IncompleteRead):
            response.read()


class Coder:
    """An encoder that fails at its n-th call, or at the end."""

    def __init__(self, real, at, heard):
        self._real, self._at, self._heard, self._calls = real, at, heard, 0

    def encode(self, samples):
        if self._calls == self._at:
            assert self._at == 0 or self._heard.wait(240)
            raise OSError("the codec broke")
        self._calls += 1
        return self._real.encode(samples)

    def finish(self):
        if self._at is None:
            assert self._heard.wait(240)
            raise OSError("the codec broke")
        return self._real.finish()

    def close(self):
        self._real.close()


@pytest.fixture
def broken_coder(monkeypatch):
    """`broken_coder(at)`: every encoder fails there; the event lets it."""

    def make(at):
        heard, real = threading.Event(), speaking.encoder
        monkeypatch.setattr(speaking, "encoder", lambda *how: Coder(real(*how), at, heard))
        return heard

    return make


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_an_encoder_that_fails_at_once_is_an_envelope(monkeypatch, broken_coder, stream_format):
    broken_coder(0)
    with (
        serving(Breaking(None), monkeypatch) as port,
        asking(port, stream_format=stream_format) as response,
    ):
        is_envelope(response, "the codec broke")


@pytest.mark.parametrize("at", [1, None], ids=["second", "finish"])
def test_an_encoder_that_fails_later_breaks_the_sound_off(monkeypatch, broken_coder, at):
    heard = broken_coder(at)
    with serving(Breaking(None), monkeypatch) as port, asking(port) as response:
        breaks_off(response, heard)


@pytest.mark.parametrize("at", [1, None], ids=["second", "finish"])
def test_an_encoder_that_fails_later_is_an_error_event(monkeypatch, broken_coder, at):
    heard = broken_coder(at)
    with (
        serving(Breaking(None), monkeypatch) as port,
        asking(port, stream_format="sse") as response,
    ):
        ends_with_an_error_event(response, heard, "the codec broke")


def test_the_server_goes_on_speaking_after_a_failure(monkeypatch):
    engine = Breaking(1)
    with serving(engine, monkeypatch) as port:
        with asking(port) as response:
            breaks_off(response, engine.heard)
        engine.at = None
        with asking(port) as response:
            assert response.status == 200
            assert len(response.read()) > 1000
