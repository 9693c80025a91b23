"""Request ids, timings and the log, over hand-made requests."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.errors import BadRequest
from myna.telemetry import Telemetry, configure_logging

SECRET = "sk-secret"


def request(path: str = "/v1/audio/speech", kind: str = "http") -> Scope:
    return {
        "type": kind,
        "method": "POST",
        "path": path,
        "query_string": f"key={SECRET}".encode(),
        "headers": [(b"authorization", f"Bearer {SECRET}".encode())],
    }


def answer(app: ASGIApp, scope: Scope) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": SECRET.encode(), "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Telemetry(app)(scope, receive, send))
    return sent


def headers(sent: list[Message]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello", 201)(scope, receive, send)


async def crash(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("something inside")


async def crash_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("something inside")


@pytest.fixture
def log(caplog) -> Any:
    caplog.set_level(logging.INFO, "myna.access")
    return caplog


def test_every_answer_has_an_id_and_its_time():
    sent = answer(hello, request())
    found = headers(sent)
    assert re.fullmatch(r"req_[0-9a-f]{32}", found["x-request-id"])
    assert int(found["openai-processing-ms"]) >= 0
    assert found["openai-version"] == "2020-10-01"
    assert sent[0]["status"] == 201
    assert sent[1]["body"] == b"hello"


def test_no_two_requests_have_one_id():
    ids = {headers(answer(hello, request()))["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


def test_the_app_knows_the_id_that_is_sent():
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["state"]["request_id"])
        await hello(scope, receive, send)

    assert [headers(answer(app, request()))["x-request-id"]] == seen


def test_a_crash_before_the_answer_is_an_envelope_that_tells_nothing_of_the_inside(log):
    sent = answer(crash, request())
    assert sent[0]["status"] == 500
    error = json.loads(sent[1]["body"])["error"]
    assert (error["type"], error["param"], error["code"]) == ("server_error", None, None)
    assert "something inside" not in error["message"]
    found = headers(sent)
    assert found["x-should-retry"] == "false"
    assert found["x-request-id"] in log.text
    assert "something inside" in log.text  # for whoever runs the server


def test_a_crash_in_the_middle_of_an_answer_breaks_it_off(log):
    with pytest.raises(RuntimeError, match="something inside"):
        answer(crash_midway, request())
    assert "crashed" in log.text


def test_our_own_failures_that_nobody_caught_are_a_crash_as_well():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise BadRequest("not caught")

    assert answer(app, request())[0]["status"] == 500


def test_a_request_is_one_line_with_its_status(log):
    answer(hello, request())
    (record,) = log.records
    line = record.getMessage()
    assert re.fullmatch(r"req_[0-9a-f]{32} POST /v1/audio/speech 201 \d+ ms", line)


def test_a_path_cannot_forge_a_line_of_the_log(log):
    answer(hello, request("/v1\n12:00:00 INFO    req_0 GET /v1/models 200 1 ms\r\x1b[31m"))
    line = log.records[0].getMessage()
    assert all(char.isprintable() for char in line)


def test_keys_query_and_body_are_not_logged(log):
    answer(hello, request())
    answer(crash, request())
    assert SECRET not in log.text


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_what_is_no_request_is_passed_on_untouched(kind, log):
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope))

    scope = request(kind=kind)
    assert answer(app, scope) == []
    assert seen == [request(kind=kind)]
    assert log.records == []


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("myna")
    kept = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], level, own = kept
    root.setLevel(level)
    ours.setLevel(own)


def test_the_log_is_one_line_an_event_on_standard_error(logging_restored, capsys):
    configure_logging("info")
    logging.getLogger("myna.access").info("a request")
    logging.getLogger("myna.access").debug("too much")
    logging.getLogger("somebody").info("else")
    logging.getLogger("somebody").warning("matters")
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines] == [
        "INFO    a request",
        "WARNING matters",
    ]


def test_configuring_the_log_twice_does_not_double_it(logging_restored, capsys):
    configure_logging("info")
    configure_logging("error")
    logging.getLogger("myna").error("once")
    logging.getLogger("myna").info("not at all")
    assert capsys.readouterr().err.count("\n") == 1
