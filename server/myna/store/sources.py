"""Where a file can come from: what the `sources` of a card's files say. Parsing only.

    hf:OWNER/REPO@REVISION/PATH     a file on the Hugging Face hub, at a pinned revision
    pypi:PACKAGE==VERSION/MEMBER    a member of a wheel
    npm:PACKAGE@VERSION/MEMBER      a member of an npm package (its paths begin with `package/`)
    path:/FOLDER/FILE               a file on this machine

A file that is split there is several of these joined by ` + `, in order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Registry = Literal["pypi", "npm"]

_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[^/\s]+)/(?P<path>\S+)")
_PYPI = re.compile(r"(?P<package>[\w.-]+)==(?P<version>[\w.+!-]+)/(?P<member>\S+)")
_NPM = re.compile(r"(?P<package>(?:@[\w.-]+/)?[\w.-]+)@(?P<version>[\w.+-]+)/(?P<member>\S+)")


class SourceError(Exception):
    """A source did not give the file; the message says why, in half a sentence."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hugging Face hub."""

    repo: str
    """`owner/name`."""
    revision: str
    """Commit or tag."""
    path: str
    """Inside the repository."""


@dataclass(frozen=True, slots=True)
class PackageMember:
    """A file inside a published package, which is only ever opened as an archive."""

    registry: Registry
    package: str
    version: str
    member: str
    """Path inside the archive."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on this machine."""

    path: Path


Piece = HubFile | PackageMember | LocalFile


@dataclass(frozen=True, slots=True)
class Source:
    """One place that a file can come from: its pieces, in order, are the whole file."""

    text: str
    """As the card writes it."""
    pieces: tuple[Piece, ...]

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Source:
    """Read one entry of `sources`. Raises ValueError with the syntax that was expected."""
    return Source(text, tuple(_piece(piece.strip()) for piece in text.split(" + ")))


def _piece(text: str) -> Piece:
    kind, _, rest = text.partition(":")
    if kind == "hf" and (found := _HUB.fullmatch(rest)):
        return HubFile(**found.groupdict())
    if kind == "pypi" and (found := _PYPI.fullmatch(rest)):
        return PackageMember("pypi", **found.groupdict())
    if kind == "npm" and (found := _NPM.fullmatch(rest)):
        return PackageMember("npm", **found.groupdict())
    if kind == "path" and rest:
        return LocalFile(Path(rest).expanduser())
    raise ValueError(
        f"'{text}' is no source; write hf:OWNER/REPO@REVISION/PATH, pypi:PACKAGE==VERSION/MEMBER, "
        "npm:PACKAGE@VERSION/MEMBER or path:/FOLDER/FILE"
    )
