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
    """The models of one task, the default first."""

    def __init__(
        self,
        task: str,
        known: tuple[Resident[Service], ...],
        default_names: tuple[str, ...],
        admission: Admission,
        meanings: Mapping[str, Resident[Service]] | None = None,
    ) -> None:
        """`default_names` are OpenAI's; each means the first model that is served, but for those in
        `meanings`."""
        self.task = task
        self.admission = admission
        self.known = known
        """All of them, those included that nobody may name yet."""
        self._default_names = default_names
        self._meanings = {name.lower(): meant for name, meant in (meanings or {}).items()}
        self._defaults = {name.lower() for name in default_names}
        self._by_name: dict[str, list[Resident[Service]]] = {}
        for resident in known:
            for name in (resident.id, *resident.aliases):
                self._by_name.setdefault(name.lower(), []).append(resident)

    @property
    def residents(self) -> tuple[Resident[Service], ...]:
        """Those that requests may name."""
        return tuple(resident for resident in self.known if resident.served)

    @property
    def named(self) -> tuple[Resident[Service], ...]:
        """Those that the settings name."""
        return tuple(resident for resident in self.known if resident.standing == "named")

    def find(self, name: str) -> Resident[Service] | None:
        """The resident that goes by this name."""
        wanted = name.lower()
        own = next((one for one in self._by_name.get(wanted, ()) if one.served), None)
        if own is not None or wanted not in self._defaults:
            return own
        return self._meanings.get(wanted) or next(iter(self.residents), None)

    def find_known(self, name: str) -> Resident[Service] | None:
        """The same, or else a model that goes by this name and is not served."""
        return self.find(name) or next(iter(self._by_name.get(name.lower(), ())), None)

    def names(self) -> list[tuple[str, Resident[Service]]]:
        """Every name with what it means: OpenAI's names first."""
        own = [name for one in self.residents for name in (one.id, *one.aliases)]
        listed: dict[str, tuple[str, Resident[Service]]] = {}
        for name in (*self._default_names, *own):
            if (meant := self.find(name)) is not None:
                listed.setdefault(name.lower(), (name, meant))
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
        """Those of both tasks that requests may name."""
        return (*self.stt.residents, *self.tts.residents)

    @property
    def names(self) -> list[str]:
        """What those in memory are called."""
        return [resident.id for resident in self.all if resident.held]

    @property
    def known(self) -> tuple[AnyResident, ...]:
        """Those as well that nobody may name yet."""
        return (*self.stt.known, *self.tts.known)

    @property
    def served(self) -> int:
        """Requests that have come so far."""
        return self.stt.admission.admitted + self.tts.admission.admitted

    @property
    def present(self) -> int:
        """Requests that are worked on now."""
        return self.stt.admission.requests + self.tts.admission.requests

    def find_known(self, name: str) -> AnyResident | None:
        """The resident that goes by this name, whatever it does, served or not."""
        served = self.stt.find(name) or self.tts.find(name)
        return served or self.stt.find_known(name) or self.tts.find_known(name)

    def task_of(self, resident: AnyResident) -> str:
        """What it does, in a word."""
        return (self.stt if resident in self.stt.known else self.tts).task

    def close(self) -> None:
        """Unload everything."""
        for resident in self.known:
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
    served = shelf.residents
    if strict or not served:
        raise ModelNotFound(model)
    return served[0]
