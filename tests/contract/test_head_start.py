"""A large upload is transcribed while it arrives, and nothing about the answer tells."""

import sys
from contextlib import closing

import pytest
from tests.contract.test_liveness import PATH, begin, ended

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@pytest.fixture(scope="module")
def talk(monologue):
    """Four minutes of it: 4 MB, of which half is enough to begin with."""
    return monologue[:4_000_000]


def worked_on(server):
    return server.eventually(lambda: server.decoders()[1], "a file is decoded")


def idle(server):
    server.eventually(lambda: not server.decoders()[1], "the decoders have ended")


def file_first(server, audio, **fields):
    """The same form with its file in front, which nothing can be begun with."""
    parts = [("file", audio, "speech.wav", "audio/wav"), ("model", "whisper-1"), *fields.items()]
    return server.send("POST", PATH, server.multipart(parts), server.form_headers)


def finish(connection, rest):
    with closing(connection):
        connection.send(rest)
        response = connection.getresponse()
        assert response.status == 200
        return response.read()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"response_format": "verbose_json"},
        {"stream": "true"},
        {"response_format": "diarized_json"},
        {"response_format": "diarized_json", "stream": "true"},
    ],
)
def test_work_begins_before_the_upload_ends_and_comes_to_the_same(fake_server, talk, fields):
    body = fake_server.form(talk, fields)
    half = len(body) // 2
    connection = begin(fake_server, body, 0.5)
    worked_on(fake_server)
    assert finish(connection, body[half:]) == file_first(fake_server, talk, **fields).body


def test_fields_behind_the_file_count_as_those_in_front_of_it(fake_server, talk):
    chunking = ("chunking_strategy[type]", "server_vad"), ("response_format", "verbose_json")
    body = fake_server.multipart(
        [("model", "whisper-1"), ("file", talk, "speech.wav", "audio/wav"), *chunking]
    )
    connection = begin(fake_server, body, 0.5)
    worked_on(fake_server)
    answer = finish(connection, body[len(body) // 2 :])
    assert answer == file_first(fake_server, talk, **dict(chunking)).body


def test_a_client_that_leaves_during_its_upload_ends_what_was_begun(fake_server, talk):
    before = ended(fake_server)
    connection = begin(fake_server, fake_server.form(talk), 0.5)
    worked_on(fake_server)
    connection.close()
    fake_server.eventually(lambda: ended(fake_server) > before, "the end of the request")
    idle(fake_server)


def test_an_upload_that_turns_out_too_large_ends_what_was_begun(launch, talk):
    server = launch("small", "--stt", "fake", "--tts", "fake", "--max-upload-bytes", "3000000")
    head, tail = server.form(b"<audio>").split(b"<audio>")

    def body():
        yield head
        for at in range(0, len(talk), 1_000_000):
            yield talk[at : at + 1_000_000]
            if at == 1_000_000:
                worked_on(server)
        yield tail

    server.send("POST", PATH, body(), server.form_headers).refused(413, "server_error")
    idle(server)


def test_an_upload_that_is_no_audio_is_refused_when_it_has_been_read(fake_server):
    fake_server.transcribe(bytes(3_000_000)).refused(param="file")


def test_more_slow_uploads_than_are_worked_on_at_once_all_come_through(fake_server, talk):
    body = fake_server.form(talk)
    half = len(body) // 2
    connections = [begin(fake_server, body, 0.5) for _ in range(7)]
    worked_on(fake_server)
    answers = {finish(connection, body[half:]) for connection in connections}
    assert answers == {file_first(fake_server, talk).body}
