"""How many replicas audio that waits asks for."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.cluster.scaling import BUSY, QUEUED, QueuedAudio, wanted

seconds = st.floats(0, 1e6)
replicas = st.floats(0, 100)


@pytest.mark.parametrize(
    ("queued_s", "busy", "count"),
    [(0, 0, 0), (1, 0, 1), (60, 1, 1), (61, 1, 2), (600, 2, 10), (0, 3, 3), (0, 0.4, 0)],
)
def test_each_replica_has_a_minute_of_audio_waiting_at_most(queued_s, busy, count):
    assert wanted(queued_s, busy, 60) == count


@given(seconds, seconds, replicas)
def test_more_audio_never_asks_for_fewer(one, other, busy):
    less, more = sorted((one, other))
    assert wanted(less, busy, 60) <= wanted(more, busy, 60)


def context(**metrics):
    return SimpleNamespace(aggregated_metrics=metrics, current_num_replicas=2)


def test_what_all_replicas_report_is_added_up():
    policy = QueuedAudio(goal_s=30)
    assert policy(context(**{QUEUED: {"a": 50.0, "b": 20.0}, BUSY: {"a": 1.0, "b": 1.0}})) == (
        3,
        {},
    )


def test_nothing_changes_before_anybody_has_reported():
    assert QueuedAudio()(SimpleNamespace(aggregated_metrics=None, current_num_replicas=2)) == (
        2,
        {},
    )
    assert QueuedAudio()(context()) == (2, {})


def test_replicas_at_work_are_kept_when_their_queues_are_empty():
    assert QueuedAudio()(context(**{QUEUED: {"a": 0.0}, BUSY: {"a": 1.0, "b": 0.9}})) == (2, {})
