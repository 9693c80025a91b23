"""Live servers to hold against the wire contract, and speech to send them.

A server is a process of its own, `python -m myna serve` on a free port of the loopback. It starts
when the first test wants it and is stopped with the session; then its exit and its log are checked.
"""

import base64
import http.client
import io
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import numpy as np
import pytest

from myna.testing import ServerFailed, ServerProcess

ROOT = Path(__file__).parents[2]
RATE_HZ = 24_000
START_S, STOP_S = 240, 240
SENTENCE = "The birds sing in the garden early every morning."
PASSAGE = (
    "Last summer we walked along the river to the old mill. The water was low and very clear. "
    "My brother counted eleven fish under the wooden bridge. Nobody had repaired the roof for "
    "many years. In the afternoon a farmer gave us bread and cheese. He told a story about a "
    "horse that could open doors. When the rain began, we waited in his kitchen. Later the sky "
    "turned red, and we went home by train."
)
PHRASE = "The myna repeats what it hears."
KEY = "sk-alice-4f1d0c7e9b2a6835"
OTHER_KEY = "bob-azure-55aa77cc99ee"

CONTAINERS = {
    "mp3": ("mp3", "libmp3lame", "speech.mp3"),
    "m4a": ("ipod", "aac", "speech.m4a"),
    "webm with opus": ("webm", "libopus", "speech.webm"),
    "ogg with opus": ("ogg", "libopus", "speech.ogg"),
    "flac": ("flac", "flac", "speech.flac"),
    "mp4 with a video track": ("mp4", "aac", "speech.mp4"),
    "wav with mu-law": ("wav", "pcm_mulaw", "speech.wav"),
}


class Reply:
    """An answer that has been read to its end."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.type = response.headers.get("content-type", "")

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        """The body, which must be an honest 200 of JSON."""
        assert (self.status, self.type) == (200, "application/json"), self.body[:500]
        return json.loads(self.body)

    def events(self):
        """The events of a stream, each exactly `data: <one line>` and a blank line."""
        assert (self.status, self.type) == (200, "text/event-stream; charset=utf-8"), self.body
        assert re.fullmatch(rb"(?:data: [^\r\n]+\n\n)+", self.body), self.body
        lines = self.text.removesuffix("\n\n").split("\n\n")
        data = [line.removeprefix("data: ") for line in lines]
        return [json.loads(text) for text in data if text != "[DONE]"]

    def refused(self, status=400, kind="invalid_request_error", **also):
        """Check for OpenAI's envelope, and return its `error`. `also`: exact values of keys."""
        assert (self.status, self.type) == (status, "application/json"), self.body[:500]
        error = json.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert isinstance(error["message"], str)
        assert error["message"]
        assert error["code"] is None or isinstance(error["code"], str)
        assert error["type"] == kind, error
        assert also.items() <= error.items(), error
        return error


