"""Request ids, timings and the log, over hand-made requests."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from myna.api.responses import failure
from myna.errors import AudioTooShort, BadRequest, ClientGone, Overloaded
from myna.telemetry.access import Access, Telemetry
from myna.telemetry.record import ROUTES, route_of

SECRET = "sk-secret"


def request(path: str = "/v1/audio/speech", kind: str = "http") -> Scope:
    return {
        "type": kind,
        "method": "POST",
        "path": path,
        "query_string": f"key={SECRET}".encode(),
        "headers": [(b"authorization", f"Bearer {SECRET}".encode())],
    }


def answer(app: ASGIApp, scope: Scope, telemetry: Telemetry | None = None) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": SECRET.encode(), "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Access(app, telemetry or Telemetry())(scope, receive, send))
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
        seen.append(scope["state"]["record"].id)
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


def test_what_is_no_request_is_passed_on_untouched(log):
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope))

    assert answer(app, request(kind="lifespan")) == []
    assert seen == [request(kind="lifespan")]
    assert log.records == []


def socket() -> Scope:
    scope = request("/v1/realtime", kind="websocket")
    del scope["method"]
    return scope


def test_a_session_is_a_request_that_is_named_counted_and_logged_at_its_end(log):
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        scope["state"]["record"].audio(2.5)

    telemetry = Telemetry()
    sent = answer(app, socket(), telemetry)
    assert re.fullmatch(r"req_[0-9a-f]{32}", headers(sent)["x-request-id"])
    assert sample(telemetry, "myna_requests_total", route="realtime", status="101") == 1
    assert sample(telemetry, "myna_audio_seconds_total", route="realtime") == 2.5
    assert sample(telemetry, "myna_requests_in_progress", route="realtime") == 0
    assert not sample(telemetry, "myna_cancellations_total", route="realtime")
    assert "GET /v1/realtime 101" in log.text


def test_a_handshake_that_is_refused_has_its_status_and_its_reason():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await failure(Overloaded("full"))(scope, receive, send)

    telemetry = Telemetry()
    assert headers(answer(app, socket(), telemetry))["x-request-id"]
    assert sample(telemetry, "myna_requests_total", route="realtime", status="503") == 1
    assert sample(telemetry, "myna_rejections_total", route="realtime", reason="overload") == 1


@pytest.mark.parametrize("refused", [False, True])
def test_a_client_that_leaves_before_its_handshake_is_answered_is_a_cancellation(log, refused):
    """A server says so when the answer is sent; it is no crash."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if refused:
            await failure(Overloaded("full"))(scope, receive, send)
        await send({"type": "websocket.accept"})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_: Message) -> None:
        raise OSError

    telemetry = Telemetry()
    with pytest.raises(OSError):
        asyncio.run(Access(app, telemetry)(socket(), receive, send))
    assert sample(telemetry, "myna_requests_total", route="realtime", status="499") == 1
    assert sample(telemetry, "myna_cancellations_total", route="realtime") == 1
    assert "crashed" not in log.text


def test_a_socket_where_there_is_none_is_forbidden():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close"})

    telemetry = Telemetry()
    answer(app, socket(), telemetry)
    assert sample(telemetry, "myna_requests_total", route="realtime", status="403") == 1


