"""How many replicas there are and what they take."""

import pytest
from pydantic import ValidationError

from myna.cluster.shape import on_one_machine, processors, shape_of
from myna.settings import Settings


def test_a_number_stays_and_a_span_has_two_ends():
    settings = Settings(stt_replicas="3", tts_replicas="1-4")
    stt, tts = (shape_of(settings, task, 1) for task in ("stt", "tts"))
    assert (stt.least, stt.most) == (3, 3)
    assert (tts.least, tts.most) == (1, 4)


@pytest.mark.parametrize("wrong", ["0", "4-1", "many", "1-", "-2", "0-3"])
def test_what_is_no_number_of_replicas_is_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(stt_replicas=wrong)


def test_replicas_may_share_a_gpu_and_do_not_see_one_that_is_not_theirs():
    settings = Settings(stt_gpus=0.25)
    assert shape_of(settings, "stt", 2).resources == {"num_cpus": 2, "num_gpus": 0.25}
    assert shape_of(settings, "tts", 2).resources == {"num_cpus": 2}


def test_sessions_have_slots_of_their_own():
    settings = Settings(max_requests=10, max_sessions=3)
    assert [shape_of(settings, task, 1).slots for task in ("stt", "tts")] == [13, 10]


@pytest.mark.parametrize(("cores", "each", "all_of_them"), [(8, 2, 8), (9, 2, 8), (2, 1, 4)])
def test_a_machine_is_shared_by_its_replicas_which_all_find_room(cores, each, all_of_them):
    settings = Settings(stt_replicas="1-3", tts_replicas="1")
    shapes = on_one_machine(settings, ("stt", "tts"), cores)
    assert {shape.cpus for shape in shapes.values()} == {each}
    assert processors(shapes) == all_of_them


def test_threads_that_are_asked_for_are_each_replicas():
    settings = Settings(threads=3, stt_replicas="2", tts_replicas="1")
    assert processors(on_one_machine(settings, ("stt", "tts"), 2)) == 9
