"""Which voice a name means."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from myna.engines.contract import OPENAI_VOICES, Voice
from myna.errors import BadRequest
from myna.scheduling.voices import own_voice, voice_named


def engine(*ids: str) -> Any:
    voices: Sequence[Voice] = [Voice(name, f"{name} the voice", "en-US") for name in ids]
    return SimpleNamespace(voices=voices)


@pytest.mark.parametrize("name", ["af_heart", "AF_Heart", "af_heart the voice"])
def test_a_voice_goes_by_its_id_and_its_name_in_any_case(name):
    assert voice_named(name, engine("am_echo", "af_heart")).id == "af_heart"


def test_every_openai_voice_is_spoken_by_some_voice():
    for count in (1, 2, 5, 13, 50):
        ids = [f"voice {number}" for number in range(count)]
        given = [voice_named(name, engine(*ids)).id for name in OPENAI_VOICES]
        assert len(set(given)) == min(count, len(OPENAI_VOICES))
        assert set(given) <= set(ids)


def test_an_engines_own_voice_wins_over_the_dealing():
    assert voice_named("nova", engine("alloy", "echo", "nova")).id == "nova"


@pytest.mark.parametrize("name", ["", "nobody"])
def test_any_other_name_gets_the_first_voice(name):
    assert voice_named(name, engine("first", "second")).id == "first"


class Mixer:
    """An engine that has stand-ins, and mixes whatever has a plus in it."""

    voices = (Voice("af_heart", "Heart", "en-US"), Voice("am_onyx", "Onyx", "en-US"))
    stand_ins: ClassVar = {"alloy": "am_onyx", "nova": "af_heart"}

    def blend(self, name: str) -> Voice | None:
        if name.endswith("+"):
            raise BadRequest("half a blend", param="voice")
        return Voice(name, name, "en-US") if "+" in name else None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alloy", "am_onyx"),
        ("NOVA", "af_heart"),
        ("onyx", "am_onyx"),
        ("am_onyx", "am_onyx"),
        ("verse", "af_heart"),
        ("nobody", "af_heart"),
        ("af_heart+am_onyx", "af_heart+am_onyx"),
        (" AF_heart+AM_onyx ", "af_heart+am_onyx"),
    ],
)
def test_an_engines_stand_ins_and_blends_go_before_the_dealing(name, expected):
    assert voice_named(name, Mixer()).id == expected


def test_a_wrong_blend_is_refused_and_not_dealt():
    with pytest.raises(BadRequest, match="half a blend"):
        voice_named("af_heart+", Mixer())


def test_an_engines_own_are_its_ids_and_its_blends():
    assert own_voice("AM_Onyx", Mixer()) == Mixer.voices[1]
    assert own_voice("a+b", Mixer()) == Voice("a+b", "a+b", "en-US")
    assert [own_voice(name, Mixer()) for name in ("Heart", "alloy", "nobody")] == [None] * 3
    assert own_voice("a+b", engine("a", "b")) is None
