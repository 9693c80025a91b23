"""Models in one file: what goes in comes out, and nothing that is made up does any harm."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from myna.store.bundle import BundleError
from myna.store.cards import Catalogue, parse_card
from myna.store.packing import Packing, pack
from myna.store.unpacking import unpack

FILES = {"model.bin": b"weights" * 1000, "voices/one.bin": b"a voice"}


def toml(name: str, files: dict[str, bytes]) -> str:
    head = (
        f'id = "{name}"\nname = "A model"\ntask = "transcribe"\nengine = "whisper"\n'
        'licence = "MIT"\nlanguages = ["en"]\nsample_rate_hz = 16000\n'
        'sources = ["hf:owner/repo@v1/{path}"]\n'
    )
    return head + "".join(
        f'[[files]]\npath = "{path}"\nbytes = {len(data)}\n'
        f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        for path, data in files.items()
    )


def packing(folder: Path, name: str = "a-model", files: dict[str, bytes] | None = None) -> Packing:
    files = FILES if files is None else files
    for path, data in files.items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_bytes(data)
    text = toml(name, files)
    return Packing(name, folder / name, parse_card(text, name), text)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    pack([packing(tmp_path / "here")], tmp_path / "out.tar")
    return tmp_path / "out.tar"


@pytest.fixture
def there(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "there" / "weights", tmp_path / "there" / "cards"


def members(bundle: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(bundle) as tar:
        return [(one, tar.extractfile(one).read()) for one in tar]


def rewritten(bundle: Path, changed: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(bundle, "w") as tar:
        for member, data in changed:
            tar.addfile(member, io.BytesIO(data) if member.isreg() else None)
    return bundle


def relisted(bundle: Path, change: Any) -> Path:
    """The bundle with its list changed."""
    (member, raw), *rest = members(bundle)
    contents = json.loads(raw)
    change(contents)
    raw = json.dumps(contents).encode()
    member.size = len(raw)
    return rewritten(bundle, [(member, raw), *rest])


def everything(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


@pytest.mark.usefixtures("nothing_leaves")
def test_what_was_packed_is_unpacked_card_and_weights(bundle, there):
    (one,) = unpack(bundle, *there)
    weights, cards = there
    assert (one.id, one.folder, one.card) == ("a-model", weights / "a-model", True)
    assert {path: (one.folder / path).read_bytes() for path in FILES} == FILES
    assert everything(weights) == sorted(f"a-model/{path}" for path in FILES)
    assert Catalogue.load(cards).find("a-model") is not None


def test_the_same_models_make_the_same_bundle(bundle, tmp_path):
    pack([packing(tmp_path / "elsewhere")], tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == bundle.read_bytes()


def test_unpacking_again_changes_nothing_and_mends_what_is_damaged(bundle, there):
    unpack(bundle, *there)
    file = there[0] / "a-model" / "model.bin"
    before = file.stat().st_mtime_ns
    unpack(bundle, *there)
    assert file.stat().st_mtime_ns == before
    file.write_bytes(b"x" * len(FILES["model.bin"]))
    unpack(bundle, *there)
    assert file.read_bytes() == FILES["model.bin"]


def test_a_file_that_was_made_in_place_of_a_hubs_is_as_good(tmp_path, there):
    made = b"made here"
    text = toml("a-model", {"model.bin": FILES["model.bin"]}) + (
        '[files.made]\nnetwork = "campplus"\nsource = "pypi:p==1/w.pt"\n'
        f'bytes = {len(made)}\nsha256 = "{hashlib.sha256(made).hexdigest()}"\n'
    )
    folder = packing(tmp_path / "here", files={"model.bin": made}).folder
    for _ in range(2):
        pack([Packing("a-model", folder, parse_card(text, ""), text)], tmp_path / "out.tar")
        (one,) = unpack(tmp_path / "out.tar", *there)
        assert (one.folder / "model.bin").read_bytes() == made
    (folder / "model.bin").write_bytes(b"neither..")
    with pytest.raises(BundleError, match="not as its card says"):
        pack([Packing("a-model", folder, parse_card(text, ""), text)], tmp_path / "out.tar")


def test_a_model_without_a_card_goes_along_as_a_folder(tmp_path, there):
    folder = packing(tmp_path / "here").folder
    (folder / ".lock").write_text("")
    pack([Packing("owner/a model", folder, None)], tmp_path / "out.tar")
    (one,) = unpack(tmp_path / "out.tar", *there)
    assert (one.folder, one.card) == (there[0] / "owner-a-model", False)
    assert everything(one.folder) == sorted(FILES)
    assert not there[1].exists()


def test_damaged_weights_are_not_packed(tmp_path):
    model = packing(tmp_path / "here")
    (model.folder / "model.bin").write_bytes(b"x" * len(FILES["model.bin"]))
    with pytest.raises(BundleError, match="not as its card says"):
        pack([model], tmp_path / "out.tar")
    assert everything(tmp_path) == sorted(f"here/a-model/{path}" for path in FILES)


def test_a_flipped_bit_is_found_and_its_file_not_placed(bundle, there):
    *front, (member, data) = members(bundle)
    rewritten(bundle, [*front, (member, data[:-1] + bytes([data[-1] ^ 1]))])
    with pytest.raises(BundleError, match="sha256"):
        unpack(bundle, *there)
    assert everything(there[0].parent) == ["weights/a-model/model.bin"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.999])
def test_a_bundle_that_is_cut_short_is_no_model(bundle, there, share):
    with tarfile.open(bundle) as tar:
        last = tar.getmembers()[-1]  # behind it there is only padding
    end = last.offset_data + last.size
    bundle.write_bytes(bundle.read_bytes()[: int(end * share)])
    with pytest.raises(BundleError, match=r"cut short|no bundle"):
        unpack(bundle, *there)
    assert not there[1].exists()


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/evil", "a/../../evil", "./evil", ".evil", "a//evil", ""]
)
def test_no_path_leads_out_of_the_models_folder(bundle, there, path):
    def change(contents: dict[str, Any]) -> None:
        contents["models"][0]["files"][0]["path"] = path

    with pytest.raises(BundleError, match="path"):
        unpack(relisted(bundle, change), *there)


@pytest.mark.parametrize("name", ["..", "../evil", "/evil", "a/b", ".evil", ""])
def test_no_id_is_a_way_out_either(bundle, there, name):
    with pytest.raises(BundleError, match="id"):
        unpack(relisted(bundle, lambda contents: contents["models"][0].update(id=name)), *there)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_plain_file_is_refused(bundle, there, kind, tmp_path):
    changed = members(bundle)
    member, _ = changed[2]
    member.type, member.linkname = kind, str(tmp_path / "secret")
    rewritten(bundle, changed)
    with pytest.raises(BundleError, match="should be"):
        unpack(bundle, *there)
    assert everything(tmp_path / "there") == [] or not there[0].exists()


@pytest.mark.parametrize("place", [1, 2, 4])
def test_a_member_that_the_list_does_not_have_is_refused(bundle, there, place):
    changed = members(bundle)
    extra = tarfile.TarInfo("weights/a-model/extra")
    extra.size = 4
    changed.insert(place, (extra, b"evil"))
    with pytest.raises(BundleError, match="extra"):
        unpack(rewritten(bundle, changed), *there)
    assert "extra" not in str(everything(there[0].parent))


def test_a_card_that_speaks_of_other_files_is_refused(bundle, there):
    def change(contents: dict[str, Any]) -> None:
        contents["models"][0]["files"][0]["sha256"] = "0" * 64

    with pytest.raises(BundleError, match="not those of the list"):
        unpack(relisted(bundle, change), *there)
    assert everything(there[0]) == []


def test_a_card_that_is_here_stays_if_it_means_the_same_files(bundle, there):
    there[1].mkdir(parents=True)
    ours = toml("a-model", FILES).replace("A model", "Our words")
    (there[1] / "a-model.toml").write_text(ours)
    unpack(bundle, *there)
    assert (there[1] / "a-model.toml").read_text() == ours


def test_a_card_that_is_here_and_means_others_is_not_overwritten(bundle, there):
    there[1].mkdir(parents=True)
    ours = toml("a-model", {"model.bin": b"other weights"})
    (there[1] / "a-model.toml").write_text(ours)
    with pytest.raises(BundleError, match="another card"):
        unpack(bundle, *there)
    assert (there[1] / "a-model.toml").read_text() == ours


def test_a_compressed_file_or_any_other_is_no_bundle(tmp_path, there):
    for data in (b"", b"hello", bytes(5000)):
        (tmp_path / "out.tar").write_bytes(data)
        with pytest.raises(BundleError):
            unpack(tmp_path / "out.tar", *there)
