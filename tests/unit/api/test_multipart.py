import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myna.api.forms import Form
from myna.api.multipart import read_form
from myna.api.spool import Spool
from myna.errors import BadRequest, MynaError, PayloadTooLarge

HEADERS = {"content-type": "multipart/form-data; boundary=b0und"}


def part(disposition: str, data: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data{disposition}", *headers])
    return b"--b0und\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


def field(name: str, value: str | bytes) -> bytes:
    return part(f'; name="{name}"', value if isinstance(value, bytes) else value.encode())


def upload(data: bytes, filename: str = "a.wav", name: str = "file") -> bytes:
    return part(f'; name="{name}"; filename="{filename}"', data, "Content-Type: audio/wav")


def closed(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b0und--\r\n"


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


def parsed(*parts: bytes) -> Form:
    """A form without files."""
    return asyncio.run(read_form(pieces(closed(*parts), 100), HEADERS))


def files(body: bytes, *, chunk: int = 1000, headers=HEADERS, **options):
    """What the form's file held: (bytes, filename, content type, size), or None."""

    async def run():
        async with await read_form(pieces(body, chunk), headers, **options) as form:
            found = form.file
            assert found is None or found.fd == found.file.fileno()
            return found and (found.file.read(), found.filename, found.content_type, found.size)

    return asyncio.run(run())


def refused(body: bytes, headers=HEADERS, **options) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        asyncio.run(read_form(pieces(body, 1000), headers, **options))
    return caught.value


def test_fields_and_the_file_are_found_in_any_order():
    fields = field("model", "whisper-1") + field("language", "en")
    for body in (closed(upload(b"abc"), fields), closed(fields, upload(b"abc"))):
        assert files(body) == (b"abc", "a.wav", "audio/wav", 3)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64, 10_000])
def test_the_body_may_be_cut_anywhere(monkeypatch, chunk):
    monkeypatch.setattr("myna.api.body._BLOCK_BYTES", 1)
    data = bytes(range(256)) + b"\r\n--b0un\r\n--b0unD\r\r\n--"
    assert files(closed(upload(data), field("model", "m")), chunk=chunk)[0] == data


def test_a_file_larger_than_the_buffer_is_kept_whole_on_disk(tmp_path):
    data = bytes(range(256)) * 4096
    found = files(closed(upload(data)), chunk=65_536, spool=Spool(tmp_path))
    assert found[0] == data
    assert found[3] == len(data)
    assert list(tmp_path.iterdir()) == []


def test_parsing_and_writing_happen_outside_the_event_loops_thread(monkeypatch):
    import tempfile

    threads = []
    real = tempfile.TemporaryFile
    monkeypatch.setattr(
        tempfile, "TemporaryFile", lambda **k: threads.append(threading.get_ident()) or real(**k)
    )
    files(closed(upload(b"abc")))
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('; name="file"; filename="../../etc/passwd"', "../../etc/passwd"),
        ('; name="file"; filename="größe 你好.wav"', "größe 你好.wav"),
        ('; name="file"; filename="a\x00b.wav"', "a\x00b.wav"),
        ('; name="file"; filename=""', ""),
        ("; name=file; filename=bare.wav", "bare.wav"),
        ('; name="file"; filename="semi;colon.wav"', "semi;colon.wav"),
        ('; name="file"; filename="quo\\"te.wav"', 'quo"te.wav'),
        ("; name=\"file\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.wav", "größe.wav"),
        ('; name="file"; filename="plain.wav"; filename*=UTF-8\'\'x.wav', "plain.wav"),
        ("; name=\"file\"; filename*0*=UTF-8''ab; filename*1*=c.wav", "ab"),
        ('; name="file"; filename*=', ""),
        ('; name="file"', ""),
        ('; name="file[]"; filename="upload"', "upload"),
    ],
)
def test_strange_filenames_are_kept_as_hints(disposition, filename):
    found = files(closed(part(disposition, b"abc")))
    assert found == (b"abc", filename, "", 3)


