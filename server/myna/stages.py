"""The stages of a request, and who hears how long each took."""

from __future__ import annotations

from typing import Literal, Protocol

Stage = Literal["decode", "queue", "encode", "generate", "diarize", "synthesise", "encode-out"]
"""In the order of a request's life:

- `decode`: reading the uploaded file and finding speech in it;
- `queue`: a window or a piece of text waits for an engine;
- `encode`: its features, and the model's encoder;
- `generate`: the model's decoder, which writes the text;
- `diarize`: who speaks in a window, and which of them are one;
- `synthesise`: a piece of text becomes sound;
- `encode-out`: sound becomes bytes of the format that was asked for, and text its answer.
"""


class Record(Protocol):
    """What becomes known about one request while it is worked on. Thread-safe."""

    @property
    def id(self) -> str:
        """The request's id, as its client is told; empty where there is none."""
        ...

    def stage(self, stage: Stage, begun_s: float, ended_s: float) -> None:
        """A stage was worked on from `begun_s` to `ended_s` of `time.perf_counter`; there may be
        many stretches of each, and they may overlap."""
        ...

    def audio(self, seconds: float) -> None:
        """So many more seconds of audio have been read, or spoken."""
        ...

    def failed(self, code: str) -> None:
        """It failed behind the head of its answer; `code` is that of the error."""
        ...


class Unrecorded:
    """Listens to nothing."""

    id = ""

    def stage(self, stage: Stage, begun_s: float, ended_s: float) -> None:
        """Nothing."""

    def audio(self, seconds: float) -> None:
        """Nothing."""

    def failed(self, code: str) -> None:
        """Nothing."""


UNRECORDED = Unrecorded()
"""For work that nobody asks about, such as warming up."""
