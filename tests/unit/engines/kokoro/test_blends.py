"""How a blend is written, and what it comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.engines.kokoro.blends import MOST_PARTS, BlendError, Part, is_blend, parts_of

VOICES = ("af_heart", "am_onyx", "bm_fable")
KNOWN = {voice: (Part(voice, 1.0),) for voice in VOICES} | {
    "onyx": (Part("am_onyx", 1.0),),
    "duo": (Part("af_heart", 0.75), Part("bm_fable", 0.25)),
}


def shares(name: str) -> dict[str, float]:
    return {part.voice: part.share for part in parts_of(name, KNOWN.get)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("af_heart+am_onyx", {"af_heart": 1 / 2, "am_onyx": 1 / 2}),
        ("af_heart(2)+am_onyx(1)", {"af_heart": 2 / 3, "am_onyx": 1 / 3}),
        ("af_heart(2)+am_onyx", {"af_heart": 2 / 3, "am_onyx": 1 / 3}),
        ("af_heart*0.7+am_onyx*0.3", {"af_heart": 0.7, "am_onyx": 0.3}),
        ("af_heart*.5 + am_onyx (1.5)", {"af_heart": 1 / 4, "am_onyx": 3 / 4}),
        ("AF_Heart + AM_Onyx + BM_Fable", {"af_heart": 1 / 3, "am_onyx": 1 / 3, "bm_fable": 1 / 3}),
        ("af_heart+onyx", {"af_heart": 1 / 2, "am_onyx": 1 / 2}),
        ("af_heart+am_onyx+onyx", {"af_heart": 1 / 3, "am_onyx": 2 / 3}),
        ("am_onyx+duo", {"am_onyx": 1 / 2, "af_heart": 3 / 8, "bm_fable": 1 / 8}),
        ("duo(2)+bm_fable", {"af_heart": 1 / 2, "bm_fable": 1 / 2}),
        ("af_heart(3)", {"af_heart": 1.0}),
        ("af_heart", {"af_heart": 1.0}),
    ],
)
def test_both_ways_of_writing_weights_are_read(name: str, expected: dict[str, float]) -> None:
    assert shares(name) == pytest.approx(expected)


def test_parts_stay_in_the_order_they_are_written() -> None:
    assert list(shares("am_onyx(1)+af_heart(9)")) == ["am_onyx", "af_heart"]


@pytest.mark.parametrize(
    "name",
    [
        *("+", "af_heart+", "+af_heart", "af_heart++am_onyx", "af_heart()", "af_heart(2", "(2)"),
        *("af_heart(2)*3", "af_heart*", "af_heart(x)", "af_heart(-1)", "af_heart*-1", "a b+c"),
        *("af_heart(1e3)", "af_heart*nan", "af_heart(2)am_onyx(1)", "af_heart*0,7", "af_heart(٢)"),
    ],
)
def test_a_malformed_blend_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(BlendError, match=r"af_heart\(2\)\+am_onyx\(1\)"):
        shares(name)


def test_an_unknown_part_is_named_with_the_place_that_lists_voices() -> None:
    with pytest.raises(BlendError, match=r"no voice 'nobody'.*GET /v1/audio/voices"):
        shares("af_heart+nobody")


@pytest.mark.parametrize("name", ["af_heart(0)+am_onyx", "af_heart*0.0", "am_onyx+af_heart(.0)"])
def test_a_weight_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(BlendError, match="'af_heart' must be more than 0"):
        shares(name)


def test_a_blend_of_too_many_voices_is_refused() -> None:
    assert shares("+".join(["af_heart"] * MOST_PARTS))
    with pytest.raises(BlendError, match=f"at most {MOST_PARTS}"):
        shares("+".join(["af_heart"] * (MOST_PARTS + 1)))


@pytest.mark.parametrize(
    ("name", "expected"), [("af_heart", False), ("Heart", False), ("a+b", True), ("a(2)", True)]
)
def test_a_blend_is_told_by_its_signs(name: str, expected: bool) -> None:
    assert is_blend(name) is expected


@given(st.lists(st.tuples(st.sampled_from(sorted(KNOWN)), st.integers(1, 999)), min_size=1))
def test_shares_come_to_one(parts: list[tuple[str, int]]) -> None:
    found = shares("+".join(f"{voice}({weight})" for voice, weight in parts[:MOST_PARTS]))
    assert sum(found.values()) == pytest.approx(1)
    assert all(share > 0 for share in found.values())


@given(st.text("af_heart+*().0123 ", max_size=40))
def test_any_text_is_a_blend_or_refused(name: str) -> None:
    try:
        found = shares(name)
    except BlendError:
        return
    assert sum(found.values()) == pytest.approx(1)