def test_bytes_of_a_filename_that_are_no_utf8_do_not_break():
    body = closed(upload(b"abc", "x")).replace(b'filename="x"', b'filename="\xff\xfe"')
    assert files(body)[1] == "\ufffd\ufffd"


def test_the_last_of_two_files_counts():
    assert files(closed(upload(b"first"), upload(b"second")))[0] == b"second"


def test_other_files_are_found_by_name():
    async def run():
        body = closed(upload(b"sample", name="audio_sample"))
        async with await read_form(pieces(body, 50), HEADERS) as form:
            assert form.file is None
            return form.upload("audio_sample").file.read()

    assert asyncio.run(run()) == b"sample"


def test_an_empty_form_has_nothing():
    form = parsed()
    assert form.file is None
    assert form.text("model") is None
    assert form.texts("model") == []


def test_what_follows_the_closing_boundary_is_ignored():
    assert files(closed(upload(b"abc")) + b"epilogue")[0] == b"abc"


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "text/plain", "multipart/mixed; boundary=b0und", "multipart"],
)
def test_another_content_type_is_refused_with_the_right_one(content_type):
    error = refused(closed(), {"content-type": content_type})
    assert "multipart/form-data" in error.message


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; charset=utf-8",
        "multipart/form-data; boundary=" + "x" * 10_000,
    ],
)
def test_a_form_without_a_usable_boundary_is_refused(content_type):
    error = refused(closed(field("a", "b")), {"content-type": content_type})
    assert error.message.startswith("Could not parse multipart form")


def test_a_content_type_in_capitals_is_understood():
    headers = {"content-type": 'Multipart/Form-Data; Boundary="b0und"'}
    assert files(closed(upload(b"abc")), headers=headers)[0] == b"abc"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rubbish",
        b"--other\r\n\r\n--other--",
        closed(upload(b"abc"))[:-6],
        upload(b"abc"),
        b"--b0und\r\n",
        b"--b0und\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b0und--",
        b"--b0und\r\n\r\nx\r\n--b0und--",
        b"--b0und\r\nbad header: x\r\n\r\nx\r\n--b0und--",
        b"--b0und\r\nX: " + b"y" * 100_000 + b"\r\n\r\nx\r\n--b0und--",
    ],
)
def test_broken_and_truncated_forms_are_refused_with_a_way_out(body):
    error = refused(body)
    assert error.message.startswith("Could not parse multipart form: ")
    assert "Send the fields" in error.message


def test_a_field_that_is_no_utf8_is_refused_by_name():
    assert refused(closed(field("prompt", b"\xff"))).param == "prompt"
    assert refused(closed(field("x[]", b"\xff"))).param == "x"


def test_too_many_parts_are_refused():
    assert len(parsed(*[field("x", "1")] * 1000).texts("x")) == 1000
    assert "1000 parts" in refused(closed(*[field("x", "1")] * 1001)).message


def test_too_many_files_are_refused():
    assert "8 files" in refused(closed(*[upload(b"x")] * 9)).message


def test_a_field_too_large_is_refused_by_name():
    nearly = field("x", b"a" * 8 * 1024 * 1024)
    assert refused(closed(field("big", b"a" * (8 * 1024 * 1024 + 1)))).param == "big"
    assert refused(closed(nearly, nearly, field("y", "1"))).param == "y"


def test_the_limit_is_for_the_whole_body():
    body = closed(upload(b"x" * 1000))
    assert files(body, limit_bytes=len(body))[3] == 1000
    with pytest.raises(PayloadTooLarge) as caught:
        files(body, limit_bytes=len(body) - 1)
    assert f"({len(body) - 1}) exceeded" in caught.value.message


def test_a_disk_that_cannot_be_written_is_the_servers_fault(tmp_path):
    with pytest.raises(MynaError, match="could not be stored") as caught:
        files(closed(upload(b"abc")), spool=Spool(tmp_path / "absent"))
    assert caught.value.status == 500


