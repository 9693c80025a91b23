"""How failures look on the wire."""

from __future__ import annotations

import pytest

from myna import errors
from myna.errors import (
    AudioTooLong,
    AudioTooShort,
    BadRequest,
    ClientGone,
    EngineFailure,
    ModelNotFound,
    MynaError,
    NotImplementedHere,
    Overloaded,
    PayloadTooLarge,
    Unauthorized,
    UnsupportedAudio,
    envelope,
    headers,
)

EVERY = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MynaError)
]


def made(kind: type[MynaError]) -> MynaError:
    arguments = {
        "AudioTooShort": (),
        "AudioTooLong": (60.0,),
        "DeadlineExceeded": (60.0,),
        "PayloadTooLarge": (100, 200),
        "RateLimited": ("requests", 60.0),
    }.get(kind.__name__, ("words",))
    return kind(*arguments)


@pytest.mark.parametrize("kind", EVERY)
def test_every_failure_has_all_four_keys_and_a_status(kind):
    error = made(kind)
    body = envelope(error)
    assert list(body) == ["error"]
    assert list(body["error"]) == ["message", "type", "param", "code"]
    assert body["error"]["message"] == str(error) != ""
    assert 400 <= error.status < 600


@pytest.mark.parametrize("kind", EVERY)
def test_only_server_errors_say_whether_to_retry(kind):
    found = headers(made(kind))
    if kind.status < 500:
        assert "x-should-retry" not in found
    else:
        assert found["x-should-retry"] == ("true" if kind is Overloaded else "false")


@pytest.mark.parametrize(
    ("seconds", "whole", "milliseconds"),
    [
        (1.0, "1", "1000"),
        (1.01, "2", "1010"),
        (0.2, "1", "200"),
        (0.0, "1", "1"),
        (59.5, "60", "59500"),
    ],
)
def test_retry_times_are_rounded_up_to_whole_seconds(seconds, whole, milliseconds):
    found = headers(Overloaded("busy", retry_after_s=seconds))
    assert found["retry-after"] == whole
    assert found["retry-after-ms"] == milliseconds


def test_without_a_time_there_is_no_retry_header():
    assert headers(BadRequest("no")) == {}


@pytest.mark.parametrize(
    ("error", "status", "kind", "param", "code"),
    [
        (BadRequest("no", param="model"), 400, "invalid_request_error", "model", None),
        (AudioTooShort(), 400, "invalid_request_error", "file", "audio_too_short"),
        (UnsupportedAudio(), 400, "invalid_request_error", "file", None),
        (AudioTooLong(60), 400, "invalid_request_error", "file", "invalid_value"),
        (Unauthorized("no"), 401, "invalid_request_error", None, None),
        (ModelNotFound("m"), 404, "invalid_request_error", None, "model_not_found"),
        (PayloadTooLarge(10, 11), 413, "server_error", None, None),
        (ClientGone("left"), 499, "invalid_request_error", None, None),
        (EngineFailure("broken"), 500, "server_error", None, None),
        (NotImplementedHere("not yet"), 501, "server_error", None, None),
        (Overloaded("busy"), 503, "service_unavailable_error", None, "server_is_overloaded"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, MynaError) else "",
)
def test_failures_are_told_in_openais_words(error, status, kind, param, code):
    body = envelope(error)["error"]
    assert (error.status, body["type"], body["param"], body["code"]) == (status, kind, param, code)


def test_messages_name_what_was_wrong():
    assert "`whisper-9`" in ModelNotFound("whisper-9").message
    assert "(26214400)" in PayloadTooLarge(26_214_400, 26_214_401).message
    assert "0.1 seconds" in AudioTooShort(0.1).message
    assert "max_audio_s" in AudioTooLong(60, 75.5).message
    assert "75.5 seconds is longer than 60" in AudioTooLong(60, 75.5).message
    assert UnsupportedAudio("no audio track").message.endswith("(no audio track)")
    assert "'flac', 'm4a'" in UnsupportedAudio().message
