"""What real clients put on the wire, byte for byte, through a plain socket.

The forms follow the HTTP libraries that the clients are built on, each with its own habits: order
of parts, quoting, types, boundaries. Every one must be understood, and answered in the shape that
the client reads.
"""

import base64
import json
import socket
from dataclasses import dataclass

import pytest

PHRASE = "The myna repeats what it hears."


@dataclass(frozen=True)
class Library:
    """How an HTTP library writes a form."""

    boundary: str
    content_type: str = "multipart/form-data; boundary={}"
    field: str = 'Content-Disposition: form-data; name="{name}"'
    file: str = 'Content-Disposition: form-data; name="file"; filename="{filename}"'
    file_type: str = "\r\nContent-Type: {type}"
    preamble: bytes = b""
    chunked: bool = False

    def form(self, parts, audio):
        body = self.preamble
        for part in parts.split("&"):
            body += f"--{self.boundary}\r\n".encode()
            if part.startswith("@"):
                filename, _, type_ = part[1:].partition(";")
                head = self.file.format(filename=filename, type=type_)
                head += self.file_type.format(type=type_) if type_ else ""
                body += head.encode() + b"\r\n\r\n" + audio + b"\r\n"
            else:
                name, _, value = part.partition("=")
                body += f"{self.field.format(name=name)}\r\n\r\n{value}\r\n".encode()
        return body + f"--{self.boundary}--\r\n".encode()


