"""What a caller may use a minute, on a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myna.accounts import Account, Accounts, Allowance, Bucket, span
from myna.errors import RateLimited, headers


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def spent(account: Account) -> int:
    """How many requests are admitted until one is not."""
    for count in range(1000):
        try:
            account.admit()
        except RateLimited:
            return count
    raise AssertionError("no limit")


def test_as_many_requests_as_a_minute_has_are_admitted_at_once_and_then_steadily(clock):
    account = Account("a", Allowance(requests_per_minute=60), clock)
    assert spent(account) == 60
    clock.now_s += 5
    assert spent(account) == 5
    clock.now_s += 3600
    assert spent(account) == 60


def test_a_refusal_says_when_to_come_back_and_then_it_is_taken(clock):
    account = Account("a", Allowance(requests_per_minute=2), clock)
    assert spent(account) == 2
    with pytest.raises(RateLimited) as caught:
        account.admit()
    error = caught.value
    assert (error.status, error.type, error.code) == (
        429,
        "rate_limit_error",
        "rate_limit_exceeded",
    )
    assert error.retry_after_s == pytest.approx(30)
    assert "requests per minute" in error.message
    assert "30s" in error.message
    clock.now_s += 29
    with pytest.raises(RateLimited):
        account.admit()
    clock.now_s += 1.001
    account.admit()


def test_less_than_one_request_a_minute_can_be_had(clock):
    account = Account("a", Allowance(requests_per_minute=0.5), clock)
    assert spent(account) == 1
    clock.now_s += 121
    assert spent(account) == 1


def test_audio_is_overdrawn_by_a_long_file_and_earned_back(clock):
    account = Account("a", Allowance(audio_s_per_minute=60), clock)
    account.admit()
    account.charge(180)
    with pytest.raises(RateLimited, match="audio-seconds per minute") as caught:
        account.admit()
    assert caught.value.retry_after_s == pytest.approx(120)
    assert headers(caught.value)["retry-after"] == "120"
    clock.now_s += 119
    with pytest.raises(RateLimited):
        account.admit()
    clock.now_s += 2
    account.admit()


def test_a_request_that_is_refused_for_audio_does_not_count_as_one(clock):
    account = Account("a", Allowance(requests_per_minute=10, audio_s_per_minute=60), clock)
    account.charge(60)
    for _ in range(20):
        with pytest.raises(RateLimited, match="audio"):
            account.admit()
    assert account.headers()["x-ratelimit-remaining-requests"] == "10"


def test_headers_say_what_is_left_and_when_all_of_it_is_back(clock):
    account = Account("a", Allowance(requests_per_minute=60, audio_s_per_minute=600), clock)
    account.admit()
    account.charge(1000)
    assert account.headers() == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-audio-seconds": "600",
        "x-ratelimit-remaining-audio-seconds": "0",
        "x-ratelimit-reset-audio-seconds": "1m40s",
    }


def test_without_limits_nothing_is_said_and_everybody_is_admitted(clock):
    account = Account("a", Allowance(), clock)
    account.charge(1e9)
    for _ in range(1000):
        account.admit()
    assert account.headers() == {}


def test_callers_do_not_use_each_others_part(clock):
    accounts = Accounts(
        Allowance(), {"a": Allowance(requests_per_minute=1), "b": Allowance(share=3)}, clock
    )
    assert spent(accounts.of("a")) == 1
    accounts.of("b").admit()
    assert accounts.shares == {"": 1.0, "a": 1.0, "b": 3.0}


def test_an_open_server_is_one_caller(clock):
    accounts = Accounts(Allowance(requests_per_minute=3), {}, clock)
    assert accounts.of(None) is accounts.of("")
    assert spent(accounts.of(None)) == 3


@given(
    st.floats(0.1, 1000),
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 300)), max_size=30),
)
def test_no_more_is_ever_given_than_a_full_bucket_and_what_flowed_in(limit, steps):
    clock = Clock()
    bucket = Bucket(limit, clock)
    given_ = 0.0
    begun_s = clock.now_s
    for wait_s, amount in steps:
        clock.now_s += wait_s
        if bucket.held >= amount:
            bucket.take(amount)
            given_ += amount
        assert bucket.held <= limit
        assert given_ <= limit * (1 + (clock.now_s - begun_s) / 60) * (1 + 1e-9)
        assert bucket.until_s(limit) >= 0


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0ms"), (0.024, "24ms"), (1.2, "1.2s"), (59, "59s"), (60, "1m0s"), (360.4, "6m0s")],
)
def test_spans_are_written_as_the_hosted_api_does(seconds, shown):
    assert span(seconds) == shown
