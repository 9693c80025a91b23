"""Requests that are wrong as requests: paths, methods, bodies. Each gets an envelope and no 5xx,
and the server goes on."""

import base64
import socket
from contextlib import suppress

import pytest

PHRASE = "The myna repeats what it hears."
TRANSCRIPTIONS, SPEECH = "/v1/audio/transcriptions", "/v1/audio/speech"
FORM = "multipart/form-data; boundary=myna-0d9c7b1e"
HEAD = b'--myna-0d9c7b1e\r\nContent-Disposition: form-data; name="'
MODEL = HEAD + b'model"\r\n\r\nwhisper-1\r\n'

BROKEN_FORMS = [
    ("no boundary [59]", "multipart/form-data", MODEL),
    ("an empty boundary", 'multipart/form-data; boundary=""', MODEL),
    ("a boundary beyond what is allowed", f"multipart/form-data; boundary={'b' * 5000}", MODEL),
    ("another boundary than announced", "multipart/form-data; boundary=other", MODEL),
    ("no body at all", FORM, b""),
    ("only the last boundary", FORM, b"--myna-0d9c7b1e--\r\n"),
    ("a part that breaks off", FORM, MODEL + HEAD + b'file"; filename="a.wav"\r\n\r\nRIFF'),
    ("a part that breaks off in its headers", FORM, MODEL + HEAD),
    ("a part without a name", FORM, b"--myna-0d9c7b1e\r\n\r\nx\r\n--myna-0d9c7b1e--\r\n"),
    ("no line end behind the boundary", FORM, b"--myna-0d9c7b1eContent-Disposition: x"),
    ("text that is no form", FORM, b"hello"),
    ("NUL bytes", FORM, bytes(1000)),
    ("headers without an end", FORM, MODEL[:19] + b"X: " + b"a" * 200_000),
    ("a thousand parts and more", FORM, MODEL * 5000),
    ("a URL-encoded form", "application/x-www-form-urlencoded", b"model=whisper-1&file=x"),
    ("a form of plain text", "text/plain", b"model=whisper-1"),
    ("audio as the body", "audio/wav", b"RIFF"),
    ("no content type", "", MODEL),
    ("JSON of no meaning [58]", "application/json", b"{}"),
    ("broken JSON", "application/json", b'{"model":'),
    ("JSON that is a list", "application/json", b"[1]"),
    ("JSON that is null", "application/json", b"null"),
]

JSON_AUDIO = [
    ("audio that is no base64", {"data": "@@@@", "format": "wav"}),
    ("audio that is a number", {"data": 5, "format": "wav"}),
    ("no data", {"format": "wav"}),
    ("a list for the audio", []),
    ("a text for the audio", "UklGRg=="),
    ("empty audio", {"data": "", "format": "wav"}),
    ("base64 of no audio", {"data": base64.b64encode(b"no audio").decode(), "format": "wav"}),
]

BROKEN_JSON = [
    ("no JSON [85]", b"hello"),
    ("nothing", b""),
    ("JSON that breaks off", b'{"model":"tts-1","input":"Hi'),
    ("a list", b"[]"),
    ("a string", b'"Hi."'),
    ("null", b"null"),
    ("a number beyond all numbers", b'{"model":"tts-1","input":"Hi.","speed":1e999}'),
    ("NaN", b'{"model":"tts-1","input":"Hi.","speed":NaN}'),
    ("bytes that are no UTF-8", b'{"model":"tts-1","input":"\xff\xfe"}'),
    ("a lone surrogate in UTF-8", b'{"model":"tts-1","input":"\xed\xa0\x80"}'),
    ("an escaped lone surrogate", b'{"model":"tts-1","input":"Hi \\ud83e."}'),
    ("a hundred thousand brackets", b"[" * 100_000),
    ("a hundred thousand nested objects", b'{"input":' * 100_000),
    ("a number of a hundred thousand digits", b'{"speed":' + b"9" * 100_000 + b"}"),
    ("a wrong content type [85]", b"model=tts-1&input=Hi."),
]


@pytest.fixture(autouse=True)
def goes_on(fake_server, phrase):
    """After each of them the server transcribes as before."""
    yield
    assert fake_server.transcribe(phrase).json()["text"] == PHRASE


@pytest.mark.parametrize(
    ("what", "content_type", "body"), BROKEN_FORMS, ids=[case[0] for case in BROKEN_FORMS]
)
@pytest.mark.parametrize("path", [TRANSCRIPTIONS, "/v1/audio/translations"])
def test_a_broken_form_is_refused(fake_server, what, content_type, body, path):
    fake_server.send("POST", path, body, {"Content-Type": content_type}).refused()


