"""A server that is asked to stop finishes what it has begun, takes nothing new, and says what it
dropped."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
from contextlib import contextmanager

import pytest

PATH = "/v1/audio/transcriptions"
PHRASE = "The myna repeats what it hears."
FAKE = ("--stt", "fake", "--tts", "fake")


@contextmanager
def half_sent(server, body):
    """A transcription of which half the body has arrived."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=240)
    connection.putrequest("POST", PATH)
    connection.putheader("Content-Type", server.form_headers["Content-Type"])
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[: len(body) // 2])
    # Of the same event loop, so that what came before has been taken up.
    server.get("/health")
    try:
        yield connection
    finally:
        connection.close()


def begin_drain(server):
    server.process.send_signal(signal.SIGTERM)
    server.eventually(lambda: "requests that run have" in server.log, "the drain")


def ended(server):
    """The whole log, when the process has ended."""
    assert server.stop() == 0
    return server.log


def test_what_runs_is_finished_while_what_is_new_is_sent_away(launch, phrase):
    server = launch("drained", *FAKE)
    body = server.form(phrase)
    with half_sent(server, body) as connection:
        begin_drain(server)
        error = server.transcribe(phrase).refused(
            503, "service_unavailable_error", code="server_is_overloaded"
        )
        assert "shutting down" in error["message"]
        refused = server.speak(input="Hi.")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-should-retry"] == "true"
        assert server.get("/ready").status == 503
        assert server.get("/health").status == 200
        assert re.search(
            r'^myna_rejections_total{reason="draining",route="speech"} 1\.0$',
            server.get("/metrics").text,
            re.MULTILINE,
        )
        connection.send(body[len(body) // 2 :])
        response = connection.getresponse()
        assert response.status == 200
        assert PHRASE.encode() in response.read()
    assert "no request is left, 0 dropped" in ended(server)


def test_what_takes_too_long_is_told_so_and_named_in_the_log(launch, phrase):
    server = launch("impatient", *FAKE, "--drain-s", "0.2")
    with half_sent(server, server.form(phrase)) as connection:
        begin_drain(server)
        response = connection.getresponse()
        assert response.status == 503
        assert int(response.headers["retry-after"]) >= 1
        request_id = response.headers["x-request-id"]
        response.read()
    log = ended(server)
    assert re.search(rf"WARNING dropped {request_id} POST {PATH} after \d+\.\d s", log)
    assert "no request is left, 1 dropped" in log


def test_a_stream_that_takes_too_long_ends_without_its_end(launch):
    server = launch("streaming", *FAKE, "--drain-s", "0.2")
    content = server.speech_body(input=PHRASE * 100, response_format="wav", speed=0.25)
    with server.asking(
        "POST", "/v1/audio/speech", json.dumps(content), {"Content-Type": "application/json"}
    ) as response:
        response.read(100)  # the rest, 44 MB, does not fit into the buffers between the two
        begin_drain(server)
        server.eventually(lambda: "dropped req_" in server.log, "it is broken off")
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            response.read()
    assert re.search(r"dropped req_\w+ POST /v1/audio/speech", ended(server))


def test_a_second_signal_does_not_wait(launch, phrase):
    server = launch("hurried", *FAKE, "--drain-s", "3600")
    with half_sent(server, server.form(phrase)) as connection:
        begin_drain(server)
        server.process.send_signal(signal.SIGTERM)
        assert connection.getresponse().status == 503
    assert "no request is left, 1 dropped" in ended(server)


def test_connections_without_a_request_hold_nothing_up(launch):
    server = launch("idle", *FAKE, "--drain-s", "3600")
    with socket.create_connection(("127.0.0.1", server.port)):
        assert "no request is left, 0 dropped" in ended(server)
