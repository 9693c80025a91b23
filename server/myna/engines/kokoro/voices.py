"""The voices of a folder: which there are, and the tables of style vectors that they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from myna.engines.contract import Voice
from myna.errors import EngineFailure

Style = NDArray[np.float32]
"""A voice: shape (510, 1, 256), a row for each count of phonemes from 1 on; or one row of it."""

SHAPE = (510, 1, 256)

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
        return np.fromfile(file, np.dtype("<f4")).reshape(SHAPE)
    except (OSError, ValueError) as error:
        raise EngineFailure(f"cannot read the Kokoro voice {file}: {error}") from error
