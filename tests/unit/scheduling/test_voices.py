"""Which voice a name means."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from myna.engines.contract.voice import OPENAI_VOICES, Voice
from myna.errors import BadRequest
from myna.scheduling.voices import (
    foreseen,
    give_stand_ins,
    known_voice,
    meant_by,
    own_voice,
    voice_named,
)


def engine(*ids: str, speakers: int = 0) -> Any:
    voices: list[Voice] = [Voice(name, f"{name} the voice", "en-US") for name in ids]
    voices += [
        Voice(f"{ids[0]}#{number}", f"Speaker {number}", "en-US", number)
        for number in range(speakers)
    ]
    return SimpleNamespace(voices=voices, stand_ins={})


@pytest.mark.parametrize("name", ["af_heart", "AF_Heart", "af_heart the voice"])
def test_a_voice_goes_by_its_id_and_its_name_in_any_case(name):
    assert voice_named(name, engine("am_echo", "af_heart")).id == "af_heart"


def test_every_openai_voice_is_spoken_by_some_voice():
    for count in (1, 2, 5, 13, 50):
        ids = [f"voice {number}" for number in range(count)]
        given = [voice_named(name, engine(*ids)).id for name in OPENAI_VOICES]
        assert len(set(given)) == min(count, len(OPENAI_VOICES))
        assert set(given) <= set(ids)


@pytest.mark.parametrize("speakers", [1, 2, 5, 13, 109])
def test_speakers_of_one_voice_are_dealt_out_each_once_before_any_comes_again(speakers):
    """The voice itself is listed besides and speaks as its first speaker, so it is not dealt."""
    given = [
        voice_named(name, engine("en_GB-vctk", speakers=speakers)).speaker for name in OPENAI_VOICES
    ]
    assert given[: min(speakers, 13)] == list(range(min(speakers, 13)))
    assert set(given) == set(range(min(speakers, 13)))


def test_a_voice_and_its_speakers_go_by_their_ids():
    several = engine("en_GB-vctk", speakers=3)
    assert voice_named("en_GB-vctk", several).speaker is None
    assert voice_named("en_gb-vctk#2", several).speaker == 2


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


def test_a_known_voice_is_none_where_the_name_means_nothing():
    assert known_voice("nova", engine("a", "b")) is None
    assert known_voice("nova", Mixer()) == Mixer.voices[0]


# The setting


class Own(Mixer):
    """A mixer whose stand-ins may change."""

    def __init__(self) -> None:
        self.stand_ins = dict(Mixer.stand_ins)  # type: ignore[misc]


def test_the_table_changes_the_names_it_has_and_leaves_the_others():
    mixer = Own()
    give_stand_ins(mixer, {"alloy": "AF_Heart", "echo": "af_heart+am_onyx"})
    meant = {name: voice_named(name, mixer).id for name in ("alloy", "echo", "nova")}
    assert meant == {"alloy": "af_heart", "echo": "af_heart+am_onyx", "nova": "af_heart"}


def test_an_entry_counts_for_each_engine_that_has_the_voice_and_for_no_other():
    mixer, first, second = Own(), engine("joe", "amy"), engine("amy")
    for one in (mixer, first, second):
        give_stand_ins(one, {"alloy": "amy", "nova": "am_onyx"})
    assert (mixer.stand_ins["alloy"], mixer.stand_ins["nova"]) == ("am_onyx", "am_onyx")
    assert first.stand_ins == second.stand_ins == {"alloy": "amy"}
    assert voice_named("alloy", first).id == "amy"


def test_a_malformed_blend_in_the_table_changes_nothing():
    mixer = Own()
    give_stand_ins(mixer, {"onyx": "am_onyx+"})
    assert mixer.stand_ins == Mixer.stand_ins


def test_what_stands_in_is_known_by_the_voices_themselves():
    mixer = Own()
    give_stand_ins(mixer, {"echo": "af_heart+am_onyx"})
    meant = {name: voice.id for name, voice in meant_by(mixer).items()}
    assert meant == {"alloy": "am_onyx", "nova": "af_heart", "echo": "af_heart+am_onyx"}


def test_what_will_stand_in_is_foreseen_from_the_voices_of_a_card():
    table = {"alloy": "AF_Heart", "echo": "am_onyx*2 + af_heart", "nova": "amy", "fable": "Heart"}
    found = {name: voice.id for name, voice in foreseen(table, Mixer.voices).items()}
    assert found == {"alloy": "af_heart", "echo": "am_onyx*2 + af_heart"}