@pytest.fixture
def opened(monkeypatch):
    """Every temporary file that was opened."""
    import tempfile

    real, found = tempfile.TemporaryFile, []

    def opening(**options):
        found.append(real(**options))
        return found[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", opening)
    return found


def test_files_are_closed_with_the_form(opened):
    files(closed(upload(b"abc"), upload(b"def"), upload(b"x", name="other")))
    assert len(opened) == 3
    assert all(file.closed for file in opened)


def test_a_form_may_be_closed_twice(opened):
    async def run():
        form = await read_form(pieces(closed(upload(b"abc")), 9), HEADERS)
        assert not opened[0].closed
        await form.close()
        await form.close()

    asyncio.run(run())
    assert opened[0].closed


@pytest.mark.parametrize("rest", [b"", field("x", b"\xff"), b"x" * 400_000])
def test_files_are_closed_when_the_form_is_refused(opened, rest):
    with pytest.raises(MynaError):
        files(upload(b"abc") + rest, limit_bytes=300_000)
    assert [file.closed for file in opened] == [True]


def test_files_are_closed_when_the_request_is_cancelled(opened):
    async def run():
        begun = asyncio.Event()

        async def stalled():
            yield upload(b"x" * 300_000)
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(read_form(stalled(), HEADERS))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert [file.closed for file in opened] == [True]


names = st.text(st.sampled_from("ab[]0é"), max_size=6)
values = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(max_examples=60)
@given(st.lists(st.tuples(names, values), max_size=6), st.binary(max_size=300), st.integers(8, 400))
def test_any_fields_and_file_survive_the_journey(given_fields, data, chunk):
    body = closed(*(field(*item) for item in given_fields), upload(data))
    if b"--b0und" in data:
        return

    async def run():
        async with await read_form(pieces(body, chunk), HEADERS) as form:
            expected = Form(given_fields)
            for name, _ in given_fields:
                if name != "file":
                    assert form.texts(name) == expected.texts(name)
            return form.file.file.read()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("myna.api.body._BLOCK_BYTES", 1)
        assert asyncio.run(run()) == data


@settings(max_examples=60)
@given(st.binary(max_size=200), st.binary(max_size=60), st.integers(1, 300))
def test_any_bytes_are_a_form_or_refused(noise, inserted, chunk):
    valid = closed(field("a", "b"), upload(noise))
    at = len(noise) % len(valid)
    body = valid[:at] + inserted + valid[at + len(inserted) // 2 :]

    async def run():
        async with await read_form(pieces(body, chunk), HEADERS) as form:
            return form

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("myna.api.body._BLOCK_BYTES", 1)
        try:
            form = asyncio.run(run())
        except BadRequest as error:
            assert error.message  # noqa: PT017 - most are refused, none may fail otherwise
        else:
            assert form.text("absent") is None


def arriving(*parts: bytes) -> list[tuple[str | None, str | None, int]]:
    """The forms that were given while the body came: (model, language, bytes of the file)."""
    found: list[tuple[str | None, str | None, int]] = []

    async def seen(form: Form) -> None:
        assert form.file
        found.append((form.text("model"), form.text("language"), form.file.size))

    async def run() -> None:
        body = pieces(closed(*parts), 100_000)
        async with await read_form(body, HEADERS, arriving=seen) as form:
            assert form.text("model") == "m"

    asyncio.run(run())
    return found


def test_a_large_file_is_told_of_once_while_it_arrives_with_the_fields_before_it():
    large = upload(bytes(3_000_000))
    (found,) = arriving(field("model", "m"), large, field("language", "en"))
    assert found[:2] == ("m", None)
    assert 1_000_000 < found[2] < 2_000_000
    (found,) = arriving(large, field("model", "m"))
    assert found[:2] == (None, None)


def test_a_small_file_or_another_one_is_not_told_of():
    assert arriving(field("model", "m"), upload(bytes(500_000))) == []
    assert arriving(field("model", "m"), upload(bytes(3_000_000), name="other")) == []
