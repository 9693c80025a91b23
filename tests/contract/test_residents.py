"""Models are loaded when they are asked for, and by hand with the admin key."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
from websockets.sync.client import connect

WEIGHTS = Path(__file__).parents[2] / "models" / "weights"

PHRASE = "The myna repeats what it hears."
BY_HAND = {"input": {"turn_detection": None}}
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
ADMIN, USER = "sk-admin-00112233445566", "sk-user-001122334455667"


@pytest.fixture(scope="module")
def lazy_server(launch):
    """Nothing is loaded at the start; an admin key, and a user's."""
    flags = ("--stt", "fake", "--tts", "fake", "--preload", "none")
    env = {"MYNA_API_KEYS": f"user:{USER}", "MYNA_ADMIN_KEY": ADMIN}
    return launch("lazy", *flags, env=env, secrets=(ADMIN, USER))


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def residents(server, key=USER):
    """All that it has, by id."""
    return {one["id"]: one for one in server.get("/v1/residents", bearer(key)).json()["data"]}


def states(server):
    listed = server.get("/v1/residents", bearer(USER)).json()["data"]
    return {one["task"]: one["state"] for one in listed if one["served"]}


def test_a_cold_model_is_loaded_for_all_who_ask_for_it_and_unloaded_by_hand(lazy_server, phrase):
    assert set(states(lazy_server)) == {"transcription", "speech"}
    lazy_server.send("DELETE", "/v1/models/fake", None, bearer(ADMIN))
    assert states(lazy_server)["transcription"] == "cold"
    body = lazy_server.form(phrase)
    head = {**lazy_server.form_headers, **bearer(USER)}

    def transcribe(_):
        return lazy_server.send("POST", "/v1/audio/transcriptions", body, head).json()["text"]

    before = loads(lazy_server)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(transcribe, range(8))) == {PHRASE}
    assert states(lazy_server)["transcription"] == "loaded"
    assert loads(lazy_server) == before + 1


def loads(server):
    """How often a model has been loaded."""
    counted = re.compile(r'^myna_model_load_seconds_count{model="fake"} (\S+)$', re.MULTILINE)
    found = counted.search(server.get("/metrics", bearer(USER)).text)
    return float(found[1]) if found else 0.0


def test_a_model_is_loaded_by_hand_and_the_sdk_can_delete_it(lazy_server):
    reply = lazy_server.send("POST", "/v1/models/whisper-1", None, bearer(ADMIN))
    assert (reply.json()["id"], reply.json()["state"]) == ("fake", "loaded")
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


def heard(socket, audio):
    """What a session writes down of 24 kHz audio that is committed."""
    for kind, members in (
        ("session.update", {"session": {"type": "transcription", "audio": BY_HAND}}),
        ("input_audio_buffer.append", {"audio": base64.b64encode(audio).decode()}),
        ("input_audio_buffer.commit", {}),
    ):
        socket.send(json.dumps({"type": kind} | members))
    while (event := json.loads(socket.recv(timeout=240)))["type"] != TRANSCRIBED:
        assert event["type"] != "error", event
    return event["transcript"]


def test_a_session_loads_its_model_and_keeps_it_until_it_ends(lazy_server, fake_server):
    said = fake_server.speak(input=PHRASE, response_format="pcm").body
    lazy_server.send("DELETE", "/v1/models/fake", None, bearer(ADMIN))
    address = f"ws://127.0.0.1:{lazy_server.port}/v1/realtime?intent=transcription"
    patient = {"open_timeout": 240, "ping_timeout": 240}
    with connect(address, additional_headers=bearer(USER), **patient) as socket:
        assert states(lazy_server)["transcription"] == "loaded"
        error = lazy_server.send("DELETE", "/v1/models/fake", None, bearer(ADMIN)).refused(409)
        assert "in use" in error["message"]
        assert heard(socket, said) == PHRASE
    lazy_server.eventually(lambda: requests_of(lazy_server) == 0, "the session ends")
    assert lazy_server.send("DELETE", "/v1/models/fake", None, bearer(ADMIN)).status == 200
    counted = 'myna_key_requests_total{key="user",route="realtime"} 1.0'
    lazy_server.eventually(  # just behind its end
        lambda: counted in lazy_server.get("/metrics", bearer(USER)).text, "it is counted"
    )
    text = lazy_server.get("/metrics", bearer(USER)).text
    assert re.search(r'myna_key_audio_seconds_total{key="user",route="realtime"} [1-9]', text)


def requests_of(server):
    listed = server.get("/v1/residents", bearer(USER)).json()["data"]
    return sum(one["requests"] for one in listed)


def test_a_secret_is_made_though_the_model_is_cold(lazy_server):
    lazy_server.send("DELETE", "/v1/models/fake", None, bearer(ADMIN))
    reply = lazy_server.post_json("/v1/realtime/client_secrets", {}, bearer(USER))
    assert reply.json()["value"].startswith("ek_")
    assert requests_of(lazy_server) == 0


