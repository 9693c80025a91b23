"""Which deployment a request belongs to."""

import pytest

from myna.app import PREFIXES
from myna.cluster.tasks import narrowed, only_one_server, repeatable, task_of, tasks_of
from myna.plan import ModelPlan, PlannedModel
from myna.settings import Settings

BOTH = ("stt", "tts")


@pytest.mark.parametrize("prefix", [prefix.format(deployment="any") for prefix in PREFIXES])
@pytest.mark.parametrize(
    ("path", "task"),
    [
        ("/audio/transcriptions", "stt"),
        ("/audio/translations", "stt"),
        ("/realtime", "stt"),
        ("/realtime/client_secrets", "stt"),
        ("/models", "stt"),
        ("/audio/speech", "tts"),
        ("/audio/voices", "tts"),
        ("/audio/voices/voice_1", "tts"),
        ("/audio/voice_consents", "tts"),
    ],
)
def test_a_path_belongs_to_those_who_can_answer_it(prefix, path, task):
    assert task_of(prefix + path, BOTH) == task


def test_pages_and_unknown_paths_go_to_whoever_there_is():
    assert task_of("/", BOTH) == "stt"
    assert task_of("/v1/audio/transcriptions", ("tts",)) == "tts"
    assert task_of("/v1/audio/speech", ("stt",)) == "stt"


def test_a_task_without_models_has_no_deployment():
    assert tasks_of(Settings(tts="none")) == ("stt",)
    assert tasks_of(Settings(stt="none")) == ("tts",)
    with pytest.raises(ValueError, match="set stt or tts"):
        tasks_of(Settings(stt="none", tts="none"))


def test_a_server_for_tests_is_no_cluster():
    with pytest.raises(ValueError, match="leave --cluster out"):
        tasks_of(Settings(testing=True))


@pytest.mark.parametrize(
    ("method", "path", "may"),
    [
        ("POST", "/v1/audio/speech", True),
        ("POST", "/v1/audio/transcriptions", True),
        ("GET", "/v1/audio/voices", True),
        ("POST", "/v1/audio/voices", False),
        ("DELETE", "/v1/audio/voices/voice_1", False),
        ("POST", "/v1/audio/voice_consents", False),
        ("POST", "/v1/models/whisper-base", False),
    ],
)
def test_only_what_changes_nothing_is_sent_a_second_time(method, path, may):
    assert repeatable(method, path) is may


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/realtime/client_secrets"),
        ("POST", "/realtime/transcription_sessions"),
        ("GET", "/v1/residents"),
        ("POST", "/v1/models/Systran/faster-whisper-base"),
        ("DELETE", "/v1/models/whisper-base"),
    ],
)
def test_what_one_replica_would_keep_for_itself_is_refused(method, path):
    assert "cluster" in only_one_server(method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("GET", "/v1/models/whisper-base"), ("POST", "/v1/audio/speech")],
)
def test_what_every_replica_can_do_is_not(method, path):
    assert only_one_server(method, path) is None


@pytest.fixture
def planned(tmp_path):
    def model(name, *aliases):
        return PlannedModel(name, "fake", tmp_path, aliases)

    return ModelPlan((model("ear"), model("ear-2", "small")), (model("mouth"),), threads=3)


@pytest.mark.parametrize(
    ("preload", "task", "loaded"),
    [
        ("all", "stt", ("ear", "ear-2")),
        ("all", "tts", ("mouth",)),
        ("small,mouth", "stt", ("ear-2",)),
        ("none", "tts", ()),
    ],
)
def test_a_replica_loads_the_models_of_its_task(planned, preload, task, loaded):
    assert narrowed(Settings(preload=preload), planned, task).preload == loaded


def test_a_replica_pins_what_it_has_and_knows_its_threads(planned):
    found = narrowed(Settings(pinned="mouth,small"), planned, "stt")
    assert (found.pinned, found.threads) == (("ear-2",), 3)