def sample(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.metrics.registry.get_sample_value(name, labels)


def test_an_answer_says_how_long_each_stage_took():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        record = scope["state"]["record"]
        record.stage("queue", 1.0, 1.25)
        record.stage("decode", 0.0, 0.5)
        record.stage("queue", 2.0, 2.25)
        await hello(scope, receive, send)
        record.stage("encode-out", 3.0, 4.0)  # too late for the head

    found = headers(answer(app, request()))["server-timing"]
    assert re.fullmatch(r"decode;dur=500\.0, queue;dur=500\.0, total;dur=[\d.]+", found)


def test_requests_are_counted_by_route_and_status():
    telemetry = Telemetry()
    for path in ("/v1/audio/speech", "/openai/deployments/x/audio/speech", "/v1/audio/secrets"):
        answer(hello, request(path), telemetry)
    assert sample(telemetry, "myna_requests_total", route="speech", status="201") == 2
    assert sample(telemetry, "myna_requests_total", route="other", status="201") == 1
    assert sample(telemetry, "myna_requests_in_progress", route="speech") == 0
    assert sample(telemetry, "myna_request_seconds_count", route="speech") == 2
    assert sample(telemetry, "myna_first_byte_seconds_count", route="speech") == 2


def test_a_request_in_progress_is_seen():
    telemetry = Telemetry()
    seen: list[float | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(sample(telemetry, "myna_requests_in_progress", route="speech"))

    answer(app, request(), telemetry)
    assert seen == [1]


@pytest.mark.parametrize(
    ("error", "metric", "label"),
    [
        (BadRequest("no"), "myna_errors_total", {"code": "invalid_request_error"}),
        (AudioTooShort(), "myna_errors_total", {"code": "audio_too_short"}),
        (Overloaded("full"), "myna_rejections_total", {"reason": "overload"}),
        (ClientGone("gone"), "myna_cancellations_total", {}),
    ],
)
def test_failures_are_counted_by_their_kind_and_once(error, metric, label):
    telemetry = Telemetry()
    answer(failure(error), request(), telemetry)
    kinds = ("myna_errors_total", "myna_rejections_total", "myna_cancellations_total")
    assert sample(telemetry, metric, route="speech", **label) == 1
    families = [family.samples for family in telemetry.metrics.registry.collect()]
    counted = [one for each in families for one in each if one.name in kinds]
    assert [one.value for one in counted] == [1]


def test_a_stream_that_nobody_hears_to_its_end_is_a_cancellation():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    telemetry = Telemetry()
    answer(app, request(), telemetry)
    assert sample(telemetry, "myna_cancellations_total", route="speech") == 1


def test_an_error_behind_the_head_is_counted_as_one():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["record"].failed("server_error")
        await hello(scope, receive, send)

    telemetry = Telemetry()
    answer(app, request(), telemetry)
    assert sample(telemetry, "myna_errors_total", route="speech", code="server_error") == 1


def test_a_crash_is_counted_as_an_error():
    telemetry = Telemetry()
    answer(crash, request(), telemetry)
    assert sample(telemetry, "myna_errors_total", route="speech", code="server_error") == 1


def test_audio_is_counted_for_the_route_and_for_the_key():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        record = scope["state"]["record"]
        record.key = "alice"
        record.audio(2.0)
        record.audio(1.5)
        await hello(scope, receive, send)

    telemetry = Telemetry()
    answer(app, request(), telemetry)
    assert sample(telemetry, "myna_audio_seconds_total", route="speech") == 3.5
    usage = {"key": "alice", "route": "speech"}
    assert sample(telemetry, "myna_key_audio_seconds_total", **usage) == 3.5
    assert sample(telemetry, "myna_key_requests_total", **usage) == 1
    assert sample(telemetry, "myna_request_real_time_factor_count", route="speech") == 1


def test_stretches_of_stages_are_observed_one_by_one():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(3):
            scope["state"]["record"].stage("generate", 0.0, 2.0)
        await hello(scope, receive, send)

    telemetry = Telemetry()
    answer(app, request(), telemetry)
    assert sample(telemetry, "myna_stage_seconds_count", stage="generate") == 3
    assert sample(telemetry, "myna_stage_seconds_sum", stage="generate") == 6


def test_two_apps_count_apart():
    one, other = Telemetry(), Telemetry()
    answer(hello, request(), one)
    assert sample(other, "myna_requests_total", route="speech", status="201") is None


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/audio/transcriptions", "transcriptions"),
        ("/audio/translations/", "translations"),
        ("/openai/v1/audio/speech", "speech"),
        ("/v1/models/owner/name", "models"),
        ("/v1/speech", "other"),
        ("/", "other"),
        ("", "other"),
        ("/v1/audio/voices", "voices"),
        ("/v1/audio/voice_consents/cons_1", "voices"),
        ("/v1/residents", "models"),
        ("/openai/v1/realtime", "realtime"),
        ("/v1/realtime/client_secrets", "realtime"),
        ("/playground/main.js", "other"),
        ("/v1/testing/faults", "other"),
    ],
)
def test_paths_of_clients_make_no_labels_of_their_own(path, route):
    assert route_of(path) == route
    assert route in ROUTES
