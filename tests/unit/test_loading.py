"""What OpenAI's names mean among the models that are loaded."""

from __future__ import annotations

from typing import Any

import pytest

from myna.api.names import TTS_NAMES
from myna.loading import speech_names
from myna.scheduling.resident import About, Resident


def resident(name: str, kind: str) -> Resident[Any]:
    def build() -> Any:
        raise AssertionError("names are known before anything is loaded")

    return Resident(About(name, kind=kind), build)


JOE, AMY = resident("joe", "piper"), resident("amy", "piper")
KOKORO = resident("kokoro-v1.0", "kokoro")


@pytest.mark.parametrize("order", [(JOE, KOKORO, AMY), (KOKORO, JOE, AMY)])
def test_with_both_engines_tts_1_is_the_quick_one_and_the_rest_the_good_one(order):
    found = speech_names(order)
    assert set(found) == set(TTS_NAMES)
    quick = {name for name, meant in found.items() if meant is JOE}
    assert quick == {"tts-1", "tts-1-1106"}
    assert {name for name, meant in found.items() if meant is KOKORO} == set(TTS_NAMES) - quick


@pytest.mark.parametrize("alone", [(), (JOE,), (JOE, AMY), (KOKORO,), (resident("f", "fake"),)])
def test_with_one_engine_no_name_means_anything_of_its_own(alone):
    assert speech_names(alone) == {}