class Server:
    """A running server and how to talk to it."""

    def __init__(self, running, secrets):
        self.running, self.secrets = running, secrets
        self.process, self.port = running.process, running.port
        self.url = f"http://127.0.0.1:{running.port}"
        self.request_ids = set()

    @contextmanager
    def asking(self, method, path, body=None, headers=None):
        """An answer of which only the head has been read; leaving hangs up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # the server has heard enough
                connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            request_id = response.headers.get("x-request-id", "")
            assert re.fullmatch("req_[0-9a-f]{32}", request_id), "no x-request-id"
            assert request_id not in self.request_ids, "an x-request-id came twice"
            self.request_ids.add(request_id)
            yield response
            response.close()
        finally:
            connection.close()

    def send(self, method, path, body=None, headers=None):
        """One request on a connection of its own. An iterable body is sent in chunks."""
        with self.asking(method, path, body, headers) as response:
            return Reply(response)

    def get(self, path, headers=None):
        return self.send("GET", path, None, headers)

    def post_json(self, path, content, headers=None):
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.send("POST", path, raw, {"Content-Type": "application/json"} | (headers or {}))

    def speak(self, **fields):
        """POST speech; `model`, `input` and `voice` have defaults, None leaves a field out."""
        return self.post_json("/v1/audio/speech", self.speech_body(**fields))

    def speech_body(self, **fields):
        content = {"model": "tts-1", "input": PHRASE, "voice": "alloy"} | fields
        return {name: value for name, value in content.items() if value is not None}

    def transcribe(self, audio, fields=None, *, path="/v1/audio/transcriptions", **file):
        """POST a form; `model` is whisper-1 unless `fields` say otherwise (None leaves it out)."""
        body = self.form(audio, fields, **file)
        return self.send("POST", path, body, self.form_headers)

    def form(self, audio, fields=None, *, filename="speech.wav", content_type="audio/wav"):
        """A form with the file last; a field's value may be a list."""
        parts = []
        for name, value in ({"model": "whisper-1"} | dict(fields or {})).items():
            for each in value if isinstance(value, list) else [value]:
                parts += [] if each is None else [(name, each)]
        return self.multipart([*parts, ("file", audio, filename, content_type)])

    form_headers = {"Content-Type": "multipart/form-data; boundary=myna-0d9c7b1e"}  # noqa: RUF012

    @staticmethod
    def multipart(parts):
        """`parts`: (name, value), or (name, bytes, file name, type); a type of None is not sent."""
        body = io.BytesIO()
        for name, value, *file in parts:
            body.write(b'--myna-0d9c7b1e\r\nContent-Disposition: form-data; name="%b"' % _raw(name))
            if file:
                body.write(b'; filename="%b"' % _raw(file[0]))
                body.write(b"\r\nContent-Type: %b" % _raw(file[1]) if file[1] else b"")
            body.write(b"\r\n\r\n%b\r\n" % _raw(value))
        return body.getvalue() + b"--myna-0d9c7b1e--\r\n"

    @staticmethod
    def commit_live(socket, pcm):
        """Commit 24 kHz audio in a live session; the event that tells what becomes of it."""
        manual = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
        for kind, members in (
            ("session.update", {"session": manual}),
            ("input_audio_buffer.append", {"audio": base64.b64encode(pcm).decode()}),
            ("input_audio_buffer.commit", {}),
        ):
            socket.send(json.dumps({"type": kind} | members))
        while not (event := json.loads(socket.recv(timeout=START_S)))["type"].endswith(
            (".completed", ".failed")
        ):
            assert event["type"] != "error", event
        return event

    @property
    def log(self):
        return self.running.log

    def eventually(self, happened, what, limit_s=240):
        """Wait until `happened()` is true, and return that."""
        deadline = time.monotonic() + limit_s
        while True:
            ended = self.process.poll() is not None  # before a last look: it may end behind it
            if found := happened():
                return found
            assert not ended, f"the server ended before {what}:\n{self.log}"
            assert time.monotonic() < deadline, f"not in {limit_s} s: {what}\n{self.log[-4000:]}"
            time.sleep(0.05)

    def cancellations(self, route):
        """How many requests have ended because their client left: none that came to its end."""
        counted = rf'^myna_cancellations_total{{route="{route}"}} (\S+)$'
        found = re.search(counted, self.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def decoders(self):
        """Ids of the decoding processes, and of their children that decode a file now (Linux)."""
        parents = {}
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                pid, rest = file.read_text().split(" ", 1)
                state, parent, *_ = rest.rpartition(") ")[2].split()
                parents |= {int(pid): int(parent)} if state != "Z" else {}
        pools = {pid for pid, parent in parents.items() if parent == self.process.pid}
        return pools, [pid for pid, parent in parents.items() if parent in pools]

    def stop(self):
        """Ask it to end, and return its exit status."""
        return self.running.stop(STOP_S)


def _raw(value):
    return value if isinstance(value, bytes) else value.encode("utf-8")


@pytest.fixture(scope="session")
def launch(tmp_path_factory, steady_weights):
    """Start a server: a name, flags, and by keyword `env`, and `secrets` its log must not hold."""
    running = []

    def start(name, *flags, env=None, secrets=()):
        folder = tmp_path_factory.mktemp(name)
        folders = ["--offline", "--weights-dir", str(steady_weights)]
        folders += ["--voices-dir", str(folder / "voices")]
        process = ServerProcess([*folders, *flags], folder / "log", env)
        running.append((process, secrets))
        try:
            process.wait_until_ready(START_S)
        except ServerFailed as failed:
            pytest.fail(
                f"the server {name!r} did not start; if weights are missing, fetch them with "
                f"`myna pull whisper-base whisper-tiny.en piper-en_US-joe-medium`:\n{failed}"
            )
        return Server(process, secrets)

    yield start
    with ThreadPoolExecutor(len(running) or 1) as threads:
        codes = list(threads.map(lambda each: each[0].stop(STOP_S), running))
    for code, (process, secrets) in zip(codes, running, strict=True):
        log = process.log
        assert code == 0, f"exit {code}:\n{log[-4000:]}"
        assert "Traceback" not in of_ours(log), log[-8000:]
        assert [secret for secret in secrets if secret in log] == []


def of_ours(log):
    """A log without what Ray's controller says, which on a slow machine has a traceback in it when
    Ray itself is slow to answer, and goes on."""
    lines = log.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("(ServeController "))


