"""Bundles: models in one file, cards and weights, for machines without a network.

A tar of, in this order: `myna-bundle.json`, which says what follows and with which checksums;
`cards/ID.toml`; `weights/ID/PATH`. Nothing in it is believed: members that the list does not have,
that are no plain files, or that do not match their checksums end the unpacking.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, Field

from myna.store.cards import Content, Id, RelativePath

LIST_NAME = "myna-bundle.json"
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


class Contents(BaseModel):
    """The list that a bundle begins with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    models: tuple[BundledModel, ...] = Field(min_length=1)


def card_name(id_: str) -> str:
    """The member that holds a model's card."""
    return f"cards/{id_}.toml"


def file_name(id_: str, path: str) -> str:
    """The member that holds a file of a model."""
    return f"weights/{id_}/{path}"


def is_one_of(file: Content, contents: Sequence[Content]) -> bool:
    """Whether a file is as one of these says."""
    return any((file.bytes, file.sha256) == (one.bytes, one.sha256) for one in contents)


def blocks(data: IO[bytes], moved: Callable[[int], object]) -> Generator[bytes]:
    """The rest of a file, in blocks of 1 MiB; `moved` is told the length of each."""
    while block := data.read(_BLOCK_BYTES):
        moved(len(block))
        yield block
