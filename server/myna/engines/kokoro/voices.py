"""The voices of a folder: which there are, and the tables of style vectors that they are."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from myna.engines.contract.voice import Voice
from myna.errors import EngineFailure

Style = NDArray[np.float32]
"""A voice: shape (510, 1, 256), a row for each count of phonemes from 1 on; or one row of it."""

SHAPE = (510, 1, 256)

_TYPE = np.dtype("<f4")
_TABLE_BYTES = math.prod(SHAPE) * _TYPE.itemsize
_LARGEST = 16.0
"""Of a table's values; Kokoro's own 54 stay below 3.2."""
_MAGIC = b"\x93NUMPY"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

LANGUAGES = {
    "a": "en-US",
    "b": "en-GB",
    "e": "es-ES",
    "f": "fr-FR",
    "h": "hi-IN",
    "i": "it-IT",
    "j": "ja-JP",
    "p": "pt-BR",
    "z": "zh-CN",
}
"""What the first letter of a voice's name means; the second is f or m."""


def voices_in(folder: Path) -> list[Voice]:
    """The voices whose files a folder has, by name; `af_heart` first, which is the best.

    Raises EngineFailure where there is none.
    """
    names = sorted(file.stem for file in (folder / "voices").glob("*.bin"))
    found = [
        Voice(name, name.partition("_")[2].replace("_", " ").title() or name, LANGUAGES[name[0]])
        for name in names
        if name[:1] in LANGUAGES
    ]
    if not found:
        raise EngineFailure(f"{folder} should hold Kokoro's voices: voices/af_heart.bin and others")
    return sorted(found, key=lambda voice: voice.id != "af_heart")


def styles_of(folder: Path, voices: Iterable[Voice]) -> Mapping[str, Style]:
    """Each voice's table, of the shape SHAPE, by its id. Raises EngineFailure."""
    return {voice.id: _table(folder / "voices" / f"{voice.id}.bin") for voice in voices}


def _table(file: Path) -> Style:
    try:
        return np.fromfile(file, _TYPE).reshape(SHAPE)
    except (OSError, ValueError) as error:
        raise EngineFailure(f"cannot read the Kokoro voice {file}: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class TableVoice(Voice):
    """A voice that brings its table along."""

    table: Style = field(kw_only=True, repr=False)
    """Of the shape SHAPE."""


def read_table(data: bytes) -> Style:
    """The table of a voice file that somebody sent: bare float32, or NumPy's .npy.

    Nothing in it is run: of a .npy only the header's numbers are read. Raises ValueError, saying
    what is wrong.
    """
    bare = _behind_header(data) if data.startswith(_MAGIC) else data
    if data.startswith((b"PK", b"\x80")):
        raise ValueError("it is a PyTorch or NumPy archive, which may hold code")
    if len(bare) != _TABLE_BYTES:
        raise ValueError(f"it has {len(bare)} bytes where a voice has {_TABLE_BYTES}")
    table = np.frombuffer(bare, _TYPE).reshape(SHAPE)
    if not np.isfinite(table).all():
        raise ValueError("it holds values that are no finite numbers")
    if (largest := float(np.abs(table).max())) > _LARGEST:
        raise ValueError(f"it holds values as large as {largest:g}, and a voice's are small")
    if not table.any(axis=-1).all():
        raise ValueError("it has rows of nothing but zeros")
    return table


def _behind_header(data: bytes) -> bytes:
    """What follows the header of a .npy, which must be that of a voice."""
    file = io.BytesIO(data)
    try:
        version = npy.read_magic(file)
        shape, by_column, kind = _HEADERS[version](file, max_header_size=1000)
    except Exception as error:
        raise ValueError("its .npy header cannot be read") from error
    if shape != SHAPE or kind != _TYPE or by_column:
        raise ValueError(f"it holds {kind} of shape {shape}")
    return data[file.tell() :]
