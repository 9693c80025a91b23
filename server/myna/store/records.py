"""Things that clients create and that survive a restart: a folder each, with JSON and maybe a file.

The disk is the only truth, so several processes may share the folder. A record is written beside
its place and renamed into it, and renamed away before it is deleted: it is there whole, or not.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

_log = logging.getLogger("myna.store.records")

_ABOUT, _FILE = "about.json", "file"
_LEFTOVER_S = 3600.0
"""After it, what was being written or deleted was so by a process that has ended."""

About = TypeVar("About", bound=BaseModel)


class Records(Generic[About]):
    """The records of one kind. Thread-safe; every method waits for the disk and may raise OSError.

    Their ids are the prefix and 32 hexadecimal digits, which begin with the time of creation: the
    order of ids is the order of creation.
    """

    def __init__(self, folder: Path, prefix: str, kind: type[About]) -> None:
        self._folder = folder
        self._prefix = prefix
        self._kind = kind
        self._id = re.compile(f"{re.escape(prefix)}[0-9a-f]{{32}}")

    def ids(self) -> list[str]:
        """All ids, the newest first."""
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - names are all that is wanted
        except FileNotFoundError:
            return []
        return sorted(filter(self._id.fullmatch, names), reverse=True)

    def find(self, id_: str) -> About | None:
        """The record with that id."""
        if not self._id.fullmatch(id_):
            return None
        try:
            text = (self._folder / id_ / _ABOUT).read_bytes()
            return self._kind.model_validate_json(text)
        except FileNotFoundError:
            return None
        except ValidationError as error:
            _log.warning("%s is damaged: %s", self._folder / id_, error)
            return None

    def file(self, id_: str) -> bytes | None:
        """The file of the record with that id."""
        if not self._id.fullmatch(id_):
            return None
        try:
            return (self._folder / id_ / _FILE).read_bytes()
        except FileNotFoundError:
            return None

    def add(self, about: About, file: bytes | None = None) -> str:
        """Keep a new record, and return its id."""
        self._sweep()
        id_ = f"{self._prefix}{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        staged = self._folder / f".new-{id_}"
        try:
            staged.mkdir(mode=0o700)
            if file is not None:
                _write(staged / _FILE, file)
            _write(staged / _ABOUT, about.model_dump_json().encode())
            _settle(staged)
            staged.rename(self._folder / id_)
            _settle(self._folder)
        except OSError:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        return id_

    def change(self, id_: str, about: About) -> bool:
        """Put `about` in place of what the record says; False where there is none."""
        if self.find(id_) is None:
            return False
        folder = self._folder / id_
        staged = folder / f".new-{secrets.token_hex(8)}"
        try:
            _write(staged, about.model_dump_json().encode())
            staged.replace(folder / _ABOUT)
            _settle(folder)
        except FileNotFoundError:  # deleted meanwhile
            return False
        return True

    def delete(self, id_: str) -> bool:
        """Take it away; False where there is none."""
        if not self._id.fullmatch(id_):
            return False
        gone = self._folder / f".gone-{id_}"
        try:
            (self._folder / id_).rename(gone)
        except FileNotFoundError:
            return False
        _settle(self._folder)
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def _sweep(self) -> None:
        """Remove what processes left that ended in the middle of a call."""
        for left in self._folder.glob(".*"):
            try:
                old = time.time() - left.stat().st_mtime > _LEFTOVER_S
            except FileNotFoundError:
                continue
            if old:
                shutil.rmtree(left, ignore_errors=True)


def _write(place: Path, data: bytes) -> None:
    with place.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """Make renames inside a folder survive a power cut; needed on POSIX, impossible elsewhere."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
