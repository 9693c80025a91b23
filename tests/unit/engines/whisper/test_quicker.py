"""Which of two ways is the quicker one is learned from what they took."""

import pytest

from myna.engines.whisper.quicker import Quicker

FIRST_S, SECOND_S = 0.006, 0.004


def work(choice: Quicker, times: int, first_s: float, second_s: float) -> list[bool]:
    """Work as chosen; whether it was the second way, for each time."""
    chosen = []
    for _ in range(times):
        second = choice.chooses_second("work")
        choice.learn("work", second=second, seconds=second_s if second else first_s)
        chosen.append(second)
    return chosen


def test_each_way_is_tried_twice_and_then_the_quicker_one_is_taken():
    tried = [True, False, True, False]
    assert work(Quicker(), 12, FIRST_S, SECOND_S) == [*tried, *[True] * 8]
    assert work(Quicker(), 12, SECOND_S, FIRST_S) == [*tried, *[False] * 8]


def test_the_first_run_of_all_which_is_a_slow_one_decides_nothing():
    choice = Quicker()
    choice.learn("work", second=True, seconds=1.0)
    assert work(choice, 10, FIRST_S, SECOND_S)[4:] == [True] * 6
    assert choice.second_takes("work") == SECOND_S / FIRST_S


def test_two_runs_that_were_held_up_change_nothing():
    choice = Quicker()
    work(choice, 6, FIRST_S, SECOND_S)
    for _ in range(2):
        choice.learn("work", second=True, seconds=1.0)
    assert choice.chooses_second("work")
    assert choice.second_takes("work") == SECOND_S / FIRST_S


def test_how_long_the_second_takes_is_not_known_before_both_have_been_tried():
    choice = Quicker()
    assert choice.second_takes("work") is None
    work(choice, 3, FIRST_S, SECOND_S)
    assert choice.second_takes("work") is None


def test_what_was_found_of_both_does_not_fade():
    choice = Quicker()
    work(choice, 100, FIRST_S, FIRST_S * 0.9)
    assert choice.second_takes("work") == pytest.approx(0.9)


def test_a_way_that_has_become_slow_is_left():
    choice = Quicker()
    work(choice, 6, FIRST_S, SECOND_S)
    assert work(choice, 12, FIRST_S, 0.02)[4:] == [False] * 8


def test_the_other_way_is_tried_again_now_and_then():
    choice = Quicker()
    work(choice, 6, FIRST_S, 0.02)
    chosen = work(choice, 500, FIRST_S, SECOND_S)
    assert chosen[-100:].count(True) > 95


def test_most_of_the_time_the_quicker_way_is_taken():
    chosen = work(Quicker(), 1000, FIRST_S, SECOND_S)
    assert chosen.count(False) <= 20


def test_each_kind_of_work_is_learned_by_itself():
    choice = Quicker()
    for _ in range(2):
        choice.learn("large", second=False, seconds=0.2)
        choice.learn("large", second=True, seconds=0.1)
        choice.learn("small", second=False, seconds=0.01)
        choice.learn("small", second=True, seconds=0.02)
    assert choice.chooses_second("large")
    assert not choice.chooses_second("small")
