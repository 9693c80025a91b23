"""The official Node SDK. One run of `node/client.mjs` makes all calls; the tests look at what came.

Node parses by Content-Type and not by what was asked for, and uploads files in chunks. Its realtime
client takes `wss:` only, so here a relay with TLS stands in front of the server.
"""

import asyncio
import json
import re
import shutil
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import pytest

HERE = Path(__file__).parent / "node"
NODE, NPM = shutil.which("node"), shutil.which("npm")

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not (NODE and NPM), reason="node and npm are not installed"),
]


@pytest.fixture(scope="module")
def installed():
    """The SDK, and `ws` for its realtime client, in `node/node_modules`, in the versions that
    package.json names."""
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]

    def present():
        packages = {name: HERE / "node_modules" / name / "package.json" for name in wanted}
        return {
            name: json.loads(path.read_text())["version"]
            for name, path in packages.items()
            if path.is_file()
        }

    if present() != wanted:
        command = [NPM, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        run = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"npm install failed in {HERE}:\n{run.stdout}{run.stderr}"
    assert present() == wanted


@pytest.fixture(scope="module")
def results(installed, server, clip, tmp_path_factory):
    audio = tmp_path_factory.mktemp("node") / "speech.wav"
    audio.write_bytes(clip)
    command = [NODE, "client.mjs", f"{server.url}/v1", str(audio)]
    run = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, check=False, timeout=500
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture
def value(results):
    def of(name):
        assert "value" in results[name], results[name]
        return results[name]["value"]

    return of


@pytest.fixture
def error(results):
    def of(name):
        assert "error" in results[name], results[name]
        return results[name]["error"]

    return of


@pytest.mark.parametrize(
    "name", ["json", "options", "auto_chunking", "unnamed", "misnamed", "translation"]
)
def test_json_is_an_object(value, name):  # [106]
    assert "birds" in value(name)["text"].lower()


@pytest.mark.parametrize("name", ["text", "srt", "vtt", "translation_text"])
def test_text_formats_are_strings(value, name):  # [106]
    assert isinstance(value(name), str)
    assert "birds" in value(name).lower()


def test_verbose_json_is_an_object(value):  # [106]
    answer = value("verbose_json")
    assert (answer["task"], answer["language"]) == ("transcribe", "english")
    assert answer["words"]
    assert answer["segments"]


def test_options_reach_the_server(value):
    assert value("options")["logprobs"]


def test_a_stream_is_iterated_to_its_end(value):  # [42]
    *deltas, done = value("streamed")
    assert {event["type"] for event in deltas} == {"transcript.text.delta"}
    assert done["type"] == "transcript.text.done"
    assert "".join(event["delta"] for event in deltas) == done["text"]


def test_speech_is_bytes(value):
    assert value("mp3")["type"] == "audio/mpeg"
    assert value("mp3")["size"] > 2000
    assert (value("wav")["type"], value("wav")["head"]) == ("audio/wav", "RIFF")


def test_speech_events_come_unparsed(value):
    assert value("sse")["type"] == "text/event-stream; charset=utf-8"
    assert value("sse")["text"].startswith('data: {"type":"speech.audio.delta","audio":"')


def test_models_are_listed_and_found_by_an_encoded_name(value):  # [92]
    assert {"whisper-1", "tts-1"} <= set(value("models"))
    assert value("model")["id"] == "Systran/faster-whisper-base"


def test_the_request_id_is_read(value):
    assert value("request_id").startswith("req_")


@pytest.mark.parametrize(
    ("name", "kind", "status", "expected"),
    [
        ("bad_field", "BadRequestError", 400, {"param": "language"}),
        ("bad_file", "BadRequestError", 400, {"param": "file"}),
        ("unknown_model", "NotFoundError", 404, {"code": "model_not_found"}),
    ],
)
def test_errors_have_their_class_and_fields(error, name, kind, status, expected):
    found = error(name)
    assert (found["class"], found["status"]) == (kind, status)
    assert found["type"] == "invalid_request_error"
    assert found["requestID"].startswith("req_")
    assert expected.items() <= found.items()


def test_what_is_not_here_is_a_server_error(error):
    assert (error("not_here")["class"], error("not_here")["status"]) == ("InternalServerError", 501)


def test_the_program_of_the_page_runs(installed, fake_server, tmp_path):
    page = (HERE.parents[2] / "docs" / "clients" / "sdks.md").read_text("utf-8")
    programs = re.findall(r"^```javascript\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    program = next(code for code in programs if 'from "openai"' in code)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    (tmp_path / "program.mjs").write_text(program.replace("http://127.0.0.1:8000", fake_server.url))
    run = subprocess.run(
        [NODE, "program.mjs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("The birds repeat every word they hear.") == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Of 127.0.0.1, signed by itself: certificate and key."""
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=myna", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run(command, capture_output=True, check=True)
    return made


@pytest.fixture(scope="module")
def secure_port(fake_server, certificate):
    """A relay with TLS in front of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    ports, over = SimpleQueue(), threading.Event()

    async def copied(reader, writer):
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def relayed(reader, writer):
        behind = await asyncio.open_connection("127.0.0.1", fake_server.port)
        await asyncio.gather(copied(reader, behind[1]), copied(behind[0], writer))

    async def serve():
        relay = await asyncio.start_server(relayed, "127.0.0.1", 0, ssl=context)
        ports.put(relay.sockets[0].getsockname()[1])
        await asyncio.to_thread(over.wait)
        relay.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    yield ports.get(timeout=240)
    over.set()
    thread.join()


def test_its_realtime_client_understands_a_turn(
    installed, fake_server, secure_port, certificate, tmp_path
):
    text = "The myna repeats what it hears."
    speech = tmp_path / "speech.pcm"
    speech.write_bytes(fake_server.speak(input=text, response_format="pcm").body + bytes(48_000))
    base_url = f"https://127.0.0.1:{secure_port}/v1"
    run = subprocess.run(
        [NODE, "live.mjs", base_url, str(speech)],
        cwd=HERE,
        env={"NODE_EXTRA_CA_CERTS": str(certificate[0])},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert said["url"] == f"wss://127.0.0.1:{secure_port}/v1/realtime?intent=transcription"
    assert [event["type"].removeprefix("conversation.item.") for event in said["events"]] == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "added",
        "done",
        "input_audio_transcription.delta",
        "input_audio_transcription.completed",
    ]
    assert said["events"][-1]["transcript"] == text
