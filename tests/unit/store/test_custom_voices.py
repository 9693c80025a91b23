"""Custom voices and the consents that they rest on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from myna.store.custom_voices import (
    Consent,
    ConsentInUse,
    ConsentMissing,
    CustomVoice,
    CustomVoices,
    Full,
)

AGREED = Consent(name="Ann", language="en-US")


def voice(consent: str | None = None) -> CustomVoice:
    return CustomVoice(
        name="Ann", type="audio_sample", engine="kokoro", language="en-US", consent=consent
    )


@pytest.fixture
def custom(tmp_path: Path) -> CustomVoices:
    return CustomVoices(tmp_path, 3)


def test_ids_tell_voices_and_consents_apart(custom):
    consent = custom.add_consent(AGREED, b"recording")
    made = custom.add_voice(voice(consent), b"table")
    assert consent.startswith("cons_")
    assert made.startswith("voice_")
    assert custom.voices.find(made).consent == consent


def test_they_survive_a_restart(custom, tmp_path):
    made = custom.add_voice(voice(), b"table")
    again = CustomVoices(tmp_path, 3)
    assert again.voices.find(made) == custom.voices.find(made)
    assert again.voices.file(made) == b"table"


def test_a_voice_needs_a_consent_that_is_there(custom):
    with pytest.raises(ConsentMissing):
        custom.add_voice(voice("cons_" + "0" * 32), b"table")
    assert custom.voices.ids() == []


def test_a_consent_stays_while_a_voice_rests_on_it(custom):
    consent = custom.add_consent(AGREED, b"recording")
    made = custom.add_voice(voice(consent), b"table")
    with pytest.raises(ConsentInUse, match=made):
        custom.delete_consent(consent)
    assert custom.voices.delete(made)
    assert custom.delete_consent(consent)
    assert not custom.delete_consent(consent)


def test_there_are_at_most_so_many_also_when_all_come_at_once(custom):
    def add(_number: int) -> bool:
        try:
            custom.add_voice(voice(), b"table")
        except Full:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(add, range(12))) == 3
    assert len(custom.voices.ids()) == 3
    for _ in range(3):
        custom.add_consent(AGREED, b"recording")
    with pytest.raises(Full):
        custom.add_consent(AGREED, b"recording")


def test_a_consent_is_not_deleted_under_the_voice_that_is_being_made_with_it(tmp_path):
    for number in range(20):
        custom = CustomVoices(tmp_path / str(number), 3)
        consent = custom.add_consent(AGREED, b"recording")
        with ThreadPoolExecutor(2) as threads:
            made = threads.submit(custom.add_voice, voice(consent), b"table")
            deleted = threads.submit(custom.delete_consent, consent)
            outcomes = (type(made.exception()), type(deleted.exception()))
        assert outcomes in {(ConsentMissing, type(None)), (type(None), ConsentInUse)}
