"""Which of several models speaks a request, and with which voice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from myna.engines.contract import OPENAI_VOICES, Voice
from myna.errors import BadRequest
from myna.scheduling.casting import role_of
from myna.scheduling.residents import Resident


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


def speaker(name: str, engine: Engine) -> Resident[Any]:
    return Resident(name, (), 0, SimpleNamespace(engine=engine), lambda: None)


JOE = speaker("joe", Engine("piper", Voice("en_US-joe", "Joe", "en-US")))
AMY = speaker("amy", Engine("piper", Voice("en_US-amy", "Amy", "en-US"), nova="en_US-amy"))
EVA = speaker("eva", Engine("piper", Voice("de_DE-eva", "Eva", "de-DE")))
KOKORO = speaker(
    "kokoro",
    Mixer("kokoro", Voice("af_heart", "Heart", "en-US"), Voice("af_nova", "Nova", "en-US"),
          alloy="af_heart"),
)  # fmt: skip


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