@pytest.fixture(scope="session")
def server(launch):
    """whisper-base and Piper, lenient: what a new user gets."""
    said = ("birds", "garden", "river")
    return launch("real", "--stt", "whisper-base", "--tts", "piper-en_US-joe-medium", secrets=said)


@pytest.fixture(scope="session")
def strict_server(launch):
    """Hosted parity, with a Whisper that knows only English."""
    models = ("--stt", "whisper-tiny.en", "--tts", "piper-en_US-joe-medium")
    return launch("strict", "--strict", *models)


@pytest.fixture(scope="session")
def fake_server(launch):
    """Engines without weights: speech is a tone code that the listener reads back word by word."""
    return launch("fake", "--stt", "fake", "--tts", "fake", secrets=("myna repeats",))


@pytest.fixture(scope="session")
def keyed_server(launch, tmp_path_factory):
    """Two keys, one in the environment and one in a file."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"# of the Azure clients\nbob:{OTHER_KEY}\n")
    flags = ("--stt", "fake", "--tts", "fake", "--api-keys-file", str(file))
    wrong = ("sk-wrong-0123456789abcdef", "x-short-1")
    env = {"MYNA_API_KEYS": f"alice:{KEY}"}
    return launch("keyed", *flags, env=env, secrets=(KEY, OTHER_KEY, *wrong))


@pytest.fixture(scope="session")
def small_server(launch):
    """Little room: 256 KiB a request, 40 characters, 20 s of audio."""
    limits = ("--max-upload-bytes", "262144", "--max-input-chars", "40", "--max-audio-s", "20")
    return launch("small", "--stt", "fake", "--tts", "fake", *limits)


@pytest.fixture(scope="session")
def phrase(fake_server):
    """PHRASE as the fake engine says it, in a WAV."""
    return encoded(_spoken(fake_server, PHRASE))


@pytest.fixture(scope="session")
def deaf_server(launch):
    """Nothing tells its speakers apart."""
    return launch("deaf", "--stt", "fake", "--tts", "fake", "--diarize", "none")


@pytest.fixture(scope="session")
def talk(fake_server):
    """`talk((voice, text), …)`: what the fake engine's voices say, in a WAV."""

    def say(*lines):
        return encoded(
            np.concatenate([_spoken(fake_server, text + " ", voice) for voice, text in lines])
        )

    return say


@pytest.fixture(scope="session")
def clip(server):
    """SENTENCE in Piper's voice, in a WAV: about 3 s."""
    return encoded(_spoken(server, SENTENCE))


@pytest.fixture(scope="session")
def lecture(server):
    """Twenty minutes of WAV at 8 kHz, PASSAGE over and over: minutes of work, below 25 MiB."""
    return _over_and_over(_spoken(server, PASSAGE))


@pytest.fixture(scope="session")
def monologue(fake_server):
    """The same in the tone code. Far more than a request has in hand at a time."""
    return _over_and_over(_spoken(fake_server, PHRASE + " "))


def _over_and_over(said):
    slow = said[: len(said) // 3 * 3].reshape(-1, 3).mean(axis=1).astype(np.int16)
    return encoded(np.tile(slow, 20 * 60 * 8000 // len(slow)), rate_hz=8000)


@pytest.fixture(scope="session")
def silence():
    """Ten seconds of it."""
    return encoded(np.zeros(10 * RATE_HZ, np.int16))


@pytest.fixture(scope="session")
def contained(server):
    """`contained(name)`: SENTENCE in one of CONTAINERS, and the file's name."""
    samples = _spoken(server, SENTENCE)

    def make(name):
        kind, codec, filename = CONTAINERS[name]
        return encoded(samples, kind, codec, video="video" in name), filename

    return make


def _spoken(server, text, voice="alloy"):
    reply = server.speak(input=text, response_format="pcm", voice=voice)
    assert reply.status == 200, reply.body
    return np.frombuffer(reply.body, np.int16)


def encoded(samples, kind="wav", codec="pcm_s16le", rate_hz=RATE_HZ, *, video=False):
    """int16 samples as a media file."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        if video:
            picture = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = rate_hz
        if video:
            for _ in range(10):
                container.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
            container.mux(picture.encode())
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()
