import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from myna.store.packages import Npm, Pip, Tarball, Wheel
from myna.store.sources import SourceError

METADATA = "Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n"


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Path:
    """A folder that the real pip takes packages from, and nowhere else."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def target(tmp_path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def write_wheel(folder: Path) -> None:
    info = "some_weights-1.0.dist-info"
    members = {
        "some_weights/__init__.py": "raise SystemExit('imported')",
        "some_weights/model.bin": "weights",
        f"{info}/METADATA": METADATA + "Requires-Python: >=99\nRequires-Dist: absent\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / "some_weights-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in members.items():
            wheel.writestr(name, text)


def write_tarball(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"w" * member.size))
    return path


def plain(name: str, size: int = 3) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def test_pip_gives_a_member_without_installing_or_importing(shelf, target):
    write_wheel(shelf)
    archive = Pip().fetch("some-weights", "1.0", target)
    assert archive.open("some_weights/model.bin").read() == b"weights"
    archive.close()
    assert "some_weights" not in sys.modules


def test_pip_never_runs_a_source_package(shelf, target, tmp_path):
    setup = f"open({str(tmp_path / 'ran')!r}, 'w')"
    with tarfile.open(shelf / "some-weights-1.0.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("some-weights-1.0/setup.py")
        member.size = len(setup)
        tar.addfile(member, io.BytesIO(setup.encode()))
    with pytest.raises(SourceError, match="pip failed: ERROR"):
        Pip().fetch("some-weights", "1.0", target)
    assert not (tmp_path / "ran").exists()


def test_an_index_out_of_reach_is_told_from_a_package_that_is_not_there(shelf, target, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    with pytest.raises(SourceError, match="Connection refused"):
        Pip().fetch("some-weights", "1.0", target)


def test_an_environment_without_pip_says_so(target):
    # -I -S leaves site-packages out of sight, and pip with them.
    with pytest.raises(SourceError, match="no pip in this environment"):
        Pip((sys.executable, "-I", "-S", "-m", "pip")).fetch("some-weights", "1.0", target)


def test_a_machine_without_npm_says_so(target):
    with pytest.raises(SourceError, match="no-such-npm is not installed here"):
        Npm(("no-such-npm",)).fetch("some-weights", "1.0", target)


def test_npm_gives_a_member(target, tmp_path):
    shelf = write_tarball(tmp_path / "some-weights-1.0.tgz", plain("package/model.bin"))
    program = tmp_path / "npm.py"
    program.write_text(
        "import shutil, sys\n"
        "assert sys.argv[1] == 'pack' and sys.argv[-1] == 'some-weights@1.0', sys.argv\n"
        "folder = next(a for a in sys.argv if a.startswith('--pack-destination='))[19:]\n"
        f"shutil.copy({str(shelf)!r}, folder)\n"
    )
    archive = Npm((sys.executable, str(program))).fetch("some-weights", "1.0", target)
    assert archive.open("package/model.bin").read() == b"www"
    archive.close()


def test_a_client_that_fails_is_quoted_without_its_warnings(target, tmp_path):
    program = tmp_path / "npm.py"
    program.write_text(
        "import sys\nsys.exit('npm warn old\\nnpm error code E404\\nnpm error 404 no such thing')"
    )
    with pytest.raises(SourceError, match="code E404 npm error 404 no such thing") as caught:
        Npm((sys.executable, str(program))).fetch("some-weights", "1.0", target)
    assert "warn" not in str(caught.value)


def test_a_client_that_leaves_no_package_is_a_failure(target, tmp_path):
    program = tmp_path / "npm.py"
    program.write_text("")
    with pytest.raises(SourceError, match=r"left 0 files \*\.tgz"):
        Npm((sys.executable, str(program))).fetch("some-weights", "1.0", target)


@pytest.mark.parametrize("kind", [Wheel, Tarball])
def test_a_file_that_is_no_archive_is_a_failure(kind, tmp_path):
    path = tmp_path / "package"
    path.write_bytes(b"<html>")
    with pytest.raises(SourceError, match="is no"):
        kind(path)


def test_a_member_that_is_not_there_is_a_failure(tmp_path):
    write_wheel(tmp_path)
    wheel = Wheel(tmp_path / "some_weights-1.0-py3-none-any.whl")
    with pytest.raises(SourceError, match=r"has no model\.bin"):
        wheel.open("model.bin")
    wheel.close()


def test_a_link_in_a_tarball_is_not_followed(tmp_path):
    link = tarfile.TarInfo("package/model.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tarball = Tarball(write_tarball(tmp_path / "a.tgz", link))
    with pytest.raises(SourceError, match="no plain file"):
        tarball.open("package/model.bin")
    tarball.close()


def test_a_wheel_for_another_machine_is_good_enough_to_be_read(shelf, target):
    write_wheel(shelf)
    plain_name = "some_weights-1.0-py3-none-any.whl"
    foreign = "some_weights-1.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl"
    (shelf / plain_name).rename(shelf / foreign)
    # As on a Python that the wheel was not built for.
    script = target.parent / "pip.py"
    script.write_text(
        "import subprocess, sys\n"
        "told = sys.argv[1:]\n"
        "if not any(each.startswith('--python-version') for each in told):\n"
        "    told.append('--python-version=3.8')\n"
        "sys.exit(subprocess.run([sys.executable, '-m', 'pip', *told]).returncode)\n"
    )
    archive = Pip((sys.executable, str(script))).fetch("some-weights", "1.0", target)
    assert archive.open("some_weights/model.bin").read() == b"weights"
    archive.close()
