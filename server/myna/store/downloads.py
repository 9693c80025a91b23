"""One pull: reads files from their sources, and remembers what it learned on the way."""

from __future__ import annotations

import logging
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from myna.store.hub import Hub, HubOutOfReachError
from myna.store.packages import Archive, PackageClient
from myna.store.sources import (
    HubFile,
    LocalFile,
    PackageMember,
    Piece,
    Registry,
    Source,
    SourceError,
)

_LOG = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20

_DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
"""What reading a damaged or vanished file raises."""


class Downloads(AbstractContextManager["Downloads"]):
    """Reads sources for as long as it is entered.

    A package is fetched once, however many files come from it, and a hub or package that could
    not be had is not asked for again.
    """

    def __init__(self, folder: Path, hub: Hub, clients: Mapping[Registry, PackageClient]) -> None:
        """`folder` is for this pull alone: emptied at the start, and gone at the end."""
        self._folder = folder
        self._hub = hub
        self._clients = clients
        self._hub_failure: HubOutOfReachError | None = None
        self._packages: dict[tuple[Registry, str, str], Archive | SourceError] = {}

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)  # left by a pull that was killed
        self._folder.mkdir(parents=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        for package in self._packages.values():
            if not isinstance(package, SourceError):
                package.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def read(self, source: Source) -> Generator[bytes]:
        """The file, in blocks. Raises SourceError at any block."""
        for piece in source.pieces:
            try:
                with self._open(piece) as stream:
                    while block := stream.read(_CHUNK_BYTES):
                        yield block
            except _DAMAGE as error:
                raise SourceError(f"it cannot be read: {error}") from error

    def _open(self, piece: Piece) -> IO[bytes]:
        match piece:
            case HubFile():
                return self._hub_file(piece)
            case PackageMember():
                return self._package(piece).open(piece.member)
            case LocalFile():
                return piece.path.open("rb")

    def _hub_file(self, piece: HubFile) -> IO[bytes]:
        if self._hub_failure is not None:
            raise self._hub_failure
        try:
            path = self._hub.download(piece, self._folder / "hub")
        except HubOutOfReachError as error:
            _LOG.info("%s; other sources are tried from here on", error)
            self._hub_failure = error
            raise
        stream = path.open("rb")
        path.unlink()  # the disk needs to hold it only once more; the open file remains readable
        return stream

    def _package(self, piece: PackageMember) -> Archive:
        key = (piece.registry, piece.package, piece.version)
        if key not in self._packages:
            folder = self._folder / f"package-{len(self._packages)}"
            folder.mkdir()
            try:
                client = self._clients[piece.registry]
                self._packages[key] = client.fetch(piece.package, piece.version, folder)
            except SourceError as error:
                self._packages[key] = error
        package = self._packages[key]
        if isinstance(package, SourceError):
            raise package
        return package
