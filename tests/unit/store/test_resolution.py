import pytest

from myna.store.cards import Catalogue
from myna.store.hub import Hub
from myna.store.resolution import UnknownModel, engine_of, resolve
from myna.store.weights import ModelUnavailable, Weights

WHISPER = {"model.bin": b"w", "config.json": b"{}", "vocabulary.json": b"[]", "README.md": b"#"}
PIPER = {"en_GB-alba-medium.onnx": b"o", "en_GB-alba-medium.onnx.json": b"{}"}
ALBA = "en/en_GB/alba/medium"


@pytest.fixture
def catalogue(make_card) -> Catalogue:
    card = make_card({"model.bin": b"w"}, "pypi:p==1/{path}", name="tiny-card")
    return Catalogue([card.model_copy(update={"aliases": ("tiny", "large-v3")})])


@pytest.fixture
def weights(tmp_path, hub_server, packages) -> Weights:
    hub = Hub(endpoint=hub_server.endpoint, cache=tmp_path / "hub-cache")
    return Weights(tmp_path / "weights", hub=hub, clients={"pypi": packages})


@pytest.fixture
def offline(tmp_path, hub_cache) -> Weights:
    return Weights(tmp_path / "weights", hub=Hub(cache=hub_cache.cache), offline=True)


def publish(hub_server, repo: str, files: dict[str, bytes], folder: str = "") -> None:
    for path, data in files.items():
        hub_server.publish(repo, f"{folder}/{path}" if folder else path, data)


def test_a_card_comes_first_under_any_of_its_names(catalogue, weights, packages):
    packages.packages["p"] = {"model.bin": b"w"}
    model = resolve("Large-V3", "transcribe", catalogue, weights)
    assert (model.id, model.engine) == ("tiny-card", "whisper")
    assert model.card is catalogue.find("tiny-card")
    assert (model.folder / "model.bin").read_bytes() == b"w"


@pytest.mark.parametrize(
    ("files", "engine"),
    [
        (["model.bin", "config.json"], "whisper"),
        (["joe.onnx", "joe.onnx.json"], "piper"),
        (["kokoro.onnx", "voices/af_heart.bin"], "kokoro"),
    ],
)
def test_a_folder_tells_its_engine(catalogue, weights, tmp_path, files, engine):
    folder = tmp_path / "mine"
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    model = resolve(str(folder), None, catalogue, weights)
    assert (model.id, model.engine, model.folder, model.card) == ("mine", engine, folder, None)


def test_a_folder_without_a_model_says_what_was_looked_for(catalogue, weights, tmp_path):
    with pytest.raises(UnknownModel, match=r"looked for model\.bin"):
        resolve(str(tmp_path), None, catalogue, weights)


def test_a_folder_without_a_model_does_not_hide_a_size(
    catalogue, weights, hub_server, tmp_path, monkeypatch
):
    (tmp_path / "small").mkdir()
    monkeypatch.chdir(tmp_path)
    publish(hub_server, "Systran/faster-whisper-small", WHISPER)
    assert resolve("small", None, catalogue, weights).engine == "whisper"


def test_files_of_no_engine_are_told_apart():
    assert engine_of(["config.json", "model.safetensors"]) is None
    assert engine_of(["sub/joe.onnx", "sub/joe.onnx.json"]) is None
    assert engine_of(["lonely.onnx"]) is None


@pytest.mark.parametrize("name", ["nothing", "./nowhere", "/no/such/folder", "~/nowhere", ""])
def test_a_name_without_meaning_is_refused_with_what_there_is(catalogue, weights, name):
    with pytest.raises(UnknownModel, match=r"neither a card \(tiny-card\)"):
        resolve(name, None, catalogue, weights)


def test_a_model_for_the_other_task_is_refused_before_it_is_fetched(catalogue, weights, packages):
    with pytest.raises(UnknownModel, match="a whisper model, which cannot speak"):
        resolve("tiny", "speak", catalogue, weights)
    assert packages.fetched == []


