"""What is in line for requests and uploads, and what is noted of them."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from myna.api.faults import HEADER
from myna.api.forms import Form, stored
from myna.api.rehearsal import FaultInLine, Rehearsal, Rehearsed
from myna.api.spool import Spool

SPEECH = "/v1/audio/speech"
FORMS = "/v1/audio/transcriptions"


@pytest.fixture
def rehearsal() -> Rehearsal:
    return Rehearsal(lambda text: f"sound of {text}".encode())


def statuses(rehearsal: Rehearsal, *paths: str) -> list[int | None]:
    """Of the faults that requests to `paths` meet one after the other."""
    met = [rehearsal.next_fault(path) for path in paths]
    return [fault.status if fault else None for fault in met]


def test_faults_meet_requests_in_the_order_in_which_they_were_put_in_line(rehearsal):
    rehearsal.faults += [FaultInLine(status=429, times=2), FaultInLine(status=500)]
    assert statuses(rehearsal, SPEECH, SPEECH, SPEECH, SPEECH) == [429, 429, 500, None]
    assert rehearsal.faults == []


def test_a_fault_waits_for_its_own_path(rehearsal):
    rehearsal.faults += [FaultInLine(status=429, path=SPEECH), FaultInLine(status=500)]
    assert statuses(rehearsal, FORMS, SPEECH, FORMS) == [500, 429, None]


@pytest.mark.parametrize("path", ["/audio/speech", SPEECH, "/openai/v1/audio/speech"])
def test_a_path_without_its_prefix_means_all_the_places_where_a_route_answers(rehearsal, path):
    rehearsal.faults.append(FaultInLine(status=429, path="/audio/speech"))
    assert statuses(rehearsal, path) == [429]


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/models", "/metrics"])
def test_a_fault_without_a_path_spares_what_is_no_audio(rehearsal, path):
    rehearsal.faults.append(FaultInLine(status=500))
    assert statuses(rehearsal, path, SPEECH) == [None, 500]


def test_what_is_met_is_forgotten_only_by_a_reset(rehearsal):
    rehearsal.faults.append(FaultInLine(status=500, times=3))
    rehearsal.scripts.add("everything", filename=None, sha256=None)
    assert statuses(rehearsal, SPEECH) == [500]
    assert rehearsal.faults == [FaultInLine(status=500, times=2)]
    rehearsal.reset()
    assert (rehearsal.faults, rehearsal.scripts.otherwise) == ([], None)


def rewritten(rehearsal: Rehearsal, data: bytes, filename: str) -> tuple[bytes, int]:
    """What an upload becomes, and the bytes that the spool then holds."""
    spool = Spool()

    async def upload() -> tuple[bytes, int]:
        async with Form(uploads={"file": stored(spool, data, filename, "audio/mpeg")}) as form:
            await rehearsal.rewrite(form, spool)
            file = form.file
            assert file is not None
            assert (file.filename, file.content_type) == (filename, "audio/mpeg")
            return file.file.read(), spool.held_bytes

    found = asyncio.run(upload())
    assert spool.held_bytes == 0
    return found


def test_an_upload_is_known_by_its_bytes_then_by_its_name_then_at_all(rehearsal):
    digest = hashlib.sha256(b"bytes").hexdigest().upper()
    rehearsal.scripts.add("by bytes", filename=None, sha256=digest)
    rehearsal.scripts.add("by name", filename="a.mp3", sha256=None)
    assert rewritten(rehearsal, b"bytes", "a.mp3") == (b"sound of by bytes", 17)
    assert rewritten(rehearsal, b"other", "a.mp3") == (b"sound of by name", 16)
    assert rewritten(rehearsal, b"other", "folder/a.mp3") == (b"sound of by name", 16)
    assert rewritten(rehearsal, b"other", "b.mp3") == (b"other", 5)
    rehearsal.scripts.add("else", filename=None, sha256=None)
    assert rewritten(rehearsal, b"other", "b.mp3") == (b"sound of else", 13)


def test_a_form_without_a_file_is_left_alone(rehearsal):
    rehearsal.scripts.add("else", filename=None, sha256=None)

    async def form() -> None:
        async with Form([("model", "whisper-1")]) as form:
            await rehearsal.rewrite(form, Spool())
            assert form.file is None

    asyncio.run(form())


def test_a_real_engine_hears_what_was_sent():
    rehearsal = Rehearsal(None)
    rehearsal.scripts.add("else", filename=None, sha256=None)
    assert not rehearsal.scriptable
    assert rewritten(rehearsal, b"bytes", "a.mp3") == (b"bytes", 5)


def answered(rehearsal: Rehearsal, path: str = SPEECH, **headers: str) -> list[dict]:
    """Messages of an answer that comes through the middleware."""
    got: list[dict] = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        got.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": raw}
    asyncio.run(Rehearsed(app, rehearsal)(scope, receive, send))
    return got


def test_a_request_is_noted_with_its_answer_and_without_its_key(rehearsal):
    answered(rehearsal, authorization="Bearer sk-1", api_key="sk-1", cookie="sk-1", x_team="red")
    (seen,) = rehearsal.seen
    assert (seen.method, seen.path, seen.status, seen.faulty) == ("POST", SPEECH, 204, False)
    assert seen.headers == {"x-team": "red"}


def test_a_request_that_met_a_fault_is_noted_as_such(rehearsal):
    rehearsal.faults.append(FaultInLine(status=503))
    answered(rehearsal)
    (seen,) = rehearsal.seen
    assert (seen.status, seen.faulty) == (503, True)


def test_a_header_is_a_fault_of_its_own_and_leaves_the_line_alone(rehearsal):
    rehearsal.faults.append(FaultInLine(status=503))
    assert answered(rehearsal, **{HEADER: "status=429"})[0]["status"] == 429
    assert len(rehearsal.faults) == 1


def test_a_header_that_is_no_fault_is_the_clients_mistake(rehearsal):
    assert answered(rehearsal, **{HEADER: "fire"})[0]["status"] == 400


def test_arranging_is_neither_noted_nor_at_fault(rehearsal):
    rehearsal.faults.append(FaultInLine(status=503, path=""))
    assert answered(rehearsal, "/v1/testing/faults")[0]["status"] == 204
    assert not rehearsal.seen
