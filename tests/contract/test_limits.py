"""The limit on a request's size: 413 while reading, and the server goes on."""

import socket

import pytest

PATH = "/v1/audio/transcriptions"
LIMIT = 262_144
MIB = 1024 * 1024


def padded(server, size):
    """A form of exactly `size` bytes, whose file is too big."""
    empty = len(server.form(b""))
    return server.form(bytes(size - empty))


@pytest.fixture(autouse=True)
def goes_on(small_server):
    yield
    assert small_server.speak(input="Hi.").status == 200


def refused(reply, limit=LIMIT):
    error = reply.refused(413, "server_error", code=None, param=None)
    assert error["message"].startswith(f"413: Maximum content size limit ({limit}) exceeded (")
    return error


def test_one_byte_too_many_is_refused(small_server):  # [26]
    refused(
        small_server.send("POST", PATH, padded(small_server, LIMIT + 1), small_server.form_headers)
    )


def test_the_limit_itself_is_not_too_many(small_server):
    """The file is refused as no audio, the request is not refused for its size."""
    body = padded(small_server, LIMIT)
    small_server.send("POST", PATH, body, small_server.form_headers).refused(400)


def test_one_byte_too_many_in_chunks_is_refused(small_server):  # [27]
    body = padded(small_server, LIMIT + 1)
    chunks = (body[at : at + 10_000] for at in range(0, len(body), 10_000))
    refused(small_server.send("POST", PATH, chunks, small_server.form_headers))


def test_reading_stops_at_the_limit(small_server):  # [27]
    """The answer comes although the body has no end."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: "
    head += small_server.form_headers["Content-Type"] + "\r\n\r\n"
    block = padded(small_server, LIMIT + 1)
    with socket.create_connection(("127.0.0.1", small_server.port), timeout=240) as connection:
        connection.sendall(head.encode() + b"%x\r\n" % len(block) + block + b"\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += (got := connection.recv(65536))
            assert got, answer
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"x-request-id: req_" in answer


def test_a_size_that_is_announced_is_refused_before_it_is_sent(small_server):
    head = small_server.form_headers | {"Content-Length": str(10**12)}
    refused(small_server.send("POST", PATH, b"--myna", head))


def test_a_size_that_is_no_number_is_refused(small_server):
    with socket.create_connection(("127.0.0.1", small_server.port), timeout=240) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_audio_in_json_has_the_same_limit(small_server):
    audio = {"data": "A" * LIMIT, "format": "wav"}
    refused(small_server.post_json(PATH, {"model": "whisper-1", "input_audio": audio}))


@pytest.mark.parametrize("chunked", [False, True])  # [26, 27]
def test_the_usual_limit_is_25_mib(fake_server, phrase, chunked):
    body = padded(fake_server, 25 * MIB + 1)
    pieces = (body[at : at + MIB] for at in range(0, len(body), MIB))
    sent = pieces if chunked else body
    refused(fake_server.send("POST", PATH, sent, fake_server.form_headers), 25 * MIB)
    assert fake_server.transcribe(phrase).status == 200


def test_a_refused_client_may_send_its_next_request(small_server, phrase):
    """On a new connection; many in a row leave nothing behind."""
    body = padded(small_server, LIMIT + 1)
    for _ in range(20):
        refused(small_server.send("POST", PATH, body, small_server.form_headers))
    assert small_server.transcribe(phrase).json()["text"]
