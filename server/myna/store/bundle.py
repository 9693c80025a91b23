"""Bundles: models in one file, cards and weights, for machines without a network.

A tar of, in this order: `myna-bundle.json`, which says what follows and with which checksums;
`cards/ID.toml`; `weights/ID/PATH`. Nothing in it is believed: members that the list does not have,
that are no plain files, or that do not match their checksums end the unpacking.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tarfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from myna.store.cards import Card, CardError, Catalogue, Content, Id, RelativePath, parse_card
from myna.store.progress import Progress, Silence
from myna.store.sources import SourceError
from myna.store.weights import intact, write_checked

_LIST = "myna-bundle.json"
_LIST_LIMIT_BYTES = 8 << 20
_CARD_LIMIT_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 20


class BundleError(ValueError):
    """A bundle cannot be written, or is not one; the message says what is wrong with it."""


class BundledFile(Content):
    """One file of a model in a bundle."""

    path: RelativePath
    bytes: int = Field(ge=0)


class BundledModel(BaseModel):
    """One model in a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    card: bool
    """Whether its card is in the bundle; a folder without one is served by its path."""
    files: tuple[BundledFile, ...] = Field(min_length=1)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)


class _Contents(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    models: tuple[BundledModel, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Packing:
    """A model that goes into a bundle."""

    id: str
    folder: Path
    card: Card | None
    card_text: str = ""
    """The TOML of its card."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A model that has come out of one."""

    id: str
    folder: Path
    card: bool


def pack(models: Sequence[Packing], output: Path, progress: Progress | None = None) -> None:
    """Write a bundle, beside its place and renamed into it when it is whole. Every file is read
    twice, as the checksums stand first.

    Raises:
        BundleError: a file is not as its card says, or two models would share a folder.
        OSError: something cannot be read or written.
    """
    progress = progress or Silence()
    listed = [(model, _listed(model, progress)) for model in models]
    ids = [entry.id for _, entry in listed]
    if twice := sorted({id_ for id_ in ids if ids.count(id_) > 1}):
        raise BundleError(f"two models would be called {', '.join(twice)} in the bundle")
    part = output.with_name(f"{output.name}.part")
    try:
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
            contents = _Contents(format=1, models=tuple(entry for _, entry in listed))
            _add(tar, _LIST, contents.model_dump_json(indent=1).encode())
            for model, entry in listed:
                if entry.card:
                    _add(tar, f"cards/{entry.id}.toml", model.card_text.encode())
            for model, entry in listed:
                with progress.copying(f"packing {entry.id}", entry.bytes) as moved:
                    for file in entry.files:
                        _add_file(tar, f"weights/{entry.id}/{file.path}", model.folder, file, moved)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def unpack(
    bundle: Path, weights: Path, cards: Path, progress: Progress | None = None
) -> list[Unpacked]:
    """Put the models of a bundle in place: weights into `weights/ID/`, cards that are not there yet
    into `cards`. A file that is in place already is kept, and what has been checked stays if a
    later one fails.

    Raises:
        BundleError: it is no bundle, it is damaged or cut short, or a card here says otherwise.
        OSError: something cannot be read or written.
    """
    try:
        with tarfile.open(bundle, "r:") as tar:
            return _Unpacking(tar, weights, cards, progress or Silence()).run()
    except tarfile.TarError as error:
        raise BundleError(f"{bundle} is no bundle, or is cut short: {error}") from error
    except (BundleError, EOFError) as error:
        raise BundleError(f"{bundle}: {error}") from error


class _Unpacking:
    def __init__(
        self, tar: tarfile.TarFile, weights: Path, cards: Path, progress: Progress
    ) -> None:
        self._tar = tar
        self._weights = weights
        self._cards = cards
        self._progress = progress

    def run(self) -> list[Unpacked]:
        contents = self._contents()
        self._look_for_room(contents)
        texts = {model.id: self._card(model) for model in contents.models if model.card}
        for model in contents.models:
            with self._progress.copying(f"unpacking {model.id}", model.bytes) as moved:
                for file in model.files:
                    self._file(model, file, moved)
        if (extra := self._tar.next()) is not None:
            raise BundleError(f"it holds {extra.name!r}, which its list does not have")
        # Last, so that no card stands for files that are not there.
        for id_, text in texts.items():
            self._place_card(id_, text)
        return [Unpacked(one.id, self._weights / one.id, one.card) for one in contents.models]

    def _contents(self) -> _Contents:
        raw = self._member(_LIST, None, _LIST_LIMIT_BYTES).read()
        try:
            contents = _Contents.model_validate_json(raw)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise BundleError(f"{_LIST}: {where}: {fault['msg']}") from None
        for model in contents.models:
            paths = [file.path for file in model.files]
            if len(set(paths)) < len(paths):
                raise BundleError(f"{_LIST}: {model.id} has a file twice")
        if len({model.id for model in contents.models}) < len(contents.models):
            raise BundleError(f"{_LIST}: a model is there twice")
        return contents

    def _member(self, name: str, size: int | None, limit_bytes: int | None = None) -> IO[bytes]:
        """The next member, which must be this one."""
        member = self._tar.next()
        if member is None:
            raise BundleError(f"it is cut short before {name!r}")
        opened = self._tar.extractfile(member) if member.isreg() else None
        if member.name != name or opened is None:
            raise BundleError(f"it holds {member.name!r} where the file {name!r} should be")
        if (size is not None and member.size != size) or member.size > (limit_bytes or member.size):
            raise BundleError(f"{name!r} has a size of {member.size} bytes")
        return opened

    def _card(self, model: BundledModel) -> str:
        """The text of a card that agrees with the list."""
        name = f"cards/{model.id}.toml"
        raw = self._member(name, None, _CARD_LIMIT_BYTES).read()
        try:
            text = raw.decode()
            card = parse_card(text, name)
        except (CardError, UnicodeDecodeError) as error:
            raise BundleError(str(error)) from error
        if card.id != model.id or not _fits(model, card):
            raise BundleError(f"{name}: its files are not those of the list")
        return text

    def _file(self, model: BundledModel, file: BundledFile, moved: Callable[[int], object]) -> None:
        data = self._member(f"weights/{model.id}/{file.path}", file.bytes)
        place = self._weights / model.id / file.path
        if intact(place, file):
            moved(file.bytes)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_checked(place, _blocks(data, moved), file)
        except SourceError as error:
            raise BundleError(f"weights/{model.id}/{file.path}: {error}") from error

    def _look_for_room(self, contents: _Contents) -> None:
        """Say at once that there is not enough, rather than after the half of it."""
        self._weights.mkdir(parents=True, exist_ok=True)
        wanted = sum(
            file.bytes
            for model in contents.models
            for file in model.files
            if not (self._weights / model.id / file.path).exists()
        )
        free = shutil.disk_usage(self._weights).free
        if wanted > free:
            raise BundleError(f"it needs {wanted} bytes in {self._weights}, which has {free} left")

    def _place_card(self, id_: str, text: str) -> None:
        """Write a card, unless one of that id is here; which must then mean the same files."""
        place = self._cards / f"{id_}.toml"
        if place.is_file():
            known = Catalogue.load(self._cards).find(id_)
            if known is None or _files_of(known) != _files_of(parse_card(text, place.name)):
                raise BundleError(
                    f"{place} is another card: its files are not those of the bundle, which now "
                    "lie in the folder of weights; remove the card, or name another models_dir"
                )
            return
        self._cards.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(place)


def _listed(model: Packing, progress: Progress) -> BundledModel:
    """A model's entry, its checksums read off the files."""
    expected = {file.path: file for file in model.card.files} if model.card else None
    paths = sorted(expected if expected is not None else _plain_files(model.folder))
    sizes = {path: (model.folder / path).stat().st_size for path in paths}
    files: list[BundledFile] = []
    with progress.copying(f"checking {model.id}", sum(sizes.values())) as moved:
        for path in paths:
            digest = hashlib.sha256()
            with (model.folder / path).open("rb") as data:
                for block in _blocks(data, moved):
                    digest.update(block)
            file = BundledFile(path=path, bytes=sizes[path], sha256=digest.hexdigest())
            if expected is not None and not _is_one_of(file, expected[path].contents):
                raise BundleError(
                    f"{model.folder / path} is not as its card says; delete it and pull again"
                )
            files.append(file)
    return BundledModel(id=_folder_name(model), card=model.card is not None, files=tuple(files))


def _folder_name(model: Packing) -> str:
    """A card's id; of a model without one, its name as a folder can have it."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model.id).strip(".-_") or "model"


def _plain_files(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder) for path in paths)
    return [
        name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts)
    ]


def _fits(model: BundledModel, card: Card) -> bool:
    """Whether the files of a bundle are those that a card describes."""
    expected = {file.path: file.contents for file in card.files}
    return {file.path for file in model.files} == set(expected) and all(
        _is_one_of(file, expected[file.path]) for file in model.files
    )


def _is_one_of(file: Content, contents: Sequence[Content]) -> bool:
    return any((file.bytes, file.sha256) == (one.bytes, one.sha256) for one in contents)


def _files_of(card: Card) -> set[tuple[str, int, str]]:
    return {(file.path, one.bytes, one.sha256) for file in card.files for one in file.contents}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_member(name, len(data)), io.BytesIO(data))


def _add_file(
    tar: tarfile.TarFile,
    name: str,
    folder: Path,
    file: BundledFile,
    moved: Callable[[int], object],
) -> None:
    with (folder / file.path).open("rb") as data:
        tar.addfile(_member(name, file.bytes), _Counted(data, moved))


def _member(name: str, size: int) -> tarfile.TarInfo:
    """The same for the same content: no owner, no time."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member


class _Counted(io.RawIOBase):
    """A file that tells how much of it has been read."""

    def __init__(self, data: IO[bytes], moved: Callable[[int], object]) -> None:
        self._data = data
        self._moved = moved

    def read(self, size: int = -1, /) -> bytes:
        block = self._data.read(size)
        self._moved(len(block))
        return block


def _blocks(data: IO[bytes], moved: Callable[[int], object]) -> Generator[bytes]:
    while block := data.read(_BLOCK_BYTES):
        moved(len(block))
        yield block
