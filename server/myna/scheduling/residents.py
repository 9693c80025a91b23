"""The models of a server, and which of them a request's `model` means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic

from myna.errors import BadRequest, ModelNotFound, NotImplementedHere
from myna.scheduling.admission import Admission
from myna.scheduling.diarization import DiarizationService
from myna.scheduling.resident import Resident, Service
from myna.scheduling.speaking import SpeechService
from myna.scheduling.transcription import TranscriptionService

AnyResident = Resident[TranscriptionService] | Resident[SpeechService]


class Shelf(Generic[Service]):
    """The residents of one task, the default first."""

    def __init__(
        self,
        task: str,
        residents: tuple[Resident[Service], ...],
        default_names: tuple[str, ...],
        admission: Admission,
        meanings: Mapping[str, Resident[Service]] | None = None,
    ) -> None:
        self.task = task
        self.admission = admission
        self.residents = residents
        self.default_names = default_names if residents else ()
        """OpenAI's names; each means the first resident, but for those in `meanings`."""
        self._by_name = {
            name.lower(): resident
            for resident in reversed(residents)
            for name in (resident.id, *resident.aliases)
        }
        for name in self.default_names:
            self._by_name.setdefault(name.lower(), (meanings or {}).get(name, residents[0]))

    def find(self, name: str) -> Resident[Service] | None:
        """The resident that goes by this name."""
        return self._by_name.get(name.lower())

    def names(self) -> list[tuple[str, Resident[Service]]]:
        """Every name with what it means: OpenAI's names first."""
        default = [(name, self.residents[0]) for name in self.default_names]
        own = [(n, r) for r in self.residents for n in (r.id, *r.aliases)]
        listed: dict[str, tuple[str, Resident[Service]]] = {}
        for name, _ in default + own:
            listed.setdefault(name.lower(), (name, self._by_name[name.lower()]))
        return list(listed.values())


@dataclass(frozen=True, slots=True)
class Residents:
    """All models, in memory or not."""

    stt: Shelf[TranscriptionService]
    tts: Shelf[SpeechService]
    close_shared: Callable[[], None]
    """Stop what all residents share, such as the decoder's process."""
    diarization: DiarizationService | None = None
    without_speakers: str = "it was started with --diarize none"
    """Why there is no `diarization`, for whoever asks for it."""

    def diarizer(self, param: str) -> DiarizationService:
        """What tells speakers apart, for the request field `param`.

        Raises:
            NotImplementedHere: there is nothing that does.
        """
        if self.diarization is None:
            raise NotImplementedHere(
                f"This server does not tell speakers apart: {self.without_speakers}. Ask for "
                "response_format json, text, srt, vtt or verbose_json of another model.",
                param=param,
            )
        return self.diarization

    def transcriber(self, model: str, *, strict: bool) -> Resident[TranscriptionService]:
        """The speech-to-text model for a request.

        Raises:
            ModelNotFound: unknown in strict mode, or nothing is loaded.
            BadRequest: the name belongs to a text-to-speech model.
        """
        return _chosen(self.stt, self.tts, model, strict=strict)

    def speaker(self, model: str, *, strict: bool) -> Resident[SpeechService]:
        """The text-to-speech model for a request; raises as `transcriber` does."""
        return _chosen(self.tts, self.stt, model, strict=strict)

    @property
    def all(self) -> tuple[AnyResident, ...]:
        """Those of both tasks."""
        return (*self.stt.residents, *self.tts.residents)

    @property
    def served(self) -> int:
        """Requests that have come so far."""
        return self.stt.admission.admitted + self.tts.admission.admitted

    @property
    def present(self) -> int:
        """Requests that are worked on now."""
        return self.stt.admission.requests + self.tts.admission.requests

    def find(self, name: str) -> AnyResident | None:
        """The resident that goes by this name, whatever it does."""
        return self.stt.find(name) or self.tts.find(name)

    def close(self) -> None:
        """Unload everything."""
        for resident in self.all:
            resident.close()
        if self.diarization is not None:
            self.diarization.close()
        self.close_shared()


def _chosen(
    shelf: Shelf[Service],
    other: Shelf[TranscriptionService] | Shelf[SpeechService],
    model: str,
    *,
    strict: bool,
) -> Resident[Service]:
    found = shelf.find(model)
    if found is not None:
        return found
    if other.find(model) is not None:
        raise BadRequest(
            f"The model `{model}` does not do {shelf.task} on this server; "
            "GET /v1/models lists what it has.",
            param="model",
            code="unsupported_model",
        )
    if strict or not shelf.residents:
        raise ModelNotFound(model)
    return shelf.residents[0]
