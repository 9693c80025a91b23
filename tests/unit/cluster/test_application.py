"""A gateway behind Ray's own proxy."""

import asyncio
import warnings

import pytest

with warnings.catch_warnings():
    # Ray declares its own settings in a way that pydantic has given up.
    warnings.simplefilter("ignore")
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    from myna.cluster.application import NamedByProxy


def called(name):
    """What the app is told of the request's name, and what headers leave."""
    told, sent = [], []

    async def app(scope, receive, send):
        told.append(scope.get("state", {}).get("request_id"))
        head = {"type": "http.response.start", "status": 200, "headers": [(b"x-request-id", b"1")]}
        await send(head)

    async def send(message):
        sent.append(message["headers"])

    headers = [] if name is None else [(b"x-request-id", name)]
    asyncio.run(NamedByProxy(app)({"type": "http", "headers": headers}, None, send))
    return told[0], sent[0]


def test_a_request_is_called_what_the_proxy_calls_it_and_the_proxy_tells_the_client():
    assert called(b"0b1c-22") == ("0b1c-22", [])


def test_a_name_that_a_client_has_made_up_does_not_reach_the_log():
    told, _ = called(b"x\n12:00:00 INFO all is well")
    assert told is None


def test_without_a_proxy_it_keeps_its_own_name():
    assert called(None) == (None, [(b"x-request-id", b"1")])
