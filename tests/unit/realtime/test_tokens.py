"""Client secrets: random, valid for a while, and never more than there is room for."""

import pytest

from myna.errors import Overloaded
from myna.realtime import tokens
from myna.realtime.configuration import Configuration
from myna.realtime.dialects import GA
from myna.realtime.tokens import ClientSecrets


class Clock:
    now_s = 1_000.5

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def test_a_secret_is_good_for_what_it_was_made_for(clock):
    secrets = ClientSecrets(clock)
    configuration = Configuration(logprobs=True)
    value, grant = secrets.mint("alice", 600, configuration, GA)
    assert value.startswith("ek_")
    assert len(value) > 40
    assert secrets.find(value) is grant
    assert (grant.caller, grant.expires_at, grant.configuration) == ("alice", 1600, configuration)


def test_no_two_secrets_are_alike(clock):
    secrets = ClientSecrets(clock)
    assert len({secrets.mint("", 10, Configuration(), GA)[0] for _ in range(100)}) == 100


def test_a_secret_expires(clock):
    secrets = ClientSecrets(clock)
    value, _ = secrets.mint("", 10, Configuration(), GA)
    clock.now_s += 9
    assert secrets.find(value)
    clock.now_s += 1
    assert secrets.find(value) is None


@pytest.mark.parametrize("value", ["", "ek_", "ek_guess"])
def test_nothing_else_is_a_secret(clock, value):
    secrets = ClientSecrets(clock)
    secrets.mint("", 10, Configuration(), GA)
    assert secrets.find(value) is None


def test_there_is_room_for_so_many_and_again_once_some_expire(clock, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_SECRETS", 3)
    secrets = ClientSecrets(clock)
    for seconds in (10, 20, 30):
        secrets.mint("", seconds, Configuration(), GA)
    with pytest.raises(Overloaded):
        secrets.mint("", 10, Configuration(), GA)
    clock.now_s += 10
    assert secrets.mint("", 10, Configuration(), GA)