REQUESTS = Library("d3f0c1a4b5e697887766554433221100")  # Python: urllib3 gives files no type
HTTPX = Library("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
UNDICI = Library("----formdata-undici-012345678901")
FORM_DATA = Library("--------------------------104857600000000000000123")  # Node: form-data, axios
GO = Library("4f" * 30)  # Go: mime/multipart
AIOHTTP = Library(
    "5a" * 16,
    field="Content-Type: text/plain; charset=utf-8\r\n"
    'Content-Disposition: form-data; name="{name}"',
    file_type="\r\nContent-Type: {type}\r\nContent-Transfer-Encoding: binary",
)
AIOHTTP_STREAM = Library(  # a file that is read while it is sent: no encoding, and a chunked body
    AIOHTTP.boundary,
    field=AIOHTTP.field,
    file="Content-Type: {type}\r\n" + Library.file,
    file_type="",
    chunked=True,
)
DOTNET = Library(  # no quotes around names, quotes around the boundary
    "8c5d2a0e-7b1f-4d36-9e55-0a1b2c3d4e5f",
    content_type='multipart/form-data; boundary="{}"',
    field="Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name={name}",
    file="Content-Disposition: form-data; name=file; filename={filename}; "
    "filename*=utf-8''{filename}",
)
CURL = Library("------------------------a1b2c3d4e5f60718", preamble=b"\r\n")
WEBVIEW = Library("----WebKitFormBoundary7MA4YWxkTrZu0gW")

VAD = '{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":200}'

FORMS = {  # parts name=value or @file name;type, joined by &
    "Open WebUI": (REQUESTS, "json", "model=whisper-1&@0a1b.webm"),
    "Open WebUI with a language": (REQUESTS, "json", "model=whisper-1&language=en&@0a1b.mp3"),
    "Open WebUI's newer forks": (
        REQUESTS,
        "words and segments",
        (
            "model=whisper-1&response_format=verbose_json&timestamp_granularities[]=segment"
            "&timestamp_granularities[]=word&@0a1b.webm"
        ),
    ),
    "Open WebUI since 0.12": (
        AIOHTTP_STREAM,
        "json",
        "model=whisper-1&language=en&@0a1b.webm;application/octet-stream",
    ),
    "LiteLLM": (
        HTTPX,
        "segments",
        "model=whisper-1&response_format=verbose_json&@audio.wav;audio/x-wav",
    ),
    "LiteLLM streaming": (HTTPX, "stream", "model=whisper-1&stream=true&@audio.wav;audio/x-wav"),
    "LiveKit agents": (
        HTTPX,
        "json",
        "model=gpt-4o-mini-transcribe&language=en&prompt=&response_format=json&@file.wav;audio/wav",
    ),
    "LiveKit agents with gpt-transcribe": (
        HTTPX,
        "json",
        (
            "model=gpt-transcribe&keywords[]=myna&languages[]=en&languages[]=de"
            "&response_format=json&@file.wav;audio/wav"
        ),
    ),
    "Pipecat": (
        HTTPX,
        "json",
        "model=gpt-4o-transcribe&include[]=logprobs&language=en&@audio.wav;audio/wav",
    ),
    "Home Assistant": (
        HTTPX,
        "json",
        (
            "model=gpt-4o-mini-transcribe&language=fil"
            "&prompt=The following is a voice command.&response_format=json"
            "&@a.wav;audio/x-wav"
        ),
    ),
    "Home Assistant's LiteLLM integration": (
        HTTPX,
        "json",
        (
            "model=whisper-1&keywords[]=kitchen&keywords[]=myna&language=en"
            "&prompt=Commands.&@audio.wav;audio/x-wav"
        ),
    ),
    "Home Assistant's Whisper add-on, nothing filled in": (
        AIOHTTP,
        "json",
        "@audio.wav;audio/wav&language=&model=whisper-1&temperature=0&prompt=&response_format=json",
    ),
    "Vercel AI SDK": (
        UNDICI,
        "segments",
        (
            "model=whisper-1&@audio.wav;audio/wav&response_format=verbose_json&temperature=0"
            "&timestamp_granularities[]=segment"
        ),
    ),
    "Vercel AI SDK with a model of its own": (
        UNDICI,
        "segments",
        "model=whisper-large-v3&@audio.wav;audio/wav&response_format=verbose_json",
    ),
    "LangChain": (
        HTTPX,
        "segments",
        (
            "model=whisper-1&language=en&response_format=verbose_json&temperature=0.0"
            "&@talk.mp3_part_0.mp3;audio/mpeg"
        ),
    ),
    "n8n": (
        FORM_DATA,
        "json",
        "model=whisper-1&language=en&temperature=0.2&@recording.ogg;audio/ogg",
    ),
    "Dify": (REQUESTS, "json", "model=whisper-1&@file"),
    "LibreChat": (
        FORM_DATA,
        "json",
        "@audio.webm;audio/webm;codecs=opus&model=whisper-1&language=en",
    ),
    "SubtitleEdit": (
        DOTNET,
        "words and segments",
        (
            "model=whisper-1&response_format=verbose_json&timestamp_granularities[]=word"
            "&timestamp_granularities[]=segment&language=en&@audio.wav;audio/wav"
        ),
    ),
    "SubtitleEdit streaming": (
        DOTNET,
        "stream",
        "@audio.wav;audio/wav&model=gpt-4o-transcribe&response_format=json&stream=true",
    ),
    "AnythingLLM": (
        FORM_DATA,
        "text",
        "@recording.wav;audio/wav&model=whisper-1&response_format=text&temperature=0",
    ),
    "go-openai": (
        GO,
        "segments",
        (
            "@speech.mp3;application/octet-stream&model=whisper-1&prompt=Birds."
            "&response_format=verbose_json&temperature=0.30&language=en"
            f"&timestamp_granularities[]=segment&chunking_strategy={VAD}"
        ),
    ),
    "go-openai for subtitles": (
        GO,
        "srt",
        "@speech.mp3;application/octet-stream&model=whisper-1&response_format=srt",
    ),
    "Node without a name for the file": (
        UNDICI,
        "json",
        "@unknown_file;application/octet-stream&model=whisper-1",
    ),
    "Python from memory": (HTTPX, "json", "model=whisper-1&@upload;application/octet-stream"),
    "curl": (CURL, "vtt", "@audio.wav;audio/wav&model=whisper-1&response_format=vtt"),
    "a browser": (WEBVIEW, "json", "@blob;audio/webm&model=whisper-1"),
}


def exchange(server, method, path, headers, body):
    """Status, headers and body of an answer, over a bare socket."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if headers.get("Transfer-Encoding") == "chunked":
        body = in_chunks(body)
    elif body:
        lines.append(f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", server.port), timeout=240) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        raw = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, rest = raw.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    names = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    if names.get("transfer-encoding") == "chunked":
        rest = dechunked(rest)
    return int(status.split()[1]), names, rest


def in_chunks(body, size=1000):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def dechunked(raw):
    body = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        count = int(size, 16)
        body, raw = body + raw[:count], raw[count + 2 :]
        if not count:
            return body
    raise AssertionError("the last chunk is missing")


def check(shape, content_type, body):
    if shape == "stream":
        assert content_type == "text/event-stream; charset=utf-8"
        lines = body.decode().split("\n\n")
        assert lines[-2:] == ["data: [DONE]", ""]
        done = json.loads(lines[-3].removeprefix("data: "))
        assert (done["type"], done["text"]) == ("transcript.text.done", PHRASE)
    elif shape in {"text", "srt", "vtt"}:
        assert content_type.startswith("text/plain")
        assert PHRASE in body.decode()
    else:
        assert content_type == "application/json"
        content = json.loads(body)
        assert content["text"] == PHRASE
        assert shape == "json" or isinstance(content["duration"], float)
        assert all(content[name] for name in ("words", "segments") if name in shape)
        assert ("words" in content) == ("words" in shape)


@pytest.mark.parametrize("client", FORMS)
def test_a_client_that_transcribes_is_understood(fake_server, phrase, client):
    library, shape, parts = FORMS[client]
    headers = {
        "Authorization": "Bearer sk-none",
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate, br",
        "Content-Type": library.content_type.format(library.boundary),
    }
    headers |= {"Transfer-Encoding": "chunked"} if library.chunked else {}
    body = library.form(parts, phrase)
    status, head, answer = exchange(fake_server, "POST", "/v1/audio/transcriptions", headers, body)
    assert status == 200, answer
    assert "content-encoding" not in head
    check(shape, head["content-type"], answer)


def test_open_webui_sends_audio_in_json(fake_server, phrase):
    audio = {"data": base64.b64encode(phrase).decode(), "format": "wav"}
    body = json.dumps({"model": "whisper-1", "input_audio": audio}).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer "}
    status, head, answer = exchange(fake_server, "POST", "/v1/audio/transcriptions", headers, body)
    assert status == 200, answer
    check("json", head["content-type"], answer)


def test_an_empty_bearer_is_no_obstacle_where_no_key_is_set(fake_server, phrase):
    """A Home Assistant integration sends one when its key is left empty."""
    headers = {
        "Authorization": "Bearer ",
        "Content-Type": AIOHTTP.content_type.format(AIOHTTP.boundary),
    }
    body = AIOHTTP.form("@audio.wav;audio/wav&model=whisper-1&language=", phrase)
    status, _, answer = exchange(fake_server, "POST", "/v1/audio/transcriptions", headers, body)
    assert (status, json.loads(answer)["text"]) == (200, PHRASE)


def test_the_error_that_a_user_interface_shows_is_a_sentence(fake_server):
    """Open WebUI reads `error.message`, and shows it only if it is text."""
    library, _, parts = FORMS["Open WebUI"]
    headers = {"Content-Type": library.content_type.format(library.boundary)}
    body = library.form(parts, b"no audio")
    status, _, answer = exchange(fake_server, "POST", "/v1/audio/transcriptions", headers, body)
    assert status == 400
    assert json.loads(answer)["error"]["message"].startswith("Invalid file format.")


def test_a_client_that_waits_for_leave_to_send_gets_it(fake_server, phrase):
    """curl asks first (`Expect: 100-continue`) where a body is large."""
    body = CURL.form("@audio.wav;audio/wav&model=whisper-1", phrase)
    head = (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        f"Content-Type: {CURL.content_type.format(CURL.boundary)}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", fake_server.port), timeout=240) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert PHRASE.encode() in answer
