import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest

from myna.api.json_form import read_json_form
from myna.api.spool import Spool
from myna.errors import BadRequest, MynaError, PayloadTooLarge


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


def from_json(body: object, **options):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def run():
        async with await read_json_form(pieces(text, 100), {}, **options) as form:
            found = form.file
            held = found and (found.file.read(), found.filename, found.content_type, found.size)
            return form, held

    return asyncio.run(run())


def test_a_json_body_becomes_the_same_form():
    data = bytes(range(256))
    form, held = from_json(
        {
            "model": "whisper-1",
            "input_audio": {"data": base64.b64encode(data).decode(), "format": "wav"},
            "language": None,
            "temperature": 0.3,
            "stream": False,
            "languages": ["en", None, "de"],
            "chunking_strategy": {"type": "server_vad", "threshold": 0.5},
        }
    )
    assert held == (data, "audio.wav", "audio/wav", 256)
    assert form.text("model") == "whisper-1"
    assert form.text("language") is None
    assert form.number("temperature", 0, 1) == 0.3
    assert form.boolean("stream") is False
    assert form.texts("languages") == ["en", "de"]
    assert form.nested("chunking_strategy") == {"type": "server_vad", "threshold": 0.5}
    assert form.text("input_audio") is None


def test_a_json_body_without_audio_has_no_file():
    form, held = from_json({"model": "m"})
    assert held is None
    assert form.text("model") == "m"


def test_base64_may_be_a_data_url_broken_into_lines_and_without_a_format():
    _, held = from_json({"input_audio": {"data": "data:audio/wav;base64,YW\nJj"}})
    assert held == (b"abc", "audio", "", 3)


@pytest.mark.parametrize(
    "audio", ["YWJj", [], {}, {"data": 5}, {"data": "YWJj", "format": 5}, {"data": "Y"},
              {"data": "YW*j"}, {"data": "é"}],
)  # fmt: skip
def test_audio_that_cannot_be_decoded_is_refused_by_name(audio):
    with pytest.raises(BadRequest) as caught:
        from_json({"input_audio": audio})
    assert caught.value.param == "input_audio"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b"[" * 100_000,
        b'{"temperature": NaN}',
        b'{"model": "\\ud800"}',
        b'{"x": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(BadRequest, match="JSON"):
        from_json(body)


def test_a_json_body_keeps_to_the_limit():
    with pytest.raises(PayloadTooLarge):
        from_json({"x": "y" * 1000}, limit_bytes=1000)


def test_a_json_upload_that_cannot_be_stored_is_the_servers_fault(tmp_path):
    with pytest.raises(MynaError, match="could not be stored"):
        from_json({"input_audio": {"data": "YWJj"}}, spool=Spool(tmp_path / "absent"))
