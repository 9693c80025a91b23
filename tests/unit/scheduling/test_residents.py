"""Which loaded model a name means."""

from __future__ import annotations

from typing import Any

import pytest

from myna.errors import BadRequest, ModelNotFound
from myna.scheduling import residents as stock
from myna.scheduling.admission import Admission
from myna.scheduling.resident import About, Loaded, Resident, Standing
from myna.scheduling.residents import Residents


def resident(
    name: str, *aliases: str, closed: list[str] | None = None, standing: Standing = "named"
) -> Resident[Any]:
    notes = closed if closed is not None else []
    made: Resident[Any] = Resident(About(name, aliases, standing=standing), lambda: held)
    held = Loaded(object(), lambda: notes.append(name))
    made.hold(held)
    return made


def shelf(
    task: str,
    held: tuple[Resident[Any], ...],
    names: tuple[str, ...],
    meanings: dict[str, Resident[Any]] | None = None,
) -> stock.Shelf[Any]:
    """A shelf with nothing to do."""
    idle = Admission(most_requests=1, most_queued_s=1, queued_s=lambda: 0.0, speed=lambda: None)
    return stock.Shelf(task, held, names, idle, meanings)


BASE = resident("whisper-base", "base", "Whisper")
TINY = resident("whisper-tiny.en", "tiny", "whisper")
JOE = resident("joe")


@pytest.fixture
def stt() -> stock.Shelf[Any]:
    return shelf("transcription", (BASE, TINY), ("whisper-1", "gpt-4o-transcribe"))


@pytest.fixture
def residents(stt) -> Residents:
    return Residents(stt, shelf("speech", (JOE,), ("tts-1",)), lambda: None)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("whisper-base", BASE),
        ("WHISPER-BASE", BASE),
        ("base", BASE),
        ("whisper-tiny.en", TINY),
        ("Tiny", TINY),
        ("whisper-1", BASE),
        ("GPT-4o-transcribe", BASE),
        ("large", None),
        ("", None),
    ],
)
def test_ids_aliases_and_openais_names_are_found_in_any_case(stt, name, found):
    assert stt.find(name) is found


def test_a_name_that_two_models_have_means_the_first(stt):
    assert stt.find("whisper") is BASE


def test_a_models_own_name_wins_over_openais(stt):
    named = shelf("transcription", (BASE, resident("whisper-1")), ("whisper-1",))
    found = named.find("whisper-1")
    assert found is not None
    assert found.id == "whisper-1"


def test_a_name_of_openais_may_have_a_meaning_of_its_own(stt):
    named = shelf(
        "transcription", (BASE, TINY), ("whisper-1", "gpt-4o-transcribe"), {"whisper-1": TINY}
    )
    assert named.find("Whisper-1") is TINY
    assert named.find("gpt-4o-transcribe") is BASE
    assert dict(named.names())["whisper-1"] is TINY


def test_every_listed_name_is_found_as_listed_and_listed_once(stt):
    listed = stt.names()
    assert [name for name, _ in listed][:2] == ["whisper-1", "gpt-4o-transcribe"]
    assert len({name.lower() for name, _ in listed}) == len(listed)
    assert {"whisper-base", "whisper-tiny.en", "base", "tiny"} <= {name for name, _ in listed}
    for name, meant in listed:
        assert stt.find(name) is meant, name


def test_an_empty_shelf_has_no_names():
    empty: stock.Shelf[Any] = shelf("speech", (), ("tts-1",))
    assert empty.names() == []
    assert empty.find("tts-1") is None


def test_an_unknown_name_means_the_default_unless_strict(residents):
    assert residents.transcriber("whisper-9", strict=False) is BASE
    with pytest.raises(ModelNotFound, match="whisper-9"):
        residents.transcriber("whisper-9", strict=True)


def test_known_names_are_found_in_strict_mode_too(residents):
    assert residents.transcriber("tiny", strict=True) is TINY
    assert residents.speaker("tts-1", strict=True) is JOE


@pytest.mark.parametrize("strict", [False, True])
def test_a_model_of_the_other_task_is_refused_by_name(residents, strict):
    with pytest.raises(BadRequest, match=r"joe.*transcription") as caught:
        residents.transcriber("joe", strict=strict)
    assert (caught.value.param, caught.value.code) == ("model", "unsupported_model")
    with pytest.raises(BadRequest, match=r"whisper-1.*speech"):
        residents.speaker("whisper-1", strict=strict)


def test_without_a_model_for_the_task_nothing_is_found(stt):
    listeners = Residents(stt, shelf("speech", (), ("tts-1",)), lambda: None)
    with pytest.raises(ModelNotFound):
        listeners.speaker("tts-1", strict=False)


def test_a_model_of_the_reserve_has_no_name_until_it_is_called_up():
    large = resident("large", "whisper-base", "big", standing="reserve")
    found = shelf("transcription", (BASE, large), ("whisper-1",))
    residents = Residents(found, shelf("speech", (JOE,), ()), lambda: None)
    assert found.find("large") is None
    assert found.residents == residents.all[:1] == (BASE,)
    assert residents.find_known("Big") is large
    large.called_up = True
    assert found.find("big") is large
    assert found.find("whisper-base") is found.find("whisper-1") is BASE
    assert {"large", "big"} <= {name for name, _ in found.names()}


def test_with_nothing_named_the_first_that_is_called_up_is_the_default():
    tiny, large = resident("tiny", standing="reserve"), resident("large", standing="reserve")
    found = shelf("transcription", (tiny, large), ("whisper-1",))
    assert found.find("whisper-1") is None
    assert found.names() == []
    large.called_up = True
    assert found.find("whisper-1") is large


def test_closing_closes_every_resident_and_then_what_they_share():
    closed: list[str] = []
    residents = Residents(
        shelf("transcription", (resident("a", closed=closed), resident("b", closed=closed)), ()),
        shelf("speech", (resident("c", closed=closed),), ()),
        lambda: closed.append("shared"),
    )
    residents.close()
    assert closed == ["a", "b", "c", "shared"]
