"""Models out of a bundle, of which nothing is believed."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

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
from myna.store.cards import Card, CardError, Catalogue, parse_card
from myna.store.progress import Progress, Silence
from myna.store.sources import SourceError
from myna.store.weights import intact, write_checked

_LIST_LIMIT_BYTES = 8 << 20
_CARD_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A model that has come out of one."""

    id: str
    folder: Path
    card: bool


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

    def _contents(self) -> Contents:
        raw = self._member(LIST_NAME, None, _LIST_LIMIT_BYTES).read()
        try:
            contents = Contents.model_validate_json(raw)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise BundleError(f"{LIST_NAME}: {where}: {fault['msg']}") from None
        for model in contents.models:
            paths = [file.path for file in model.files]
            if len(set(paths)) < len(paths):
                raise BundleError(f"{LIST_NAME}: {model.id} has a file twice")
        if len({model.id for model in contents.models}) < len(contents.models):
            raise BundleError(f"{LIST_NAME}: a model is there twice")
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
        name = card_name(model.id)
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
        data = self._member(file_name(model.id, file.path), file.bytes)
        place = self._weights / model.id / file.path
        if intact(place, file):
            moved(file.bytes)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_checked(place, blocks(data, moved), file)
        except SourceError as error:
            raise BundleError(f"{file_name(model.id, file.path)}: {error}") from error

    def _look_for_room(self, contents: Contents) -> None:
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


def _fits(model: BundledModel, card: Card) -> bool:
    """Whether the files of a bundle are those that a card describes."""
    expected = {file.path: file.contents for file in card.files}
    return {file.path for file in model.files} == set(expected) and all(
        is_one_of(file, expected[file.path]) for file in model.files
    )


def _files_of(card: Card) -> set[tuple[str, int, str]]:
    return {(file.path, one.bytes, one.sha256) for file in card.files for one in file.contents}
