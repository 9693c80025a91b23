"""A `model.bin` as CTranslate2 writes it, with weights of the test's choice."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

TYPES = ("float32", "int8", "int16", "int32", "float16")
VERSION = 6


def text(content: str) -> bytes:
    return struct.pack("<H", len(content) + 1) + content.encode() + b"\0"


def entry(name: str, numbers: np.ndarray) -> bytes:
    sizes = struct.pack(f"<B{numbers.ndim}I", numbers.ndim, *numbers.shape)
    kind = TYPES.index(numbers.dtype.name)
    return text(name) + sizes + struct.pack("<BI", kind, numbers.nbytes) + numbers.tobytes()


def write(
    file: Path,
    arrays: Mapping[str, np.ndarray],
    aliases: Mapping[str, str] | None = None,
    *,
    version: int = VERSION,
) -> Path:
    head = struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<II", 3, len(arrays))
    entries = b"".join(entry(name, np.asarray(numbers)) for name, numbers in arrays.items())
    others = {} if aliases is None else aliases
    pairs = b"".join(text(alias) + text(name) for alias, name in others.items())
    file.write_bytes(head + entries + struct.pack("<I", len(others)) + pairs)
    return file
