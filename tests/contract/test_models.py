"""What the server says that it has: models, voices, health."""

import pytest

SLASHED = "Systran/faster-whisper-base"


def ids(reply):
    return [entry["id"] for entry in reply.json()["data"]]


def test_models_are_listed_in_openais_shape(fake_server):  # [91]
    content = fake_server.get("/v1/models").json()
    assert (set(content), content["object"]) == ({"object", "data"}, "list")
    for entry in content["data"]:
        assert {name: type(value) for name, value in entry.items()} == {
            "id": str,
            "object": str,
            "created": int,
            "owned_by": str,
        }
        assert entry["object"] == "model"


def test_the_names_that_clients_hard_code_are_listed_once(fake_server):
    listed = ids(fake_server.get("/v1/models"))
    assert len(listed) == len(set(listed))
    assert {"whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"} <= {
        *listed
    }
    assert {"tts-1", "tts-1-hd", "gpt-4o-mini-tts"} <= {*listed}


@pytest.mark.parametrize("name", ["whisper-1", "tts-1", "fake"])
def test_a_model_is_found_by_each_of_its_names(fake_server, name):
    assert fake_server.get(f"/v1/models/{name}").json()["id"] == name


@pytest.mark.models
def test_a_slash_in_a_name_may_be_encoded_or_not(server):  # [92]
    slashed = [name for name in ids(server.get("/v1/models")) if "/" in name]
    assert SLASHED in slashed
    plain, encoded = (server.get(f"/v1/models/Systran{s}faster-whisper-base") for s in ("/", "%2F"))
    assert plain.json() == encoded.json()
    assert plain.json()["id"] == SLASHED


@pytest.mark.parametrize("name", ["nope", "org/nope", "org%2Fnope", "%F0%9F%A6%9C", "%ff"])  # [93]
def test_an_unknown_model_is_not_found(fake_server, name):
    fake_server.get(f"/v1/models/{name}").refused(404, code="model_not_found")


def test_models_cannot_be_deleted(fake_server):
    fake_server.send("DELETE", "/v1/models/whisper-1").refused(405)
    fake_server.send("DELETE", "/v1/models/nope").refused(404, code="model_not_found")


def test_voices_are_objects_and_openais_thirteen_are_among_them(fake_server):  # [94]
    content = fake_server.get("/v1/audio/voices").json()
    assert set(content) == {"voices"}
    assert all(voice["id"] and voice["name"] for voice in content["voices"])
    assert {voice["language"] for voice in content["voices"]} == {"en-US"}
    assert {voice["engine"] for voice in content["voices"]} == {"fake"}
    assert {voice["sample"] for voice in content["voices"]} == {
        "The birds are singing in the garden."
    }
    openai = [
        "alloy",
        "ash",
        "ballad",
        "cedar",
        "coral",
        "echo",
        "fable",
        "marin",
        "nova",
        "onyx",
        "sage",
        "shimmer",
        "verse",
    ]
    assert set(openai) <= {voice["id"] for voice in content["voices"]}


@pytest.mark.models
def test_the_engines_own_voices_are_listed_and_can_be_asked_for(server):
    listed = {voice["id"] for voice in server.get("/v1/audio/voices").json()["voices"]}
    assert "en_US-joe-medium" in listed
    assert server.speak(voice="en_US-joe-medium", input="Hi.").status == 200


def test_models_as_open_webui_asks_for_them(fake_server):  # [95]
    content = fake_server.get("/v1/audio/models").json()
    assert set(content) == {"models"}
    assert "whisper-1" in {model["id"] for model in content["models"]}


@pytest.mark.parametrize("path", ["/models", "/audio/models", "/audio/voices", "/openai/v1/models"])
def test_they_also_answer_without_v1(fake_server, path):
    assert fake_server.get(path).json()


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/health", "/v1/ready"])
def test_health_and_readiness_are_plain_facts(fake_server, path):
    assert fake_server.get(path).json()["status"] in {"ok", "ready"}


def test_the_version_of_health_is_that_of_the_package(fake_server):
    import myna

    assert fake_server.get("/health").json()["version"] == myna.__version__
