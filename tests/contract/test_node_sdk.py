"""The official Node SDK. One run of `node/client.mjs` makes all calls; the tests look at what came.

Node parses by Content-Type and not by what was asked for, and uploads files in chunks.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "node"
NODE, NPM = shutil.which("node"), shutil.which("npm")

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not (NODE and NPM), reason="node and npm are not installed"),
]


@pytest.fixture(scope="module")
def installed():
    """The SDK in `node/node_modules`, in the version that package.json names."""
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]["openai"]
    package = HERE / "node_modules" / "openai" / "package.json"
    if not package.is_file() or json.loads(package.read_text())["version"] != wanted:
        command = [NPM, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        run = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"npm install failed in {HERE}:\n{run.stdout}{run.stderr}"
    assert json.loads(package.read_text())["version"] == wanted


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
