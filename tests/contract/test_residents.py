"""Models are loaded when they are asked for, and by hand with the admin key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

PHRASE = "The myna repeats what it hears."
ADMIN, USER = "sk-admin-00112233445566", "sk-user-001122334455667"


@pytest.fixture(scope="module")
def lazy_server(launch):
    """Nothing is loaded at the start; an admin key, and a user's."""
    flags = ("--stt", "fake", "--tts", "fake", "--preload", "none")
    env = {"MYNA_API_KEYS": f"user:{USER}", "MYNA_ADMIN_KEY": ADMIN}
    return launch("lazy", *flags, env=env, secrets=(ADMIN, USER))


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def states(server):
    listed = server.get("/v1/residents", bearer(USER)).json()["data"]
    return {one["task"]: one["state"] for one in listed}


def test_a_cold_model_is_loaded_for_all_who_ask_for_it_and_unloaded_by_hand(lazy_server, phrase):
    assert set(states(lazy_server)) == {"transcription", "speech"}
    lazy_server.send("DELETE", "/v1/models/fake", None, bearer(ADMIN))
    assert states(lazy_server)["transcription"] == "cold"
    body = lazy_server.form(phrase)
    head = {**lazy_server.form_headers, **bearer(USER)}

    def transcribe(_):
        return lazy_server.send("POST", "/v1/audio/transcriptions", body, head).json()["text"]

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(transcribe, range(8))) == {PHRASE}
    assert states(lazy_server)["transcription"] == "loaded"


def test_a_model_is_loaded_by_hand_and_the_sdk_can_delete_it(lazy_server):
    reply = lazy_server.send("POST", "/v1/models/whisper-1", None, bearer(ADMIN))
    assert (reply.json()["id"], reply.json()["state"]) == ("fake", "loaded")
    import openai

    with openai.OpenAI(base_url=f"{lazy_server.url}/v1", api_key=ADMIN) as sdk:
        assert sdk.models.delete("whisper-1").deleted is True
    assert states(lazy_server)["transcription"] == "cold"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_the_admin_key_loads_and_unloads(lazy_server, fake_server, method):
    lazy_server.send(method, "/v1/models/fake", None, bearer(USER)).refused(403)
    lazy_server.send(method, "/v1/models/fake").refused(401)
    lazy_server.send(method, "/v1/models/nope", None, bearer(ADMIN)).refused(404)
    error = fake_server.send(method, "/v1/models/whisper-1").refused(405)
    assert "admin_key" in error["message"]


def test_names_and_voices_are_listed_whether_a_model_is_in_memory_or_not(lazy_server):
    lazy_server.send("DELETE", "/v1/models/fake", None, bearer(ADMIN))
    listed = {one["id"] for one in lazy_server.get("/v1/models", bearer(USER)).json()["data"]}
    assert {"whisper-1", "tts-1", "fake"} <= listed
    assert lazy_server.get("/ready").json()["status"] == "ready"


def test_an_idle_model_leaves_by_itself_and_is_counted(launch):
    flags = ("--stt", "none", "--tts", "fake", "--model-ttl-s", "0.5", "--preload", "none")
    server = launch("brief", *flags)
    assert server.speak().status == 200
    server.eventually(
        lambda: (
            'myna_model_unloads_total{model="fake",reason="idle"} 1.0'
            in server.get("/metrics").text
        ),
        "it is unloaded",
    )
    assert server.speak().status == 200
    assert 'myna_model_load_seconds_count{model="fake"} 2.0' in server.get("/metrics").text
