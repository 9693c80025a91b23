"""Weights: the files of cards on this machine, and how they get there.

Every card has a folder of its own, `DIRECTORY/ID/`, with the files at the paths that the card
gives. It can be copied to another machine as it is.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from myna.conversion import CheckpointError, convert
from myna.store.cards import Card, CardFile, Content, MadeFile
from myna.store.downloads import Downloads
from myna.store.hub import Hub
from myna.store.packages import PackageClient, default_clients
from myna.store.progress import Progress, Silence
from myna.store.sources import HubFile, Registry, Source, SourceError

_LOG = logging.getLogger(__name__)


class ModelUnavailable(Exception):
    """A model's files are not here and cannot be had; the message says why and what helps."""


class Weights:
    """The store of all cards' files under one directory.

    Safe to use from several threads and processes at once. All methods block.
    """

    def __init__(
        self,
        directory: Path,
        *,
        offline: bool = False,
        progress: Progress | None = None,
        hub: Hub | None = None,
        clients: Mapping[Registry, PackageClient] | None = None,
    ) -> None:
        """`offline` makes it use what is on this machine and nothing else: no network call, no
        package client."""
        self.directory = directory.absolute()
        self.offline = offline
        self.hub = hub or Hub()
        self._progress = progress or Silence()
        self._clients = clients if clients is not None else default_clients()

    def folder(self, card: Card) -> Path:
        """Where the card's files are, or would be: its folder here, unless the user's hub cache
        has all of them in one folder."""
        own = self.directory / card.id
        if _complete(own, card):
            return own
        return self._folder_in_hub_cache(card) or own

    def missing(self, card: Card) -> list[CardFile]:
        """The files that would have to be downloaded. Looks at existence and size only."""
        own = self.directory / card.id
        return [
            file
            for file in card.files
            if not _present(own, file) and self._in_hub_cache(file) is None
        ]

    def ensure(self, card: Card) -> Path:
        """Fetch what is missing, and return the folder that has all files.

        A file that is here with the right size is trusted; one that is fetched is checked. Raises
        ModelUnavailable.
        """
        folder = self.folder(card)
        if _complete(folder, card):
            return folder
        if self.offline and (missing := self.missing(card)):
            reason = "files are missing, and offline mode fetches nothing"
            raise ModelUnavailable(self._explain(card, reason, missing))
        try:
            with self._locked(card):
                self._fill(card)
        except OSError as error:
            raise ModelUnavailable(f"{card.id}: cannot write to {folder}: {error}") from error
        return self.directory / card.id

    def verify(self, card: Card) -> list[Path]:
        """Read all files again and return those that are missing or not as the card says.

        Deleting these and calling `ensure` mends the model.
        """
        folder = self.folder(card)
        return [folder / file.path for file in card.files if not intact(folder / file.path, file)]

    def _fill(self, card: Card) -> None:
        own = self.directory / card.id
        with Downloads(own / ".fetch", self.hub, self._clients) as downloads:
            for file in card.files:
                # Another process may have fetched it while this one waited for the lock.
                if not _present(own, file):
                    self._obtain(card, file, downloads)

    def _obtain(self, card: Card, file: CardFile, downloads: Downloads) -> None:
        place = self.directory / card.id / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        failures: list[str] = []
        if cached := self._in_hub_cache(file):
            if intact(cached, file):
                place.unlink(missing_ok=True)  # a link whose target is gone, or a wrong file
                place.symlink_to(cached)
                return
            failures.append(f"{cached}: the hub cache's copy is damaged; delete it")
        label, staging = f"{card.id}/{file.path}", self.directory / card.id / ".fetch"
        with self._progress.fetching(label, file.bytes, staging):
            for source, made in () if self.offline else _ways(file):
                try:
                    with closing(downloads.read(source)) as blocks:
                        if made is None:
                            write_checked(place, blocks, file)
                        else:
                            write_checked(place, _made(made, blocks), made)
                except SourceError as error:
                    _LOG.debug("%s not from %s: %s", label, source, error)
                    failures.append(f"{source}: {error}")
                else:
                    return
            reason = "\n  ".join([f"{file.path} cannot be had", *failures])
            raise ModelUnavailable(self._explain(card, reason, self.missing(card) or [file]))

    def _in_hub_cache(self, file: CardFile) -> Path | None:
        for source in file.sources:
            match source.pieces:
                case (HubFile() as piece,):
                    path = self.hub.cached(piece)
                    if path is not None and path.stat().st_size == file.bytes:
                        return path
                case _:
                    continue
        return None

    def _folder_in_hub_cache(self, card: Card) -> Path | None:
        folders: set[Path] = set()
        for file in card.files:
            path = self._in_hub_cache(file)
            if path is None:
                return None
            folder = path.parents[len(PurePosixPath(file.path).parts) - 1]
            if folder / file.path != path:
                return None
            folders.add(folder)
        return folders.pop() if len(folders) == 1 else None

    @contextmanager
    def _locked(self, card: Card) -> Generator[None]:
        own = self.directory / card.id
        own.mkdir(parents=True, exist_ok=True)
        lock = FileLock(own / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._progress.note(f"waiting for another process that fetches {card.id}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _explain(self, card: Card, reason: str, missing: Sequence[CardFile]) -> str:
        own = self.directory / card.id
        files = "\n".join(
            f"  {own / file.path} ({file.bytes} bytes, sha256 {file.sha256})" for file in missing
        )
        return (
            f"{card.id}: {reason}\n"
            f"Run `myna pull {card.id}` where there is a way to the hub (HF_ENDPOINT names a "
            f"mirror) or to a package mirror, and copy the folder; or place by hand:\n{files}"
        )


def _ways(file: CardFile) -> Generator[tuple[Source, MadeFile | None]]:
    """Every source of the file, and at last that of what stands in for it."""
    for source in file.sources:
        yield source, None
    if file.made is not None:
        yield file.made.source, file.made


def _made(made: MadeFile, blocks: Iterable[bytes]) -> Generator[bytes]:
    """The file made from a checkpoint, in one block."""
    try:
        yield convert(made.network, b"".join(blocks))
    except CheckpointError as error:
        raise SourceError(str(error)) from error


def _present(folder: Path, file: CardFile) -> bool:
    try:
        size = (folder / file.path).stat().st_size
    except OSError:
        return False
    return any(size == content.bytes for content in file.contents)


def _complete(folder: Path, card: Card) -> bool:
    return all(_present(folder, file) for file in card.files)


def intact(path: Path, file: Content) -> bool:
    """Whether the file is there and is the right one; reads all of it."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return False
    return any(digest == content.sha256 for content in file.contents)


def write_checked(place: Path, blocks: Iterable[bytes], file: Content) -> None:
    """Write a file beside its place, and move it there once it has proved to be the right one.

    Raises SourceError where it is another.
    """
    part = place.with_name(f"{place.name}.part")
    digest, size = hashlib.sha256(), 0
    try:
        with part.open("wb") as stream:
            for block in blocks:
                digest.update(block)
                size += len(block)
                if size > file.bytes:
                    raise SourceError(f"wrong file: more than the {file.bytes} bytes it should be")
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
        if size != file.bytes:
            raise SourceError(f"wrong file: {size} bytes where it should be {file.bytes}")
        if digest.hexdigest() != file.sha256:
            raise SourceError(f"wrong file: its sha256 is {digest.hexdigest()}")
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)
