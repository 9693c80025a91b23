"""What CTranslate2 keeps in a `model.bin`, by name.

All numbers are little-endian. A text is its length with a zero behind it (16 bits), its bytes, and
the zero. The file: version (32 bits); the model's kind, a text; its revision, and how many entries
follow (32 bits each); the entries; how many names stand for others (32 bits), and those in pairs.
An entry: its name; how many axes (8 bits), and their sizes (32 bits each); its type (8 bits); how
many bytes (32 bits), and those.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = ("<f4", "i1", "<i2", "<i4", "<f2")
"""By their numbers in the file; beyond them is bfloat16, which is not read here."""
_VERSIONS = range(3, 7)
_SCALE = "_scale"
"""Behind the name of numbers of 8 bits: each row's 127, divided by what it stands for."""


class UnreadableError(ValueError):
    """The file is not what this module knows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One array, and where it is in the file."""

    shape: tuple[int, ...]
    kind: int
    begin: int
    """Of its numbers, in bytes."""
    end: int


class Weights:
    """The arrays of a model. The file stays mapped for as long as one of them is there."""

    def __init__(self, file: Path) -> None:
        """Raises UnreadableError where it is something else, and OSError."""
        with file.open("rb") as opened:
            try:
                self._bytes = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
            except ValueError as error:
                raise UnreadableError(f"{file} is empty") from error
        try:
            self._entries = _entries(_Cursor(self._bytes))
        except (struct.error, UnicodeDecodeError) as error:
            raise UnreadableError(f"{file} is cut off, or no model: {error}") from error

    def __contains__(self, name: object) -> bool:
        """Whether there is an array of that name."""
        return name in self._entries

    def numbers(self, name: str) -> NDArray[np.float32]:
        """An array as float32; 8-bit ones times what a step of their row is.

        Raises UnreadableError where there is none, or it is of a type that is not known here.
        """
        stored = self.stored(name)
        if stored.dtype == np.int8:
            scale = self.stored(name + _SCALE)
            rows = scale.reshape(-1, *(1,) * (stored.ndim - 1))
            return (stored.astype(np.float32) / rows).astype(np.float32)
        return stored.astype(np.float32)

    def stored(self, name: str) -> NDArray[Any]:
        """An array as it is in the file. Raises as `numbers` does."""
        entry = self._entries.get(name)
        if entry is None:
            raise UnreadableError(f"there is no {name}")
        if entry.kind >= len(_TYPES):
            raise UnreadableError(f"{name} is of type {entry.kind}")
        raw = self._bytes[entry.begin : entry.end]
        return np.frombuffer(raw, _TYPES[entry.kind]).reshape(entry.shape)


class _Cursor:
    """Reads one field after the other."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._at = 0

    def number(self, format_: str) -> int:
        (value,) = struct.unpack_from("<" + format_, self._content, self._at)
        self._at += struct.calcsize(format_)
        return value

    def text(self) -> str:
        return bytes(self.skip(self.number("H"))[:-1]).decode()

    def skip(self, size: int) -> memoryview:
        begin, self._at = self._at, self._at + size
        if self._at > len(self._content):
            raise struct.error("it ends early")
        return self._content[begin : self._at]

    @property
    def at(self) -> int:
        return self._at


def _entries(cursor: _Cursor) -> Mapping[str, Entry]:
    version = cursor.number("I")
    if version not in _VERSIONS:
        raise UnreadableError(f"its version is {version}")
    cursor.text()
    cursor.number("I")
    found: dict[str, Entry] = {}
    for _ in range(cursor.number("I")):
        name = cursor.text()
        shape = tuple(cursor.number("I") for _ in range(cursor.number("B")))
        kind, size = cursor.number("B"), cursor.number("I")
        found[name] = Entry(shape, kind, cursor.at, cursor.at + size)
        cursor.skip(size)
    for _ in range(cursor.number("I")):
        alias, name = cursor.text(), cursor.text()
        if name in found:
            found[alias] = found[name]
    return found
