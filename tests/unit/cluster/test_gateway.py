"""The gateway before replicas that hold the whole app, without Ray in between."""

import asyncio
import json

import pytest

from myna.cluster.calls import ReplicaLost
from myna.engines.fake import recording
from myna.errors import Overloaded

TEXT = "The myna repeats what it hears."
SPEECH = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "wav"}
HEAD = {"type": "http.response.start", "status": 200, "headers": []}
FORM = {"data": {"model": "whisper-1"}, "files": {"file": ("speech.wav", recording(TEXT))}}


async def lost():
    yield []
    raise ReplicaLost


async def lost_behind_the_head():
    yield []
    yield [HEAD]
    raise ReplicaLost


async def lost_in_the_middle():
    yield []
    yield [HEAD, {"type": "http.response.body", "body": b"half of it", "more_body": True}]
    raise ReplicaLost


async def full():
    raise Overloaded("full", retry_after_s=3)
    yield []


async def never():
    await asyncio.Event().wait()
    yield []


def refused(response, status):
    assert response.status_code == status
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_what_is_said_is_heard_by_the_deployments_that_do_each(cluster):
    async def run():
        async with cluster() as (client, fleet):
            speech = await client.post("/v1/audio/speech", json=SPEECH)
            files = {"file": ("speech.wav", speech.content)}
            heard = await client.post(
                "/v1/audio/transcriptions", data={"model": "whisper-1"}, files=files
            )
            assert heard.json()["text"] == TEXT
            assert [task for task, _ in fleet.calls] == ["tts", "stt"]
            assert speech.content in fleet.calls[1][1].body, "the upload is sent on as it came"

    asyncio.run(run())


def test_the_answer_carries_one_name_and_it_is_the_one_that_the_replica_was_told(cluster):
    async def run():
        async with cluster() as (client, fleet):
            response = await client.post("/v1/audio/transcriptions", **FORM)
            (name,) = response.headers.get_list("x-request-id")
            assert name == fleet.calls[0][1].request_id
            assert response.headers["server-timing"].startswith("decode")

    asyncio.run(run())


@pytest.mark.parametrize("trouble", [lost, lost_behind_the_head])
def test_a_replica_that_is_lost_before_the_first_byte_costs_a_second_try(cluster, trouble):
    async def run():
        async with cluster() as (client, fleet):
            fleet.troubles = [trouble, trouble]
            response = await client.post("/v1/audio/transcriptions", **FORM)
            assert response.json()["text"] == TEXT
            assert len(fleet.calls) == 3
            assert len({call.body for _, call in fleet.calls}) == 1

    asyncio.run(run())


def test_three_lost_replicas_are_enough(cluster):
    async def run():
        async with cluster() as (client, fleet):
            fleet.troubles = [lost, lost, lost]
            response = await client.post("/v1/audio/transcriptions", **FORM)
            assert refused(response, 503)["code"] == "server_is_overloaded"
            assert response.headers["x-should-retry"] == "true"
            assert fleet.troubles == []

    asyncio.run(run())


def test_an_answer_that_has_begun_is_not_begun_again_and_has_no_end(cluster):
    async def run():
        async with cluster() as (client, fleet):
            fleet.troubles = [lost_in_the_middle]
            messages = []
            await client._transport.app(
                {
                    "type": "http",
                    "method": "POST",
                    "path": "/v1/audio/speech",
                    "headers": [],
                    "query_string": b"",
                },
                once({"type": "http.request", "body": b"{}"}),
                keeping(messages),
            )
            assert [message.get("body") for message in messages] == [None, b"half of it"]
            assert messages[-1]["more_body"]
            assert len(fleet.calls) == 1
            page = (await client.get("/metrics")).text
            labels = 'code="replica_lost",replica="gateway",route="speech"'
            assert f"myna_errors_total{{{labels}}} 1.0" in page

    asyncio.run(run())


def once(message):
    said = [message]

    async def receive():
        return said.pop() if said else await asyncio.Event().wait()

    return receive


def keeping(messages):
    async def send(message):
        messages.append(message)

    return send


def test_what_may_have_been_done_already_is_not_done_again(cluster):
    async def run():
        async with cluster() as (client, fleet):
            fleet.troubles = [lost]
            response = await client.delete("/v1/audio/voices/voice_1")
            assert refused(response, 500)["code"] == "replica_lost"
            assert response.headers["x-should-retry"] == "false"
            assert len(fleet.calls) == 1

    asyncio.run(run())


