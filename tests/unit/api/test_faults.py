"""What a fault does to an answer, message by message, without a server."""

from __future__ import annotations

import asyncio
import json

import pytest

from myna.api.faults import Fault, answer_with, checked, read_header
from myna.errors import BadRequest

EVENTS = [
    b'data: {"type":"a","text":"first"}\n\n',
    b'data: {"type":"b","text":"caf\xc3\xa9"}\n\n',
    b'data: {"type":"c"}\n\n',
]


class Answered(Exception):
    """The app was asked although it should not have been."""


def app(content_type: str, pieces: list[bytes], *, length: bool = False):
    """An ASGI app that reads its request and answers with `pieces`."""

    async def answer(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", content_type.encode())]
        if length:
            headers.append((b"content-length", b"%d" % sum(map(len, pieces))))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for place, piece in enumerate(pieces):
            more = place < len(pieces) - 1
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    return answer


async def untouched(scope, receive, send):
    raise Answered


class Client:
    """Sends one request in two pieces and keeps what comes back; may leave in between."""

    def __init__(self, leaves_after_s: float = 3600.0) -> None:
        self.leaves_after_s = leaves_after_s
        self.sent = [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.request", "body": b"}", "more_body": False},
        ]
        self.got: list[dict] = []

    async def receive(self):
        if self.sent:
            return self.sent.pop(0)
        await asyncio.sleep(self.leaves_after_s)
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.got.append(message)

    @property
    def status(self) -> int:
        return self.got[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.got[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.got[1:])

    @property
    def ended(self) -> bool:
        """Whether the answer was ended as answers are."""
        return bool(self.got) and not self.got[-1].get("more_body", False)


def asked(fault: Fault, answering=untouched, client: Client | None = None) -> Client:
    client = client or Client()
    scope = {"type": "http", "method": "POST", "path": "/v1/audio/speech", "headers": []}
    asyncio.run(answer_with(fault, answering, scope, client.receive, client.send))
    return client


def session(fault: Fault, *texts: str) -> list[dict]:
    """What a client gets of a live session that says these."""
    got: list[dict] = []

    async def talks(scope, receive, send):
        await send({"type": "websocket.accept"})
        for text in texts:
            await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": 1000})

    async def send(message):
        got.append(message)

    scope = {"type": "websocket", "path": "/v1/realtime", "headers": []}
    asyncio.run(answer_with(fault, talks, scope, Client().receive, send))
    return got


def test_a_handshake_is_refused_in_openais_envelope():
    head, body = session(Fault(status=429, retry_after=2))
    assert (head["type"], head["status"]) == ("websocket.http.response.start", 429)
    assert (b"retry-after", b"2") in head["headers"]
    assert json.loads(body["body"])["error"]["code"] == "rate_limit_exceeded"


def test_a_session_is_cut_before_the_event_that_goes_beyond():
    _, first, last = session(Fault(cut_after_bytes=8), '{"a":1}', '{"b":2}', '{"c":3}')
    assert first["text"] == '{"a":1}'
    assert (last["type"], last["code"]) == ("websocket.close", 1011)


def test_the_second_event_of_a_session_is_malformed_and_no_other():
    _, *events, _ = session(Fault(malformed=True, pause_s=0.001), '{"a":1}', '{"b":2}', '{"c":3}')
    assert [one["text"] for one in events] == ['{"a":1}', '{"b', '{"c":3}']


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", None),
        (401, "invalid_request_error", "invalid_api_key"),
        (429, "rate_limit_error", "rate_limit_exceeded"),
        (500, "server_error", None),
        (503, "service_unavailable_error", "server_is_overloaded"),
    ],
)
def test_a_status_comes_in_openais_envelope_and_the_app_is_not_asked(status, kind, code):
    client = asked(Fault(status=status, message="Not now."))
    assert (client.status, client.ended) == (status, True)
    error = json.loads(client.body)["error"]
    assert error == {"message": "Not now.", "type": kind, "param": None, "code": code}


def test_the_request_is_read_before_an_error_is_answered():
    client = Client()
    asked(Fault(status=500), client=client)
    assert client.sent == []


