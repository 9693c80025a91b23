"""Which of several models speaks a request, and with which voice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from myna.engines.contract.synthesizer import Synthesizer
from myna.engines.contract.voice import OPENAI_VOICES, Voice
from myna.errors import BadRequest
from myna.scheduling.casting import check_stand_ins, role_of
from myna.scheduling.resident import About, Loaded, Resident
from myna.scheduling.voices import foreseen, meant_by


class Engine:
    def __init__(self, kind: str, *voices: Voice, **stand_ins: str) -> None:
        self.kind, self.voices, self.stand_ins = kind, voices, stand_ins


class Mixer(Engine):
    def blend(self, name: str) -> Voice | None:
        if "+" not in name:
            return None
        if not name.startswith("af_"):
            raise BadRequest("no such part", param="voice")
        return Voice(name, name, "en-US")


def loaded(engine: Engine) -> Loaded[Any]:
    stand_ins = meant_by(cast("Synthesizer", engine))
    return Loaded(SimpleNamespace(engine=engine), lambda: None, engine.voices, stand_ins)


def cold(name: str, engine: Engine) -> Resident[Any]:
    """A model whose card says what it has."""
    stand_ins = foreseen(engine.stand_ins, engine.voices)
    about = About(name, kind=engine.kind, voices=engine.voices, stand_ins=stand_ins)
    return Resident(about, lambda: loaded(engine))


def uncarded(name: str, engine: Engine) -> Resident[Any]:
    """A model that is not in memory, and without a card."""
    return Resident(About(name, kind=engine.kind), lambda: loaded(engine))


def speaker(name: str, engine: Engine) -> Resident[Any]:
    resident = cold(name, engine)
    resident.hold(resident.build())
    return resident


JOE = speaker("joe", Engine("piper", Voice("en_US-joe", "Joe", "en-US")))
AMY = speaker("amy", Engine("piper", Voice("en_US-amy", "Amy", "en-US"), nova="en_US-amy"))
EVA = speaker("eva", Engine("piper", Voice("de_DE-eva", "Eva", "de-DE")))
MIXER = Mixer(
    *("kokoro", Voice("af_heart", "Heart", "en-US"), Voice("af_nova", "Nova", "en-US")),
    alloy="af_heart",
)
KOKORO = speaker("kokoro", MIXER)
COLD = cold("kokoro", MIXER)


def role(name: str, chosen: Resident[Any], *others: Resident[Any]) -> tuple[str, str] | None:
    found = role_of(name, chosen, others)
    return None if found is None else (found.speaker.id, found.voice.id)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("en_US-joe", ("joe", "en_US-joe")),
        ("af_heart", ("kokoro", "af_heart")),
        ("AF_Heart", ("kokoro", "af_heart")),
        ("af_heart+af_nova", ("kokoro", "af_heart+af_nova")),
        ("de_de-eva", ("eva", "de_DE-eva")),
        ("nobody", None),
    ],
)
def test_a_voice_is_spoken_by_the_model_that_has_it(name, expected):
    assert role(name, JOE, AMY, EVA, KOKORO) == expected


@pytest.mark.parametrize("name", ["af_heart", "af_heart+af_nova", "en_US-amy", "nobody"])
def test_nobody_steps_in_where_the_request_names_the_model(name):
    assert role(name, JOE) is None


def test_an_openai_name_stays_with_the_chosen_kind_of_engine():
    """Kokoro has a stand-in for alloy, and a voice called Nova; `tts-1` stays fast."""
    assert role("alloy", JOE, KOKORO) == ("joe", "en_US-joe")
    assert role("nova", JOE, KOKORO) == ("joe", "en_US-joe")
    assert role("alloy", KOKORO, JOE) == ("kokoro", "af_heart")


def test_a_stand_in_of_another_model_of_the_kind_steps_in():
    assert role("nova", JOE, EVA, AMY) == ("amy", "en_US-amy")


def test_openai_names_are_dealt_out_over_all_models_of_the_kind_in_the_first_ones_language():
    dealt = [role(name, JOE, AMY, EVA, KOKORO) for name in OPENAI_VOICES if name != "nova"]
    assert {found[0] for found in dealt if found} == {"joe", "amy"}
    assert dealt[:3] == [("joe", "en_US-joe"), ("amy", "en_US-amy"), ("joe", "en_US-joe")]


def test_a_wrong_blend_is_refused_by_who_would_speak_it():
    with pytest.raises(BadRequest, match="no such part"):
        role("xx_heart+af_nova", JOE, KOKORO)


# Models that are not in memory


@pytest.mark.parametrize("name", ["af_heart", "Heart", "af_heart+af_nova", "alloy", "fable"])
def test_a_cold_model_is_cast_as_it_would_be_in_memory(name):
    assert role(name, JOE, COLD) == role(name, JOE, KOKORO)
    assert role(name, COLD, JOE) == role(name, KOKORO, JOE)


def test_a_blend_of_a_cold_model_is_foreseen_in_the_language_of_its_first_voice():
    found = role_of(" AF_Heart(2)+af_nova ", JOE, [COLD])
    assert found is not None
    assert (found.speaker, found.voice.language) == (COLD, "en-US")


def test_a_name_that_no_cold_model_has_wakes_none():
    assert role("nobody+nothing", JOE, COLD) is None


def test_nothing_is_cast_with_a_model_of_which_nothing_is_known():
    assert role("alloy", uncarded("joe", Engine("piper"))) is None
    assert role("en_US-joe", JOE, uncarded("amy", Engine("piper"))) == ("joe", "en_US-joe")


# The setting


@pytest.mark.parametrize("models", [(JOE, KOKORO), (JOE, COLD), (COLD,)])
def test_a_table_whose_voices_are_there_is_right_whether_they_are_in_memory_or_not(models):
    check_stand_ins(models, {"alloy": "AF_Heart", "echo": "af_heart+af_nova"})


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"alloy": "af_heart", "aloy": "af_heart"}, "voices: 'aloy' is none of OpenAI's names"),
        ({"alloy": "af_heart", "onyx": "am_onix"}, "'onyx=am_onix': no model .* has .*'am_onix'"),
        ({"onyx": "xx+af_nova"}, r"'onyx=xx\+af_nova': no such part"),
    ],
)
def test_what_is_wrong_in_the_table_is_named(table, said):
    with pytest.raises(ValueError, match=said):
        check_stand_ins([JOE, KOKORO], table)


def test_a_model_of_which_nothing_is_known_may_have_the_voice(caplog):
    check_stand_ins([JOE, uncarded("amy", Engine("piper"))], {"onyx": "en_US-amy"})
    assert "no model in memory has 'onyx=en_US-amy'" in caplog.text


def test_a_server_that_does_not_speak_does_not_mind_the_table():
    check_stand_ins([], {"onyx": "en_US-amy"})