def test_a_full_queue_is_told_in_the_envelope_with_the_time_to_come_back(cluster):
    async def run():
        async with cluster() as (client, fleet):
            fleet.troubles = [full]
            response = await client.post("/v1/audio/speech", json=SPEECH)
            assert refused(response, 503)["type"] == "service_unavailable_error"
            assert response.headers["retry-after"] == "3"
            page = (await client.get("/metrics")).text
            assert "myna_rejections_total{" in page

    asyncio.run(run())


def test_a_request_that_no_replica_takes_is_told_so_after_a_while(cluster, monkeypatch):
    monkeypatch.setattr("myna.cluster.front._LEAST_WAIT_S", 0.01)

    async def run():
        async with cluster(load_wait_s=0) as (client, fleet):
            fleet.troubles = [never]
            response = await client.post("/v1/audio/speech", json=SPEECH)
            assert "No replica has had room" in refused(response, 503)["message"]

    asyncio.run(run())


def test_a_client_that_leaves_ends_the_call(cluster):
    closed = []

    async def held():
        try:
            yield []
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def run():
        async with cluster() as (client, fleet):
            fleet.troubles = [held]
            said = [{"type": "http.request", "body": b"{}"}, {"type": "http.disconnect"}]

            async def receive():
                return said.pop(0) if said else await asyncio.Event().wait()

            scope = {
                "type": "http",
                "method": "POST",
                "path": "/v1/audio/speech",
                "headers": [],
                "query_string": b"",
            }
            messages = []
            await client._transport.app(scope, receive, keeping(messages))
            assert messages == []

    asyncio.run(run())
    assert closed == [True]


def test_without_a_key_nothing_is_read_and_no_replica_is_asked(cluster):
    async def run():
        async with cluster(api_keys="alice:sk-0123456789abcdef") as (client, fleet):
            response = await client.post("/v1/audio/transcriptions", **FORM)
            assert refused(response, 401)["type"] == "invalid_request_error"
            refused(await client.get("/metrics"), 401)
            assert fleet.calls == []
            right = {"authorization": "Bearer sk-0123456789abcdef"}
            answered = await client.post("/v1/audio/transcriptions", headers=right, **FORM)
            assert answered.json()["text"] == TEXT

    asyncio.run(run())


def test_a_body_beyond_the_limit_stays_in_the_gateway(cluster):
    async def run():
        async with cluster(max_upload_bytes=1024) as (client, fleet):
            refused(await client.post("/v1/audio/transcriptions", content=bytes(4096)), 413)
            assert fleet.calls == []

    asyncio.run(run())


def test_it_is_ready_when_every_deployment_is(cluster):
    async def run():
        async with cluster() as (client, fleet):
            answer = (await client.get("/ready")).json()
            assert answer == {"status": "ready", "models": ["fake"]}
            fleet.present = ["tts"]
            response = await client.get("/ready")
            assert "No replica of stt is ready" in refused(response, 503)["message"]
            assert (await client.get("/health")).json()["status"] == "ok"

    asyncio.run(run())


def test_a_page_of_another_origin_hears_what_the_gateway_says_and_what_a_replica_says(cluster):
    async def run():
        async with cluster() as (client, fleet):
            origin = {"origin": "https://page.example"}
            for trouble in (None, full):
                fleet.troubles = [trouble] if trouble else []
                response = await client.post("/v1/audio/speech", json=SPEECH, headers=origin)
                assert response.headers.get_list("access-control-allow-origin") == ["*"]

    asyncio.run(run())


def test_what_only_one_server_can_do_says_so(cluster):
    async def run():
        async with cluster() as (client, fleet):
            response = await client.post("/v1/realtime/client_secrets", json={})
            assert "open sessions with an API key" in refused(response, 501)["message"]
            assert fleet.calls == []

    asyncio.run(run())


def test_a_request_for_the_other_task_is_told_what_one_server_would_say(cluster):
    async def run():
        async with cluster() as (client, _):
            listed = json.loads((await client.get("/v1/models")).content)["data"]
            assert {"whisper-1", "tts-1"} <= {model["id"] for model in listed}
            assert refused(await client.get("/v1/nowhere"), 404)

    asyncio.run(run())
