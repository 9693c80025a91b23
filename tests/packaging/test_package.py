"""What is built from the checkout: all cards, no weights, one version."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest

import myna

MOST_BYTES = 1_000_000
"""Of the whole wheel; the smallest weights are sixty times that."""


@pytest.fixture(scope="module")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    (file,) = built.glob("*.whl")
    with zipfile.ZipFile(file) as opened:
        yield opened


def test_the_wheel_has_every_card_as_it_is(root: Path, wheel: zipfile.ZipFile) -> None:
    cards = {f"myna/cards/{file.name}": file.read_bytes() for file in root.glob("models/*.toml")}
    assert cards
    found = [name for name in wheel.namelist() if name.startswith("myna/cards/")]
    assert {name: wheel.read(name) for name in found} == cards


def test_the_wheel_has_every_module_and_is_marked_as_typed(
    root: Path, wheel: zipfile.ZipFile
) -> None:
    package = root / "server" / "myna"
    modules = {f"myna/{file.relative_to(package)}" for file in package.rglob("*.py")}
    assert modules | {"myna/py.typed"} <= set(wheel.namelist())


def test_the_wheel_has_the_playground_as_it_is(root: Path, wheel: zipfile.ZipFile) -> None:
    folder = root / "server" / "myna" / "playground" / "static"
    pages = {f"myna/playground/static/{file.name}": file.read_bytes() for file in folder.iterdir()}
    assert "myna/playground/static/index.html" in pages
    assert {name: wheel.read(name) for name in pages} == pages


def test_the_wheel_has_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    dist_info = f"myna-{myna.__version__}.dist-info"
    assert {name.split("/")[0] for name in wheel.namelist()} == {"myna", dist_info}
    assert f"{dist_info}/licenses/LICENSE" in wheel.namelist()


def test_the_wheel_has_no_weights(wheel: zipfile.ZipFile) -> None:
    assert sum(info.file_size for info in wheel.infolist()) < MOST_BYTES
    assert [name for name in wheel.namelist() if name.endswith((".bin", ".onnx", ".pt"))] == []


def test_the_wheel_declares_this_version_and_licence(wheel: zipfile.ZipFile) -> None:
    about = Parser().parsestr(wheel.read(f"myna-{myna.__version__}.dist-info/METADATA").decode())
    assert about["Version"] == myna.__version__
    assert about["License-Expression"] == "Apache-2.0"


def test_the_source_distribution_has_cards_and_no_weights(root: Path, built: Path) -> None:
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as opened:
        names = {member.name.partition("/")[2]: member.size for member in opened}
    assert {f"models/{card.name}" for card in root.glob("models/*.toml")} <= set(names)
    assert [name for name in names if name.startswith("models/weights/")] == []
    assert max(names.values()) < MOST_BYTES


def test_the_installed_version_is_the_one_that_is_served() -> None:
    assert metadata.version("myna") == myna.__version__


def test_pytest_finds_the_plugin_of_the_wheel(built: Path, tmp_path: Path) -> None:
    (file,) = built.glob("*.whl")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--fixtures", "--trace-config", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{file}/myna/testing.py" in done.stdout, done.stdout + done.stderr
    assert "myna_server [session scope]" in done.stdout
