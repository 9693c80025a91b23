"""Custom voices, and the consents that they rest on."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from myna.store.records import Records


def default_folder() -> Path:
    """Where voices are kept if nothing is said; apart from weights, which can be fetched again."""
    return Path.home() / ".local" / "share" / "myna" / "voices"


class Consent(BaseModel):
    """Somebody's recorded consent to a voice being made of theirs."""

    model_config = ConfigDict(frozen=True)

    name: str
    language: str
    """BCP 47, of what is said in the recording."""
    created_at: int = Field(default_factory=lambda: int(time.time()))
    """Unix seconds."""


class CustomVoice(BaseModel):
    """A voice that a client has made."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["audio_sample", "prompt"]
    """The hosted API's word for what it was made of: a file, or a text."""
    engine: str
    """The kind of engine that speaks it, such as `kokoro`."""
    language: str
    """BCP 47."""
    blend: str | None = None
    """How it is mixed; None for a voice that is kept as a file."""
    consent: str | None = None
    """Id of the consent that it rests on."""
    created_at: int = Field(default_factory=lambda: int(time.time()))
    """Unix seconds."""


class Full(Exception):
    """There are as many as the server keeps."""


class ConsentMissing(Exception):
    """No such consent."""


class ConsentInUse(Exception):
    """Voices rest on the consent; the argument is the id of one."""


class CustomVoices:
    """What clients have made, on disk. Thread-safe; methods wait for the disk and may raise
    OSError."""

    def __init__(self, folder: Path, most: int) -> None:
        """`most` is how many voices are kept, and how many consents."""
        self.voices = Records(folder / "voices", "voice_", CustomVoice)
        self.consents = Records(folder / "consents", "cons_", Consent)
        self._most = most
        self._changing = Lock()

    def add_voice(self, voice: CustomVoice, file: bytes | None) -> str:
        """Keep a voice, and return its id. Raises Full, or ConsentMissing."""
        with self._changing:
            if voice.consent is not None and self.consents.find(voice.consent) is None:
                raise ConsentMissing
            if len(self.voices.ids()) >= self._most:
                raise Full
            return self.voices.add(voice, file)

    def add_consent(self, consent: Consent, recording: bytes) -> str:
        """Keep a consent, and return its id. Raises Full."""
        with self._changing:
            if len(self.consents.ids()) >= self._most:
                raise Full
            return self.consents.add(consent, recording)

    def delete_consent(self, id_: str) -> bool:
        """Take a consent away; False where there is none. Raises ConsentInUse."""
        with self._changing:
            for voice in self.voices.ids():
                found = self.voices.find(voice)
                if found is not None and found.consent == id_:
                    raise ConsentInUse(voice)
            return self.consents.delete(id_)
