"""What Ray's failures mean to a client."""

import warnings

import pytest

from myna.cluster.calls import ReplicaLost
from myna.errors import EngineFailure, Overloaded, headers

with warnings.catch_warnings():
    # Ray declares its own settings in a way that pydantic has given up.
    warnings.simplefilter("ignore")
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    from ray.exceptions import RayActorError, RayTaskError
    from ray.serve.exceptions import BackPressureError, RequestCancelledError

    from myna.cluster.fleet import translated


def in_a_task(error):
    return RayTaskError("answer", "", error)


def test_a_full_queue_is_overload_which_says_when_to_come_back():
    error = translated(BackPressureError(5, 5))
    assert isinstance(error, Overloaded)
    assert headers(error)["retry-after"] == "2"
    later = translated(BackPressureError(5, 5, retry_after_s=7))
    assert headers(later)["retry-after"] == "7"


@pytest.mark.parametrize(
    "error", [RayActorError(), RequestCancelledError(), in_a_task(RayActorError())]
)
def test_a_replica_that_is_gone_is_lost(error):
    assert isinstance(translated(error), ReplicaLost)


def test_an_app_that_crashes_in_a_replica_is_a_failure_that_tells_no_details():
    error = translated(in_a_task(LookupError("secret")))
    assert isinstance(error, EngineFailure)
    assert "secret" not in str(error)
    assert headers(error)["x-should-retry"] == "false"


def test_what_the_app_refuses_keeps_its_words():
    error = translated(in_a_task(Overloaded("no room")))
    assert isinstance(error, Overloaded)