def test_a_whisper_size_comes_from_the_hub(catalogue, weights, hub_server):
    publish(hub_server, "mobiuslabsgmbh/faster-whisper-large-v3-turbo", WHISPER)
    model = resolve("large-v3-turbo", "transcribe", catalogue, weights)
    assert (model.id, model.engine, model.card) == ("large-v3-turbo", "whisper", None)
    assert {path.name for path in model.folder.iterdir()} == set(WHISPER) - {"README.md"}


def test_a_piper_voice_comes_from_its_folder_on_the_hub(catalogue, weights, hub_server):
    publish(hub_server, "rhasspy/piper-voices", PIPER, ALBA)
    publish(hub_server, "rhasspy/piper-voices", {"x.onnx": b"", "x.onnx.json": b""}, "en/x")
    model = resolve("en_GB-alba-medium", "speak", catalogue, weights)
    assert (model.id, model.engine) == ("en_GB-alba-medium", "piper")
    assert {path.name for path in model.folder.iterdir()} == set(PIPER)
    assert not any("/en/x/" in request for request in hub_server.requests)


def test_a_hub_id_may_name_revision_and_folder(catalogue, weights, hub_server):
    publish(hub_server, "o/r", WHISPER, "ct2/int8")
    model = resolve("o/r@v2/ct2/int8/", None, catalogue, weights)
    assert (model.engine, model.folder.name) == ("whisper", "int8")
    assert hub_server.requests["GET /api/models/o/r/revision/v2"]


def test_a_copy_in_the_hub_cache_is_used_without_a_question(
    catalogue, weights, hub_server, hub_cache
):
    snapshot = hub_cache("o/r", WHISPER, revision="main")
    assert resolve("o/r", None, catalogue, weights).folder == snapshot
    assert not hub_server.requests


def test_a_download_is_not_repeated(catalogue, weights, hub_server):
    publish(hub_server, "o/r", WHISPER)
    first = resolve("o/r", None, catalogue, weights)
    hub_server.requests.clear()
    assert resolve("o/r", None, catalogue, weights) == first
    assert not hub_server.requests


def test_an_unfinished_copy_in_the_hub_cache_is_completed(catalogue, weights, hub_server):
    publish(hub_server, "o/r", WHISPER)
    folder = resolve("o/r", None, catalogue, weights).folder
    (folder / "vocabulary.json").unlink()
    resolve("o/r", None, catalogue, weights)
    assert (folder / "vocabulary.json").read_bytes() == b"[]"


def test_a_collection_asks_for_the_folder(catalogue, weights, hub_server):
    publish(hub_server, "rhasspy/piper-voices", PIPER, ALBA)
    with pytest.raises(UnknownModel, match="OWNER/REPO/FOLDER names a folder inside"):
        resolve("rhasspy/piper-voices", None, catalogue, weights)


def test_a_repository_that_is_not_there_is_said(catalogue, weights):
    with pytest.raises(ModelUnavailable, match="o/none on the hub: the hub does not give it"):
        resolve("o/none", None, catalogue, weights)


def test_a_hub_out_of_reach_is_said(catalogue, tmp_path):
    hub = Hub(endpoint="http://127.0.0.1:9", cache=tmp_path / "hub-cache")
    weights = Weights(tmp_path / "weights", hub=hub)
    with pytest.raises(ModelUnavailable, match="the hub cannot be reached"):
        resolve("o/r", None, catalogue, weights)


def test_offline_uses_the_hub_cache_only(catalogue, offline, hub_cache, nothing_leaves):
    snapshot = hub_cache(
        "rhasspy/piper-voices", {f"{ALBA}/{path}": b"" for path in PIPER}, revision="main"
    )
    assert resolve("en_GB-alba-medium", "speak", catalogue, offline).folder == snapshot / ALBA
    with pytest.raises(ModelUnavailable, match="offline mode fetches nothing"):
        resolve("o/r", None, catalogue, offline)