def test_retry_headers_say_what_the_test_wants():
    assert "retry-after" not in asked(Fault(status=429)).headers
    headers = asked(Fault(status=429, retry_after=0.25)).headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "250")
    assert "x-should-retry" not in headers
    assert asked(Fault(status=500)).headers["x-should-retry"] == "true"
    assert asked(Fault(status=500, should_retry=False)).headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("cut", "left"),
    [(0, b""), (3, b"abc"), (4, b"abcd"), (6, b"abcdef"), (7, b"abcdefg"), (99, b"abcdefg")],
)
@pytest.mark.parametrize("pieces", [[b"abcdefgh"], [b"abcd", b"efgh"], [b"abc", b"d", b"efgh"]])
def test_an_answer_is_cut_behind_so_many_bytes_and_at_the_latest_before_its_last(cut, left, pieces):
    client = asked(Fault(cut_after_bytes=cut), app("audio/mpeg", pieces, length=True))
    assert (client.status, client.body, client.ended) == (200, left, False)


def test_a_stream_whose_end_is_an_empty_piece_is_cut_before_that():
    client = asked(Fault(cut_after_bytes=99), app("audio/mpeg", [b"abc", b""]))
    assert (client.body, client.ended) == (b"abc", False)


def test_an_error_can_be_cut_too():
    client = asked(Fault(status=500, cut_after_bytes=5))
    assert (client.status, client.body, client.ended) == (500, b'{"err', False)


@pytest.mark.parametrize("pieces", [EVENTS, [b"".join(EVENTS)]])
def test_of_a_stream_the_second_event_is_malformed_and_no_other(pieces):
    client = asked(Fault(malformed=True), app("text/event-stream; charset=utf-8", pieces))
    first, second, third, rest = client.body.split(b"\n\n")
    assert [first, third, rest] == [EVENTS[0].strip(), EVENTS[2].strip(), b""]
    assert second.startswith(b"data: ")
    assert client.ended
    with pytest.raises(json.JSONDecodeError):
        json.loads(second.removeprefix(b"data: "))


def test_an_event_is_not_cut_inside_a_character():
    event = "data: {" + "é" * 20 + "}\n\n"
    client = asked(Fault(malformed=True), app("text/event-stream", [EVENTS[0], event.encode()]))
    assert client.body.decode().count("é") == 8


def test_malformed_json_is_half_of_it_and_as_long_as_its_head_says():
    client = asked(
        Fault(malformed=True), app("application/json", [b'{"text":"hello"}'], length=True)
    )
    assert (client.body, client.ended) == (b'{"text":', True)
    assert "content-length" not in client.headers


def test_malformed_sound_has_every_bit_flipped():
    client = asked(Fault(malformed=True), app("audio/wav", [b"RIFF\x00\xff"]))
    assert client.body == bytes(255 - byte for byte in b"RIFF\x00\xff")


def test_a_slow_answer_is_the_same_answer():
    answering = app("audio/mpeg", [b"abc", b"def"])
    client = asked(Fault(delay_s=0.01, pause_s=0.01), answering)
    assert (client.status, client.body, client.ended) == (200, b"abcdef", True)


@pytest.mark.parametrize("fault", [Fault(delay_s=3000.0), Fault(pause_s=3000.0)])
def test_nothing_waits_for_a_client_that_has_left(fault):
    client = asked(fault, app("audio/mpeg", [b"abc"]), Client(leaves_after_s=0.01))
    assert client.body == b""


def test_the_header_has_every_field():
    written = (
        "status=503; retry_after=1.5; should_retry=false; delay_s=2; pause_s=0.5, "
        "cut_after_bytes=10; malformed; message=Not now"
    )
    assert read_header(written) == Fault(
        status=503,
        message="Not now",
        retry_after=1.5,
        should_retry=False,
        delay_s=2.0,
        pause_s=0.5,
        cut_after_bytes=10,
        malformed=True,
    )


@pytest.mark.parametrize(
    ("written", "param"),
    [
        ("status=200", "status"),
        ("status=teapot", "status"),
        ("status", "status"),
        ("delay_s=-1", "delay_s"),
        ("delay_s=inf", "delay_s"),
        ("cut_after_bytes=-1", "cut_after_bytes"),
        ("fire=1", "fire"),
        ("message=hello", None),
        ("retry_after=1", None),
    ],
)
def test_a_header_that_is_no_fault_is_refused_by_name(written, param):
    with pytest.raises(BadRequest) as caught:
        read_header(written)
    assert caught.value.param == param


@pytest.mark.parametrize("fields", [[], None, "status=429", 1, {}])
def test_what_is_no_object_of_fields_is_no_fault(fields):
    with pytest.raises(BadRequest):
        checked(Fault, fields)