@pytest.mark.parametrize(("what", "audio"), JSON_AUDIO, ids=[case[0] for case in JSON_AUDIO])
def test_broken_audio_in_json_is_refused(fake_server, what, audio):
    content = {"model": "whisper-1", "input_audio": audio}
    fake_server.post_json(TRANSCRIPTIONS, content).refused()


def test_a_form_without_a_file_says_so(fake_server):  # [14]
    body = fake_server.multipart([("model", "whisper-1")])
    reply = fake_server.send("POST", TRANSCRIPTIONS, body, fake_server.form_headers)
    assert reply.refused()["param"] in {"file", None}


def test_a_file_that_is_sent_as_text_is_no_file(fake_server):
    body = fake_server.multipart([("model", "whisper-1"), ("file", "speech.wav")])
    fake_server.send("POST", TRANSCRIPTIONS, body, fake_server.form_headers).refused()


@pytest.mark.parametrize("name", ["model", "language", "temperature", "stream", "prompt"])
def test_a_field_that_is_sent_as_a_file_is_no_crash(fake_server, phrase, name):
    parts = [(name, b"\xff\x00", "x.bin", "audio/wav"), ("file", phrase, "a.wav", "audio/wav")]
    body = fake_server.multipart(parts)
    reply = fake_server.send("POST", TRANSCRIPTIONS, body, fake_server.form_headers)
    assert reply.status in {200, 400}


@pytest.mark.parametrize("name", ["model", "prompt", "language", "response_format", "bogus"])
def test_a_field_of_wild_bytes_is_no_crash(fake_server, phrase, name):
    for value in (b"\xff\xfe\x80", b"a\x00b", b"\xed\xa0\x80", "\N{PARROT}".encode() * 1000):
        reply = fake_server.transcribe(phrase, {name: value})
        assert reply.status in {200, 400}, reply.body


@pytest.mark.parametrize(
    "name", [b"[]", b"model[", b"[x]", b"a[b][c]", b"\xff", b"\x00", b"m" * 9000]
)
def test_a_field_of_a_wild_name_is_no_crash(fake_server, phrase, name):
    assert fake_server.transcribe(phrase, {name: "x"}).status in {200, 400}


@pytest.mark.parametrize(("what", "body"), BROKEN_JSON, ids=[case[0] for case in BROKEN_JSON])
def test_broken_json_is_refused(fake_server, what, body):
    fake_server.post_json(SPEECH, body).refused()


@pytest.mark.parametrize("name", ["model", "voice", "instructions", "user"])
def test_a_lone_surrogate_elsewhere_is_no_crash(fake_server, name):
    raw = b'{"model":"tts-1","input":"Hi.","voice":"alloy","%b":"\\ud800"}' % name.encode()
    assert fake_server.post_json(SPEECH, raw).status in {200, 400, 404}


def test_a_speech_body_of_two_megabytes_is_refused(fake_server):
    body = b'{"model":"tts-1","input":"Hi.","x":"' + b"a" * 2_000_000 + b'"}'
    reply = fake_server.post_json(SPEECH, body)
    assert reply.status in {400, 413}
    reply.refused(reply.status, "server_error" if reply.status == 413 else "invalid_request_error")


@pytest.mark.parametrize(  # [102]
    ("method", "path", "status"),
    [
        ("GET", "/v1/nowhere", 404),
        ("GET", "/nowhere", 404),
        ("POST", "/", 405),
        ("POST", "/v1/audio/transcription", 404),
        ("GET", "/v1/../../etc/passwd", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "/v1/audio/transcriptions", 405),
        ("PUT", "/v1/audio/speech", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/health", 405),
    ],
)
def test_an_unknown_path_or_method_is_an_envelope(fake_server, method, path, status):
    fake_server.send(method, path).refused(status, code=None, param=None)


@pytest.mark.parametrize("path", ["/openapi.json"])
def test_the_api_describes_itself(fake_server, path):
    assert fake_server.get(path).status == 200


def test_every_answer_says_who_and_how_long(fake_server, phrase):  # [99]
    """The helper that sends each request of this suite checks x-request-id, and that it is new."""
    answers = [
        fake_server.transcribe(phrase),
        fake_server.transcribe(phrase, {"stream": "true"}),
        fake_server.transcribe(b""),
        fake_server.speak(),
        fake_server.speak(stream_format="sse"),
        fake_server.speak(input=""),
        fake_server.get("/v1/models"),
        fake_server.get("/nowhere"),
        fake_server.send("PUT", "/v1/models"),
    ]
    for reply in answers:
        assert reply.headers["openai-processing-ms"].isdigit()
        assert reply.headers["openai-version"] == "2020-10-01"


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS to a plain port
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 100,
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_turned_away(fake_server, raw):
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", fake_server.port), timeout=240) as connection,
        # A connection that is closed upon bytes nobody has read is one that is reset.
        suppress(BrokenPipeError, ConnectionResetError),
    ):
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        while got := connection.recv(65536):
            answer += got
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
