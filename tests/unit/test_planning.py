"""Which model tells speakers apart, or why none does."""

from __future__ import annotations

from pathlib import Path

import pytest

from myna import planning
from myna.plan import PlannedModel
from myna.settings import Settings
from myna.store.weights import ModelUnavailable


def plan_of(settings: Settings, *, here: bool = True) -> tuple[PlannedModel | None, str]:
    def found(name: str) -> PlannedModel:
        if not here:
            raise ModelUnavailable(f"{name}: nothing to be had")
        return PlannedModel(name, "diarizer", Path())

    return planning._diarizer(settings, found)


@pytest.fixture
def bare(monkeypatch) -> None:
    """The extra is not installed."""
    monkeypatch.setattr(planning, "missing_packages", lambda: ["scipy"])


def test_the_card_is_taken_where_the_extra_is_installed():
    assert planning.missing_packages() == []
    model, _ = plan_of(Settings())
    assert model is not None
    assert model.id == "speakers-campplus"


def test_the_fake_listener_has_fake_ears():
    model, _ = plan_of(Settings(stt=("fake",)))
    assert model is not None
    assert model.engine == "fake"


@pytest.mark.usefixtures("bare")
def test_without_the_extra_the_reason_names_it():
    model, reason = plan_of(Settings())
    assert model is None
    assert "myna[diarize]" in reason
    assert "scipy" in reason


@pytest.mark.usefixtures("bare")
def test_a_model_that_was_named_stops_the_start_without_the_extra():
    with pytest.raises(ModelUnavailable, match=r"myna\[diarize\]"):
        plan_of(Settings(diarize="speakers"))


def test_without_the_files_it_goes_on_and_says_how_to_fetch_them():
    model, reason = plan_of(Settings(), here=False)
    assert model is None
    assert "myna pull speakers-campplus" in reason


def test_a_model_that_was_named_stops_the_start_without_its_files():
    with pytest.raises(ModelUnavailable, match="nothing to be had"):
        plan_of(Settings(diarize="speakers"), here=False)


def test_none_is_none():
    assert plan_of(Settings(diarize="none")) == (None, "it was started with --diarize none")
    assert plan_of(Settings(stt=()))[0] is None


@pytest.mark.parametrize(
    ("given", "quick", "torch", "expected"),
    [
        ({}, True, True, 2),
        ({}, True, False, 1),
        ({}, False, True, 1),
        ({"tts_compute_type": "bfloat16"}, False, True, 2),
        ({"tts_compute_type": "float32"}, True, True, 1),
        ({"tts": ()}, True, True, 1),
    ],
)
def test_there_is_a_second_heap_where_speech_may_be_made_by_torch(
    monkeypatch, given, quick, torch, expected
):
    monkeypatch.setattr("myna.engines.bfloat16.is_quick", lambda: quick)
    monkeypatch.setattr(planning, "find_spec", lambda _: object() if torch else None)
    assert planning.heaps(Settings(**given)) == expected
