"""Which voice a name means."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from myna.engines.contract import OPENAI_VOICES, Voice
from myna.scheduling.voices import voice_named


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
