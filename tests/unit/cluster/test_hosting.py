"""An app that is called without a server."""

import asyncio

import pytest

from myna.cluster.calls import Call
from myna.cluster.hosting import answer

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}
START = {"type": "http.response.start", "status": 200, "headers": []}


def body(data, *, more=True):
    return {"type": "http.response.body", "body": data, "more_body": more}


async def gathered(batches):
    return [message async for batch in batches for message in batch]


def test_the_first_batch_says_that_the_call_has_come():
    async def app(scope, receive, send):
        await send(START)

    async def run():
        return [batch async for batch in answer(app, Call(SCOPE))]

    assert asyncio.run(run()) == [[], [START]]


def test_a_body_comes_whole_and_in_pieces_and_the_answer_as_it_was_sent():
    sent = bytes(range(256)) * 4096

    async def app(scope, receive, send):
        got, pieces, more = b"", 0, True
        while more:
            message = await receive()
            got, pieces, more = got + message["body"], pieces + 1, message["more_body"]
        await send(START)
        await send(body(b"%d in %d" % (len(got), pieces)))
        await send(body(b"same" if got == sent else b"other", more=False))

    events = asyncio.run(gathered(answer(app, Call(SCOPE, sent))))
    assert [event.get("body") for event in events] == [None, b"1048576 in 4", b"same"]


def test_the_name_of_the_request_reaches_the_app():
    async def app(scope, receive, send):
        await send(body(scope["state"]["request_id"].encode()))

    (event,) = asyncio.run(gathered(answer(app, Call(SCOPE, request_id="req_1"))))
    assert event["body"] == b"req_1"


def test_an_app_that_crashes_ends_the_answer_with_its_error():
    async def app(scope, receive, send):
        await send(START)
        raise LookupError

    async def run():
        batches = answer(app, Call(SCOPE))
        assert [await anext(batches), await anext(batches)] == [[], [START]]
        with pytest.raises(LookupError):
            await anext(batches)

    asyncio.run(run())


def test_closing_the_answer_is_the_client_leaving():
    told = []

    async def app(scope, receive, send):
        assert (await receive())["type"] == "http.request"
        await send(START)
        told.append(await receive())
        told.append("cleared up")

    async def run():
        batches = answer(app, Call(SCOPE))
        assert [await anext(batches), await anext(batches)] == [[], [START]]
        await batches.aclose()

    asyncio.run(run())
    assert told == [{"type": "http.disconnect"}, "cleared up"]


class Said:
    def __init__(self, *messages):
        self.messages = [*messages]

    async def take(self):
        if not self.messages:
            raise ConnectionError
        return [self.messages.pop(0)]


def test_a_session_hears_its_client_until_the_line_breaks():
    async def app(scope, receive, send):
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"].upper()})
        await send({"type": "websocket.close", "code": message["code"]})

    hello = {"type": "websocket.receive", "text": "hello"}
    call = Call({**SCOPE, "type": "websocket"}, line=Said(hello))
    events = asyncio.run(gathered(answer(app, call)))
    assert [event.get("text", event.get("code")) for event in events] == ["HELLO", 1006]
