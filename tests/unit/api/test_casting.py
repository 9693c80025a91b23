"""Who speaks a request: strict and lenient, custom voices, and languages that nobody speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from myna.accounts import Accounts, Allowance
from myna.api.casting import cast, refuse_unspoken
from myna.api.context import Context
from myna.api.names import STT_NAMES, TTS_NAMES
from myna.api.spool import Spool
from myna.auth import Keyring
from myna.engines.contract.voice import Voice
from myna.engines.fake import FakeSynthesizer
from myna.errors import BadRequest, EngineFailure
from myna.realtime.sessions import Sessions
from myna.scheduling.admission import Admission
from myna.scheduling.casting import Role, Speaker
from myna.scheduling.residency import Residency, Terms
from myna.scheduling.resident import About, Loaded, Resident
from myna.scheduling.residents import Residents, Shelf
from myna.scheduling.speaking import SpeechService
from myna.settings import Settings
from myna.store.custom_voices import CustomVoice, CustomVoices


class Piper:
    """One German voice, and nothing of the user's."""

    kind = "piper"
    voices = (Voice("de_DE-eva", "Eva", "de-DE"),)
    stand_ins: dict[str, str] = {}  # noqa: RUF012


class Choosy(FakeSynthesizer):
    """Can no longer read what it once took."""

    kind = "choosy"

    def read_voice(self, file: bytes, about: Voice) -> Voice:
        raise BadRequest(f"{len(file)} bytes are no voice of {about.name}")


@pytest.fixture
def custom(tmp_path: Path) -> CustomVoices:
    return CustomVoices(tmp_path, 10)


@pytest.fixture(params=["warm", "cold"])
def server(custom: CustomVoices, request: pytest.FixtureRequest) -> Any:
    """`server(engine, …, **settings)`: the context of one that has these engines, in memory or not,
    which must make no difference."""

    def build(*engines: Any, **settings: Any) -> Context:
        speakers = tuple(resident(engine, engine.voices) for engine in engines)
        if request.param == "warm":
            for speaker in speakers:
                speaker.hold(speaker.build())
        return context(custom, speakers, **settings)

    return build


def context(custom: CustomVoices, speakers: tuple[Resident[Any], ...], **settings: Any) -> Context:
    idle = Admission(most_requests=1, most_queued_s=1, queued_s=lambda: 0.0, speed=lambda: None)
    tts: Any = Shelf("speech", speakers, TTS_NAMES, idle)
    residents = Residents(Shelf("transcription", (), STT_NAMES, idle), tts, lambda: None)
    return Context(
        Settings(**settings),
        Keyring(),
        Accounts(Allowance()),
        Spool(),
        custom,
        Sessions(1, 1),
        CollectorRegistry(),
        residents,
    )


def resident(engine: Any, voices: Sequence[Voice] = ()) -> Resident[Any]:
    """A model that is not in memory, and of which no more than these voices is known."""
    loaded = Loaded(SimpleNamespace(engine=engine), lambda: None, engine.voices)
    return Resident(About(engine.kind, kind=engine.kind, voices=voices), lambda: loaded)


def spoken(shared: Context, model: str, name: str) -> tuple[str, str]:
    async def cast_so() -> Role:
        residency = Residency(shared.loaded().all, Terms(), run=asyncio.to_thread)

        async def lend(speaker: Speaker) -> SpeechService:
            return (await residency.lease(speaker)).service

        return await cast(shared, lend, model, name)

    role = asyncio.run(cast_so())
    assert role.speaker.leases
    return role.speaker.id, role.voice.id


def add(custom: CustomVoices, engine: str) -> str:
    about = CustomVoice(name="Ann", type="audio_sample", engine=engine, language="en-US")
    return custom.add_voice(about, b"bytes")


def test_a_custom_voice_is_spoken_by_its_engine_under_openais_models(server, custom):
    shared = server(Piper(), FakeSynthesizer())
    voice = add(custom, "fake")
    for model in ("tts-1", "gpt-4o-mini-tts", "fake"):
        assert spoken(shared, model, voice) == ("fake", voice)
        assert spoken(shared, model, voice.upper()) == ("fake", voice)
    with pytest.raises(BadRequest, match="a voice for fake, which the model piper is not") as no:
        spoken(shared, "piper", voice)
    assert no.value.param == "voice"


@pytest.mark.parametrize("strict", [False, True])
def test_a_custom_voice_that_is_not_there_is_never_another(server, custom, strict):
    shared = server(FakeSynthesizer(), strict=strict)
    kokoros, deleted = add(custom, "kokoro"), add(custom, "fake")
    custom.voices.delete(deleted)
    for name in (kokoros, deleted, "voice_1234", "voice_../x", "voice_"):
        with pytest.raises(BadRequest) as refused:
            spoken(shared, "tts-1", name)
        assert refused.value.param == "voice"


def test_a_custom_voice_whose_file_is_damaged_is_the_servers_fault(server, custom):
    voice = add(custom, "choosy")
    with pytest.raises(EngineFailure, match=f"{voice} is damaged: 5 bytes are no voice of Ann"):
        spoken(server(Choosy()), "tts-1", voice)


def test_an_unknown_name_gets_the_first_voice_or_in_strict_mode_a_refusal(server):
    assert spoken(server(FakeSynthesizer()), "tts-1", "nobody") == ("fake", "alloy")
    with pytest.raises(BadRequest, match="'nobody' is not a voice of this model"):
        spoken(server(FakeSynthesizer(), strict=True), "tts-1", "nobody")


@pytest.mark.parametrize("strict", [False, True])
def test_a_voice_of_another_model_is_spoken_by_that_one_in_both_modes(server, strict):
    shared = server(FakeSynthesizer(), Piper(), strict=strict)
    assert spoken(shared, "tts-1", "de_DE-eva") == ("piper", "de_DE-eva")


def test_only_the_model_that_speaks_is_loaded(custom):
    chosen, other = (resident(one, one.voices) for one in (FakeSynthesizer(), Piper()))
    shared = context(custom, (chosen, other))
    assert spoken(shared, "tts-1", "Eva") == ("piper", "de_DE-eva")
    assert (chosen.state, other.state) == ("cold", "loaded")


def test_a_model_of_which_nothing_is_known_is_loaded_to_be_asked(custom):
    unknown = resident(Piper())
    shared = context(custom, (unknown,), unspoken_language="error")
    refuse_unspoken("Привет, мир!", shared)
    assert spoken(shared, "tts-1", "nobody") == ("piper", "de_DE-eva")
    with pytest.raises(BadRequest, match="which are de"):
        refuse_unspoken("Привет, мир!", shared)


def test_a_text_is_refused_where_no_voice_has_its_language_and_the_setting_says_so(server):
    russian, german = "Привет, мир!", "Grüße aus Köln"
    refuse_unspoken(russian, server(FakeSynthesizer(), Piper()))
    shared = server(FakeSynthesizer(), Piper(), unspoken_language="error")
    refuse_unspoken(german, shared)
    refuse_unspoken("", shared)
    with pytest.raises(BadRequest, match=r"which are de, en;.* for .*ru") as refused:
        refuse_unspoken(russian, shared)
    assert (refused.value.param, refused.value.code) == ("input", "unsupported_language")


def test_a_voice_of_one_of_the_scripts_languages_is_enough(server):
    speaker = Piper()
    speaker.voices = (Voice("uk_UA-olena", "Olena", "uk-UA"),)
    refuse_unspoken("Привет, мир!", server(speaker, unspoken_language="error"))
