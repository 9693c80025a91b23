"""Cards: what each known model is, what it serves as, and which files it consists of.

A card is a TOML file named after its id. The cards lie in `models/` of a checkout, and in
`myna/cards/` of an installed package.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from myna.conversion import CONVERSIONS
from myna.engines.contract.voice import OPENAI_VOICES, Voice
from myna.store.sources import Source, parse

CardTask = Literal["transcribe", "speak", "diarize"]
EngineName = Literal["whisper", "piper", "kokoro", "diarizer"]

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""Also the name of a folder, so it holds no separator and does not begin with a dot."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _stays_in_the_folder(path: str) -> str:
    # Names that begin with a dot are the store's own: its lock and its staging folder.
    parts = PurePosixPath(path).parts
    if str(PurePosixPath(*parts)) != path or any(part.startswith((".", "/")) for part in parts):
        raise ValueError("must be a plain relative path without parts that begin with a dot")
    return path


RelativePath = Annotated[str, AfterValidator(_stays_in_the_folder)]
"""Of a file in a model's folder, with `/` between the parts."""
ParsedSource = Annotated[Source, BeforeValidator(lambda text: parse(str(text)))]


class CardError(ValueError):
    """A card cannot be read; the message names the file and the key."""


class Content(BaseModel):
    """What the bytes of a file have to be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(gt=0)
    """Its size."""
    sha256: Sha256

    @property
    def contents(self) -> tuple[Content, ...]:
        """What it may hold."""
        return (self,)


class MadeFile(Content):
    """The same network as that of a file, made here from its maker's checkpoint."""

    network: str
    """How, as `myna.conversion` calls it."""
    source: ParsedSource
    """Where the checkpoint comes from."""

    @field_validator("network")
    @classmethod
    def _is_known(cls, network: str) -> str:
        if network not in CONVERSIONS:
            raise ValueError(f"no such conversion: {network}; there are {', '.join(CONVERSIONS)}")
        return network


class CardFile(Content):
    """One file of a model."""

    path: RelativePath
    """Where it lies in the model's folder, with `/` between the parts."""
    sources: tuple[ParsedSource, ...] = Field(min_length=1)
    """Where it can come from, in the order to try them."""
    made: MadeFile | None = None
    """What stands in for it where no source has it."""

    @property
    def contents(self) -> tuple[Content, ...]:
        """What it may hold."""
        return (self, self.made) if self.made else (self,)


class Card(BaseModel):
    """What one model is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Id
    aliases: tuple[str, ...] = ()
    """Other names that the model answers to, case-insensitively like the id."""
    name: str
    """For people."""
    description: str = ""
    task: CardTask
    engine: EngineName
    licence: str
    """SPDX identifier of the weights' licence."""
    languages: tuple[str, ...] = Field(min_length=1)
    """Whisper's codes for a transcriber, ISO 639-1 for the others. A diarizer's are those it was
    trained on; it works in any."""
    sample_rate_hz: int = Field(gt=0)
    """Of the audio that goes in (transcribe, diarize) or comes out (speak)."""
    translates: bool = False
    """Whether it can turn speech of any of its languages into English text."""
    voices: tuple[Voice, ...] = ()
    """What it speaks with; the first is the default."""
    openai_voices: dict[str, str] = Field(default_factory=dict)
    """OpenAI's voice names, each with the id of the voice that stands in for it."""
    sources: tuple[str, ...] = ()
    """Sources of every file that names none itself; `{path}` stands for the file's path."""
    files: tuple[CardFile, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _hand_sources_down(cls, data: dict[str, Any]) -> dict[str, Any]:
        common, files = data.get("sources"), data.get("files")
        if not (isinstance(common, list) and isinstance(files, list)):
            return data  # a fault, or nothing to do: validation says which
        sources = [str(source) for source in cast("list[object]", common)]

        def completed(file: object) -> object:
            if not isinstance(file, dict):
                return file
            own = cast("dict[str, object]", file)
            path = str(own.get("path"))
            return {"sources": [source.replace("{path}", path) for source in sources], **own}

        return {**data, "files": [completed(file) for file in cast("list[object]", files)]}

    @model_validator(mode="after")
    def _voices_agree(self) -> Self:
        known = {voice.id for voice in self.voices}
        if self.task == "speak" and not known:
            raise ValueError("voices: a model that speaks has at least one")
        if unknown := sorted(set(self.openai_voices.values()) - known):
            raise ValueError(f"openai_voices: no such voice: {', '.join(unknown)}")
        if unknown := sorted(set(self.openai_voices) - set(OPENAI_VOICES)):
            raise ValueError(f"openai_voices: OpenAI has no voice {', '.join(unknown)}")
        voices = list(self.openai_voices.values())
        if twice := sorted({voice for voice in voices if voices.count(voice) > 1}):
            raise ValueError(f"openai_voices: two names for {', '.join(twice)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The id, then the aliases."""
        return (self.id, *self.aliases)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)


def read_card(file: Path) -> Card:
    """The card in one TOML file. Raises CardError."""
    try:
        card = parse_card(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError as error:
        raise CardError(f"{file}: {error}") from error
    if card.id != file.stem:
        raise CardError(f"{file}: id: '{card.id}' is not the file's name")
    return card


def parse_card(text: str, name: str) -> Card:
    """The card that a TOML text holds; `name` is for the message. Raises CardError."""
    try:
        return Card.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"{name}: {error}") from error
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'card'}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
        raise CardError(f"{name}: {'; '.join(faults)}") from error


def default_directory() -> Path:
    """Where the cards are: a checkout's `models/`, else what the package brought with it."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1] / "models"
    if package.parent.name == "server" and checkout.is_dir():
        return checkout
    return package / "cards"


class Catalogue:
    """All cards, by any of their names."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self._cards = tuple(cards)
        self._by_name: dict[str, Card] = {}
        for card in self._cards:
            for name in card.names:
                other = self._by_name.setdefault(name.casefold(), card)
                if other is not card:
                    raise CardError(f"'{name}' names two cards: {other.id} and {card.id}")

    @classmethod
    def load(cls, directory: Path | None = None) -> Self:
        """Read every `*.toml` of a folder (default: the cards that came with Myna).

        Raises CardError when there is none, one cannot be read, or two share a name.
        """
        folder = directory or default_directory()
        files = sorted(folder.glob("*.toml"))
        if not files:
            raise CardError(f"{folder}: no cards (*.toml) there")
        return cls([read_card(file) for file in files])

    def find(self, name: str) -> Card | None:
        """The card with this id or alias, whatever the case of its letters."""
        return self._by_name.get(name.casefold())

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards)

    def __len__(self) -> int:
        return len(self._cards)
