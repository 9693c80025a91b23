"""Base URLs as people type them, put before what a client appends."""

import pytest

PHRASE = "The myna repeats what it hears."


@pytest.mark.parametrize("base", ["/v1/", "/v1//", "/", "//v1", "/openai/v1/"])
def test_a_slash_at_the_end_of_the_base_url_does_no_harm(fake_server, base):
    body = fake_server.speech_body(input=PHRASE)
    assert fake_server.post_json(f"{base}/audio/speech", body).status == 200
    assert fake_server.get(f"{base}/models").json()["data"]


def test_a_doubled_slash_does_not_open_what_wants_a_key(keyed_server):
    keyed_server.send("POST", "/v1//audio/speech", b"").refused(401)
    keyed_server.get("//metrics").refused(401)
    assert keyed_server.get("/v1//audio/voices").json()


def test_elsewhere_a_doubled_slash_is_another_path(fake_server):
    reply = fake_server.post_json("/v1/audio//speech", fake_server.speech_body())
    reply.refused(404, code=None)


def test_strict_mode_takes_a_path_to_the_letter(strict_server):
    reply = strict_server.post_json("/v1//audio/speech", strict_server.speech_body())
    message = reply.refused(404, code=None)["message"]
    assert message == "Invalid URL (POST /v1//audio/speech)"
