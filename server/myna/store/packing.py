"""Models into a bundle."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from myna.store.bundle import (
    LIST_NAME,
    BundledFile,
    BundledModel,
    BundleError,
    Contents,
    blocks,
    card_name,
    file_name,
    is_one_of,
)
from myna.store.cards import Card
from myna.store.progress import Progress, Silence


@dataclass(frozen=True, slots=True)
class Packing:
    """A model that goes into a bundle."""

    id: str
    folder: Path
    card: Card | None
    card_text: str = ""
    """The TOML of its card."""


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
            contents = Contents(format=1, models=tuple(entry for _, entry in listed))
            _add(tar, LIST_NAME, contents.model_dump_json(indent=1).encode())
            for model, entry in listed:
                if entry.card:
                    _add(tar, card_name(entry.id), model.card_text.encode())
            for model, entry in listed:
                with progress.copying(f"packing {entry.id}", entry.bytes) as moved:
                    for file in entry.files:
                        _add_file(tar, file_name(entry.id, file.path), model.folder, file, moved)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


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
                for block in blocks(data, moved):
                    digest.update(block)
            file = BundledFile(path=path, bytes=sizes[path], sha256=digest.hexdigest())
            if expected is not None and not is_one_of(file, expected[path].contents):
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
