"""A server at its limits says so before it works, and says when to come back."""

from __future__ import annotations

import socket

import httpx
import openai
import pytest

PATH = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def narrow_server(launch):
    """Takes one request of each kind at a time, and a megabyte of uploads."""
    return launch(
        "narrow", "--stt", "fake", "--tts", "fake", "--max-requests", "1",
        "--max-spool-bytes", str(1 << 20),
    )  # fmt: skip


@pytest.fixture(scope="module")
def hasty_server(launch):
    """Works on a request for a hundredth of a second."""
    return launch("hasty", "--stt", "fake", "--tts", "fake", "--request-timeout-s", "0.01")


@pytest.fixture
def occupied(narrow_server):
    """A client that has begun to send its recording, and takes its time."""
    body = narrow_server.form(bytes(1000))
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: {narrow_server.form_headers['Content-Type']}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", narrow_server.port), timeout=240) as connection:
        connection.sendall(head.encode() + body[:100])
        # By its own count: a request that asked for the place might get it.
        taken = 'myna_admitted_requests{task="transcription"} 1.0'
        narrow_server.eventually(
            lambda: taken in narrow_server.get("/metrics").text, "the place is taken"
        )
        yield
    narrow_server.eventually(
        lambda: narrow_server.transcribe(b"no audio").status == 400, "the place is free again"
    )


def client(server, seen):
    """OpenAI's SDK, with every answer it gets noted in `seen`."""
    hooks = {"response": [seen.append]}
    return openai.OpenAI(
        base_url=f"http://127.0.0.1:{server.port}/v1",
        api_key="any",
        http_client=httpx.Client(event_hooks=hooks, trust_env=False),
    )


@pytest.mark.usefixtures("occupied")
def test_one_request_too_many_is_told_when_to_come_back(narrow_server, phrase):  # [100]
    reply = narrow_server.transcribe(phrase)
    reply.refused(503, "service_unavailable_error", code="server_is_overloaded", param=None)
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert reply.headers["x-should-retry"] == "true"
    assert narrow_server.speak(input="Hi.").status == 200  # speech has places of its own


@pytest.mark.usefixtures("occupied")
def test_the_sdk_tries_three_times_where_the_server_is_full(narrow_server, phrase):  # [100]
    seen = []
    with client(narrow_server, seen) as sdk, pytest.raises(openai.InternalServerError) as caught:
        sdk.audio.transcriptions.create(model="whisper-1", file=("a.wav", phrase))
    assert [answer.status_code for answer in seen] == [503] * 3
    assert caught.value.code == "server_is_overloaded"


def test_a_place_is_free_again_after_every_kind_of_end(narrow_server, phrase):
    for _ in range(3):
        assert narrow_server.transcribe(phrase).status == 200
        assert narrow_server.transcribe(phrase, {"stream": "true"}).status == 200
        assert narrow_server.transcribe(b"no audio").status == 400
        assert narrow_server.send("POST", PATH, b"no form").status == 400
        assert narrow_server.speak(input="Hi.").status == 200
        assert narrow_server.speak(input="").status == 400


def test_uploads_beyond_the_room_for_them_are_refused_and_leave_it_free(narrow_server, phrase):
    for _ in range(3):
        reply = narrow_server.transcribe(bytes((1 << 20) + 1))
        error = reply.refused(503, "service_unavailable_error", code="server_is_overloaded")
        assert "no room" in error["message"]
        assert int(reply.headers["retry-after"]) >= 1
        assert narrow_server.transcribe(phrase).status == 200


def test_a_request_that_takes_too_long_is_ended_and_not_tried_again(hasty_server, monologue):
    seen = []
    with client(hasty_server, seen) as sdk, pytest.raises(openai.InternalServerError) as caught:
        sdk.audio.transcriptions.create(model="whisper-1", file=("a.wav", monologue))
    assert [answer.status_code for answer in seen] == [504]  # [101]
    assert caught.value.code == "deadline_exceeded"
    assert "request_timeout_s" in caught.value.message
    assert seen[0].headers["x-should-retry"] == "false"
    hasty_server.eventually(lambda: not hasty_server.decoders()[1], "its decoder is stopped")
