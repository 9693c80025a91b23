"""Who is let in, and what the others are told."""

from __future__ import annotations

import pytest

from myna.errors import Overloaded
from myna.scheduling.admission import Admission
from myna.scheduling.speed import Speedometer


def door(
    requests: int = 2, limit_s: float = 100.0, queued_s: float = 0.0, speed: float | None = None
) -> Admission:
    return Admission(
        most_requests=requests,
        most_queued_s=limit_s,
        queued_s=lambda: queued_s,
        speed=lambda: speed,
    )


def test_as_many_requests_as_were_set_are_let_in_and_one_more_when_one_has_left():
    admission = door(requests=2)
    first, _ = admission.admit(), admission.admit()
    with pytest.raises(Overloaded):
        admission.admit()
    first.leave()
    first.leave()
    assert admission.requests == 1
    admission.admit()
    assert admission.requests == 2


def test_nobody_is_let_in_while_too_much_audio_waits():
    door(queued_s=99.9).admit()
    with pytest.raises(Overloaded):
        door(queued_s=100.0).admit()


@pytest.mark.parametrize(
    ("queued_s", "speed", "expected_s"),
    [
        (1000.0, 20.0, 5.0),  # a tenth of what waits
        (1200.0, 20.0, 16.0),  # and what is beyond the limit
        (1000.0, None, 10.0),  # before anything was measured
        (1000.0, 1000.0, 1.0),
        (9000.0, 1.0, 60.0),
    ],
)
def test_those_sent_away_are_told_when_a_tenth_of_the_queue_is_done(queued_s, speed, expected_s):
    with pytest.raises(Overloaded) as caught:
        door(limit_s=1000.0, queued_s=queued_s, speed=speed).admit()
    assert caught.value.retry_after_s == pytest.approx(expected_s)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_speed_is_audio_over_the_time_in_which_something_ran():
    clock = Clock()
    speed = Speedometer(clock)
    assert speed.rate() is None
    speed.begin()
    clock.now_s = 2
    assert speed.rate() is None
    speed.end(40)
    assert speed.rate() == 20
    clock.now_s = 1000  # idle
    speed.begin()
    speed.begin()
    clock.now_s = 1002
    speed.end(40)
    speed.end(40)
    assert speed.rate() == 30


def test_what_was_measured_long_ago_counts_less():
    clock = Clock()
    speed = Speedometer(clock)
    for seconds, audio_s in ((100, 1000), (100, 4000)):
        speed.begin()
        clock.now_s += seconds
        speed.end(audio_s)
    assert speed.rate() == pytest.approx(4500 / 150)
