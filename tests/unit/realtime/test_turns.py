"""Turns: what threshold, silence and idle time really do, frame by frame."""

import pytest

from myna.realtime.turns import ONSET_FRAMES, TurnRules, Turns, frames

SPEECH, SILENCE = 0.9, 0.1


def changes(turns, probabilities):
    """(frame behind it, change) for every change."""
    found = ((at, turns.step(value)) for at, value in enumerate(probabilities, start=1))
    return [(at, change) for at, change in found if change]


@pytest.mark.parametrize(("ms", "count"), [(0, 0), (1, 1), (32, 1), (33, 2), (500, 16), (300, 10)])
def test_a_time_is_at_least_so_many_frames(ms, count):
    assert frames(ms) == count


@pytest.mark.parametrize("silence_ms", [0, 32, 200, 500, 2000])
def test_a_turn_ends_after_the_silence_that_was_asked_for(silence_ms):
    turns = Turns(TurnRules(silence_ms=silence_ms))
    found = changes(turns, [SPEECH] * 10 + [SILENCE] * 100)
    assert found == [(ONSET_FRAMES, "started"), (10 + max(1, frames(silence_ms)), "stopped")]


def test_a_pause_that_is_shorter_does_not_end_it():
    pause = [SILENCE] * (frames(500) - 1)
    turns = Turns(TurnRules(silence_ms=500))
    assert changes(turns, [SPEECH] * 5 + pause + [SPEECH] * 5 + pause) == [(3, "started")]
    assert turns.speaking


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.95])
def test_only_what_reaches_the_threshold_begins_a_turn(threshold):
    rules = TurnRules(threshold=threshold)
    assert changes(Turns(rules), [threshold - 0.01] * 50) == []
    assert changes(Turns(rules), [threshold] * 50) == [(ONSET_FRAMES, "started")]


def test_what_is_a_little_below_the_threshold_keeps_a_turn_going():
    turns = Turns(TurnRules(threshold=0.5))
    assert changes(turns, [0.5] * 3 + [0.36] * 100) == [(3, "started")]


def test_but_does_not_go_on_after_a_silent_frame():
    turns = Turns(TurnRules(threshold=0.5, silence_ms=320))
    assert changes(turns, [0.5] * 3 + [0.1] + [0.36] * 9) == [(3, "started"), (13, "stopped")]


def test_a_click_is_no_turn():
    turns = Turns(TurnRules())
    assert changes(turns, ([SPEECH] * (ONSET_FRAMES - 1) + [SILENCE]) * 20) == []


def test_silence_for_the_idle_time_is_told_again_and_again():
    turns = Turns(TurnRules(idle_ms=5000))
    count = frames(5000)
    assert changes(turns, [SILENCE] * 2 * count) == [(count, "idle"), (2 * count, "idle")]


def test_idle_time_begins_anew_behind_a_turn():
    turns = Turns(TurnRules(silence_ms=500, idle_ms=5000))
    quiet = [SILENCE] * (frames(5000) - 1)
    spoken = quiet + [SPEECH] * 3 + [SILENCE] * frames(500)
    assert [change for _, change in changes(turns, spoken + quiet)] == ["started", "stopped"]


def test_nobody_is_told_of_idle_time_who_did_not_ask():
    assert changes(Turns(TurnRules()), [SILENCE] * 10_000) == []


def test_detection_may_begin_in_the_middle_of_a_turn():
    turns = Turns(TurnRules(silence_ms=96), speaking=True)
    assert changes(turns, [SILENCE] * 3) == [(3, "stopped")]