def test_a_custom_voice_is_made_and_spoken_by_a_model_that_is_cold(launch, phrase):
    server = launch("mute", "--stt", "none", "--tts", "fake", "--preload", "none")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-none", max_retries=0) as sdk:
        consent = sdk.audio.voice_consents.create(
            name="Ann agrees", language="en-US", recording=("agreed.wav", phrase)
        )
        assert server.get("/v1/residents").json()["data"][0]["state"] == "cold"
        voice = sdk.audio.voices.create(
            name="Ann", consent=consent.id, audio_sample=("ann.wav", phrase)
        )
        listed = server.get("/v1/audio/voices").json()["voices"]
        assert {"id": voice.id, "engine": "fake"}.items() <= listed[-1].items()
        assert server.speak(voice={"id": voice.id}).status == 200


def test_a_request_counts_as_one_use_of_its_model(lazy_server):
    """Also where the model has to be loaded before it is known what voices it has."""
    lazy_server.send("DELETE", "/v1/models/tts-1", None, bearer(ADMIN))
    content = lazy_server.speech_body(input=PHRASE * 100, response_format="wav", speed=0.25)
    head = {"Content-Type": "application/json", **bearer(USER)}
    with lazy_server.asking("POST", "/v1/audio/speech", json.dumps(content), head) as response:
        response.read(100)  # the rest, 44 MB, does not fit into the buffers between the two
        assert requests_of(lazy_server) == 1
        error = lazy_server.send("DELETE", "/v1/models/tts-1", None, bearer(ADMIN)).refused(409)
        assert "1 requests" in error["message"]
    lazy_server.eventually(lambda: requests_of(lazy_server) == 0, "it ends")


def names(server):
    return {one["id"] for one in server.get("/v1/models", bearer(USER)).json()["data"]}


def test_a_model_that_nobody_named_is_called_up_by_the_admin_key_and_dismissed(launch, phrase):
    flags = ("--stt", "fake", "--tts", "fake", "--strict", "--preload", "none")
    env = {"MYNA_API_KEYS": f"user:{USER}", "MYNA_ADMIN_KEY": ADMIN}
    server = launch("reserve", *flags, env=env, secrets=(ADMIN, USER))
    card, route = "whisper-tiny.en", "/v1/models/whisper-tiny.en"
    body = server.form(phrase, {"model": card})
    head = {**server.form_headers, **bearer(USER)}

    def transcribe():
        return server.send("POST", "/v1/audio/transcriptions", body, head)

    assert (residents(server)[card]["served"], card in names(server)) == (False, False)
    transcribe().refused(404, code="model_not_found")
    server.send("POST", route, None, bearer(USER)).refused(403)

    def call_up(_):
        return server.send("POST", f"{route}?pinned=true", None, bearer(ADMIN)).json()

    with ThreadPoolExecutor(3) as threads:
        called = list(threads.map(call_up, range(3)))
    assert {(one["state"], one["served"], one["pinned"]) for one in called} == {
        ("loaded", True, True)
    }
    text = server.get("/metrics", bearer(USER)).text
    assert f'myna_model_load_seconds_count{{model="{card}"}} 1.0' in text
    assert f'myna_model_loaded{{model="{card}",task="transcription"}} 1.0' in text
    assert {card, "tiny.en"} <= names(server)
    assert transcribe().status == 200
    assert server.send("DELETE", route, None, bearer(ADMIN)).json()["served"] is False
    assert card not in names(server)
    transcribe().refused(404, code="model_not_found")


@pytest.mark.parametrize(
    "name", ["nope", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "../x", "%00"]
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_cards_are_found_whatever_the_path_says(lazy_server, method, name):
    error = lazy_server.send(method, f"/v1/models/{name}", None, bearer(ADMIN)).refused(404)
    assert error["code"] == "model_not_found"


def test_a_model_without_its_weights_is_a_conflict_that_says_how_to_fetch_them(launch, tmp_path):
    flags = ("--stt", "fake", "--tts", "none", "--weights-dir", str(tmp_path))
    server = launch("bare", *flags, env={"MYNA_ADMIN_KEY": ADMIN}, secrets=(ADMIN,))
    reply = server.send("POST", "/v1/models/kokoro-v1.0", None, bearer(ADMIN))
    assert "`myna pull kokoro-v1.0`" in reply.refused(409)["message"]
    assert residents(server, ADMIN)["kokoro-v1.0"]["state"] == "cold"
    text = server.get("/metrics", bearer(ADMIN)).text
    assert 'myna_model_load_failures_total{model="kokoro-v1.0"} 1.0' in text
    error = server.send("POST", "/v1/models/fake?pinned=yes", None, bearer(ADMIN)).refused()
    assert error["param"] == "pinned"


def test_on_demand_a_request_loads_any_model_whose_files_are_here(launch):
    card = "piper-en_US-joe-medium"
    # Its files are checked, so it is the voice with its noise.
    flags = ("--tts", "fake", "--on-demand", "present", "--weights-dir", str(WEIGHTS))
    server = launch("present", "--stt", "none", *flags)
    listed = {one["id"]: one for one in server.get("/v1/residents").json()["data"]}
    assert (listed["fake"]["state"], listed[card]["state"]) == ("loaded", "cold")
    assert listed[card]["served"]
    assert server.speak(model=card, response_format="wav").status == 200
    listed = {one["id"]: one for one in server.get("/v1/residents").json()["data"]}
    assert listed[card]["state"] == "loaded"


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
