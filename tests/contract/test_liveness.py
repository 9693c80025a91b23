"""The server stays alive and quick whatever happens to its clients and its decoders, and ends when
it is asked to."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

PATH = "/v1/audio/transcriptions"
PHRASE = "The myna repeats what it hears."
FAKE = ("--stt", "fake", "--tts", "fake")

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@pytest.fixture
def background():
    """Call a function in a thread of its own."""
    with ThreadPoolExecutor(8) as threads:
        yield threads.submit


def begin(server, body, share=1.0):
    """A connection on which a transcription has been asked for with a share of its body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=240)
    connection.putrequest("POST", PATH)
    connection.putheader("Content-Type", server.form_headers["Content-Type"])
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[: int(len(body) * share)] or None)
    return connection


def ended(server):
    """How many transcriptions have ended so far."""
    return server.log.count(f"POST {PATH}")


@linux_only
@pytest.mark.models
def test_health_answers_in_the_middle_of_a_long_transcription(server, lecture):
    """Again and again, and a short text is spoken meanwhile."""
    before, cancelled = ended(server), server.cancellations("transcriptions")
    connection = begin(server, server.form(lecture))
    server.eventually(lambda: server.decoders()[1], "the recording is decoded")
    for _ in range(10):
        assert server.get("/health").json()["status"] == "ok"
    assert server.speak(input="Hi.").status == 200
    assert ended(server) == before, "the transcription was too quick to be in the middle of"
    connection.close()
    server.eventually(
        lambda: server.cancellations("transcriptions") > cancelled,
        "the end of a request without client",
    )


@linux_only
def test_a_decoder_that_is_killed_costs_its_request_a_400_and_nothing_else(
    fake_server, monologue, phrase, background
):
    """One that had just come to its end when it was killed shows nothing: then another."""
    for _ in range(5):
        asked = background(fake_server.transcribe, monologue)
        fake_server.eventually(
            lambda asked=asked: fake_server.decoders()[1] or asked.done(), "a file is decoded"
        )
        for pid in fake_server.decoders()[1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reply = asked.result(240)
        if reply.status != 200:
            break
    reply.refused(param="file")
    assert fake_server.transcribe(phrase).json()["text"] == PHRASE


@linux_only
def test_a_decoding_process_that_is_killed_is_replaced(fake_server, phrase):
    (pool,), _ = fake_server.decoders()
    os.kill(pool, signal.SIGKILL)
    fake_server.eventually(lambda: pool not in fake_server.decoders()[0], "its end")
    assert fake_server.transcribe(phrase).json()["text"] == PHRASE
    assert len(fake_server.decoders()[0]) == 1


@linux_only
def test_requests_leave_no_process_and_no_file_behind(fake_server, phrase):
    def held():
        return len(list(Path(f"/proc/{fake_server.process.pid}/fd").iterdir()))

    for _ in range(3):
        fake_server.transcribe(phrase)
    before = fake_server.eventually(held, "a number of open files")
    for _ in range(20):
        fake_server.transcribe(phrase)
        fake_server.transcribe(b"no audio")
    fake_server.eventually(lambda: held() <= before + 2, "the files are closed")
    fake_server.eventually(lambda: not fake_server.decoders()[1], "the decoders have ended")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_a_client_that_leaves_while_it_uploads_is_forgotten(fake_server, phrase, share):
    before = ended(fake_server)
    begin(fake_server, fake_server.form(phrase), share).close()
    fake_server.eventually(lambda: ended(fake_server) > before, "the end of the request")
    assert fake_server.transcribe(phrase).json()["text"] == PHRASE


def test_clients_that_leave_while_they_are_spoken_to_do_no_harm(launch):
    """On a server of its own: a codec that is closed while it works takes the process with it."""
    server = launch("leaving", *FAKE)
    head = {"Content-Type": "application/json"}
    for format_ in ("mp3", "opus", "aac", "flac") * 3:
        content = server.speech_body(input=f"{PHRASE} " * 50, response_format=format_)
        with server.asking("POST", "/v1/audio/speech", json.dumps(content), head) as response:
            response.read(1)
    assert server.speak().status == 200


def test_a_client_that_is_slow_holds_nobody_up(fake_server, phrase):
    body = fake_server.form(phrase)
    slow = begin(fake_server, body, 0.5)
    assert fake_server.transcribe(phrase).json()["text"] == PHRASE
    slow.send(body[int(len(body) * 0.5) :])
    assert PHRASE.encode() in slow.getresponse().read()
    slow.close()


def test_many_at_once_each_get_their_own_answer(fake_server, background):
    said = {number: f"This is caller number {number} speaking." for number in range(12)}

    def echo(number):
        audio = fake_server.speak(input=said[number], response_format="flac").body
        return fake_server.transcribe(audio).json()["text"]

    answers = {number: background(echo, number) for number in said}
    assert {number: answer.result(240) for number, answer in answers.items()} == said


def test_a_connection_can_be_used_again(fake_server, phrase):
    connection = http.client.HTTPConnection("127.0.0.1", fake_server.port, timeout=240)
    for body in (fake_server.form(phrase), fake_server.form(b"no audio"), fake_server.form(phrase)):
        connection.request("POST", PATH, body, fake_server.form_headers)
        response = connection.getresponse()
        assert response.status in {200, 400}
        response.read()
    connection.close()
    assert response.status == 200


@linux_only
def test_asked_to_end_it_ends_cleanly_and_its_processes_too(launch, phrase):
    server = launch("ending", *FAKE)
    assert server.transcribe(phrase).json()["text"] == PHRASE
    pools, _ = server.decoders()
    idle = socket.create_connection(("127.0.0.1", server.port))
    assert server.stop() == 0
    idle.close()
    for pool in pools:
        with pytest.raises(ProcessLookupError):
            os.kill(pool, 0)


def test_an_address_that_is_taken_is_said_in_a_sentence(fake_server):
    command = [sys.executable, "-m", "myna", "serve", "--offline", *FAKE]
    run = subprocess.run(
        [*command, "--port", str(fake_server.port)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert run.returncode != 0
    assert "address already in use" in run.stderr.lower()
    assert "Traceback" not in run.stderr


def test_a_missing_model_is_named_and_no_network_is_asked(tmp_path):
    command = [sys.executable, "-m", "myna", "serve", "--offline", "--tts", "fake"]
    run = subprocess.run(
        [*command, "--weights-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert run.returncode == 1
    assert "whisper-base" in run.stderr
    assert "Traceback" not in run.stderr
