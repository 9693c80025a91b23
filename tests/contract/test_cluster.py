"""A cluster on this machine: two replicas that transcribe, one that speaks, and a gateway.

Ray is real, its replicas are processes of their own. It is started once, and gone at the end.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import re
import select
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import loop_watch
import openai
import pytest
from family import alive, descendants, ended_wholly
from websockets.sync.client import connect

from myna.engines.fake import recording

pytest.importorskip("ray", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.timeout(2 * 600)

TEXT = "The myna repeats what it hears."
SPOKEN = "The birds sing in the garden early every morning."
MODELS = ("--stt", "fake,whisper-tiny.en", "--tts", "fake,piper-en_US-joe-medium")
PATIENCE_S = 240
"""Where the machine has much else to do, it takes Ray a minute to start a replica."""
PLACES = 8
"""`max_requests`: what a replica that speaks works on, and what waits for it in the gateway."""


@pytest.fixture(scope="module")
def cluster(launch, tmp_path_factory):
    token = tmp_path_factory.mktemp("ray") / "token"
    token.write_text("f" * 64)
    blocked = tmp_path_factory.mktemp("blocked")
    server = launch(
        "cluster", *MODELS, "--cluster", "--stt-replicas", "2", "--preload", "fake",
        "--max-requests", str(PLACES), "--max-sessions", "4", "--threads", "1",
        "--load-wait-s", str(PATIENCE_S),
        env={"RAY_AUTH_TOKEN_PATH": str(token)} | loop_watch.variables(blocked),
        secrets=("myna repeats",),
    )  # fmt: skip
    with ended_wholly(server.process, server.stop):
        serving(server)
        processes = {server.process.pid, *replicas(server), *replicas(server, "TextToSpeech")}
        assert len(processes) >= 1 + 2 + 1, "a gateway, and the replicas"
        assert processes <= loop_watch.watching(blocked), "nobody watches an event loop"
        yield server
    assert loop_watch.seen(blocked) == [], "an event loop was blocked, in the gateway or a replica"


def replicas(cluster, name="SpeechToText"):
    """Ids of the processes of a deployment."""
    found = []
    for pid in descendants(cluster.process.pid):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            found += [pid] if words.startswith(f"ray::ServeReplica:{name}".encode()) else []
    return found


def sample(cluster, metric, **labels):
    """The sum of the samples of a metric whose labels match."""
    return summed(cluster.get("/metrics").text, metric, **labels)


def summed(page, metric, **labels):
    total = 0.0
    for line in re.findall(rf"^{metric}\{{.*", page, re.MULTILINE):
        own = dict(re.findall(r'(\w+)="([^"]*)"', line))
        if all(re.match(value, own.get(label, "")) for label, value in labels.items()):
            total += float(line.split()[-1])
    return total


def serving(cluster, count=2):
    """Wait until so many replicas transcribe, and return the page on which they all tell of
    themselves: one that is slow to do so may be missing on another."""

    def page():
        text = cluster.get("/metrics").text
        told = set(re.findall(r'replica="(SpeechToText#\w+)"', text))
        return text if len(told) == count else None

    return cluster.eventually(page, f"{count} replicas are there")


def ready(cluster):
    """Wait until every deployment says that it is there, in the time that a replica has to."""
    reply = cluster.eventually(
        lambda: found if (found := cluster.get("/ready")).status == 200 else None, "it is ready"
    )
    return reply.json()


def test_openais_sdk_speaks_and_transcribes_with_real_models(cluster):
    sdk = openai.OpenAI(
        base_url=f"{cluster.url}/v1", api_key="any", http_client=httpx.Client(trust_env=False)
    )
    with sdk:
        speech = sdk.audio.speech.create(
            model="piper-en_US-joe-medium", voice="alloy", input=SPOKEN, response_format="wav"
        ).content
        file = io.BytesIO(speech)
        file.name = "speech.wav"
        text = sdk.audio.transcriptions.create(model="whisper-tiny.en", file=file).text
    assert "birds sing in the garden" in text.lower()


def test_a_request_is_called_the_same_by_the_gateway_and_by_its_replica(cluster):
    reply = cluster.transcribe(recording(TEXT))
    assert reply.json()["text"] == TEXT
    name = reply.headers["x-request-id"]
    cluster.eventually(lambda: cluster.log.count(name) == 2, "both have logged it")
    assert "queue;dur=" in reply.headers["server-timing"]


def test_models_and_voices_are_those_of_one_server(cluster, fake_server):
    assert ready(cluster)["status"] == "ready"
    listed = {model["id"] for model in cluster.get("/v1/models").json()["data"]}
    assert {"whisper-1", "whisper-tiny.en", "tts-1", "piper-en_US-joe-medium", "fake"} <= listed
    cluster.get("/v1/audio/voices").json()
    assert cluster.get("/health").json()["status"] == "ok"
    assert cluster.get("/v1//health").json()["status"] == "ok"


def test_what_a_client_did_wrong_is_told_as_by_one_server(cluster):
    error = cluster.speak(model="whisper-tiny.en").refused(400, param="model")
    assert "does not do speech" in error["message"]
    cluster.transcribe(b"no audio").refused(400, param="file")
    cluster.get("/v1/nowhere").refused(404)


def test_a_live_session_goes_through_to_a_replica_and_back(cluster):
    pcm = cluster.speak(input=TEXT, model="fake", response_format="pcm").body
    address = f"ws://127.0.0.1:{cluster.port}/v1/realtime?intent=transcription"
    with connect(address, open_timeout=PATIENCE_S, ping_timeout=PATIENCE_S) as socket:

        def until(kind):
            while (event := json.loads(socket.recv(timeout=PATIENCE_S)))["type"] != kind:
                assert event["type"] != "error", event
            return event

        until("session.created")
        turns = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
        socket.send(json.dumps({"type": "session.update", "session": turns}))
        until("session.updated")
        for at in range(0, len(pcm), 48_000):
            audio = base64.b64encode(pcm[at : at + 48_000]).decode()
            socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
        heard = until("conversation.item.input_audio_transcription.completed")
    assert heard["transcript"] == TEXT
    cluster.eventually(
        lambda: sample(cluster, "myna_requests_in_progress", route="realtime") == 0,
        "the replica has heard that the client has left",
    )


def test_a_client_that_leaves_frees_its_place_in_the_replica(cluster, monologue):
    before = summed(serving(cluster), "myna_cancellations_total", replica="SpeechToText")
    body = cluster.form(monologue, {"stream": "true"})
    path = "/v1/audio/transcriptions"
    with cluster.asking("POST", path, body, cluster.form_headers) as response:
        assert response.readline().startswith(b"data: ")
    cluster.eventually(
        lambda: sample(cluster, "myna_cancellations_total", replica="SpeechToText") == before + 1,
        "the replica knows that the client has left",
    )
    cluster.eventually(
        lambda: (
            not sample(cluster, "myna_admitted_requests", task="transcription")
            and not sample(cluster, "myna_queued_audio_seconds", task="transcription")
        ),
        "nothing of it is left in the queue",
    )


def test_what_neither_a_replica_nor_the_queue_has_room_for_is_sent_away(cluster):
    long = " ".join([SPOKEN] * 80)
    fields = cluster.speech_body(input=long, model="piper-en_US-joe-medium", response_format="pcm")
    body = json.dumps(fields).encode()
    head = (
        "POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    # Ray counts what waits from the first request on that it has found a replica for, and in a rush
    # it may let one or two more wait.
    assert cluster.speak(model="piper-en_US-joe-medium").status == 200
    full = {"replica": "TextToSpeech#", "task": "speech"}
    with ExitStack() as stack:
        clients = []

        def one_more():
            address = ("127.0.0.1", cluster.port)
            client = stack.enter_context(socket.create_connection(address, timeout=PATIENCE_S))
            client.sendall(head.encode() + body)
            clients.append(client)

        def sent_away():
            return [one for one in clients if begun(one).startswith(b"HTTP/1.1 503")]

        for number in range(1, PLACES + 1):
            one_more()
            cluster.eventually(
                lambda number=number: sample(cluster, "myna_admitted_requests", **full) == number,
                "the replica works on it",
            )
        while len(clients) < 3 * PLACES and len(sent_away()) < 3:
            one_more()
            cluster.eventually(
                lambda: taken(cluster, sent_away) >= len(clients), "the gateway has read it"
            )
        cluster.eventually(lambda: len(sent_away()) >= 3, "somebody is sent away")
        assert len(clients) >= 2 * PLACES, "sent away too early"
        refused = sent_away()
        for client in refused:
            answer = http.client.HTTPResponse(client)
            answer.begin()
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["x-should-retry"] == "true"
            error = json.loads(answer.read())["error"]
            assert (error["type"], error["code"]) == (
                "service_unavailable_error",
                "server_is_overloaded",
            )
        # Who runs it, and what restarts it, sees it all the same.
        cluster.eventually(
            lambda: sample(cluster, "myna_admitted_requests", **full) == PLACES,
            "a replica that is full tells of itself",
        )
        assert ready(cluster)["status"] == "ready"
        gateway = {"replica": "gateway", "reason": "overload"}
        assert sample(cluster, "myna_rejections_total", **gateway) >= len(refused)
    cluster.eventually(
        lambda: not sample(cluster, "myna_admitted_requests", task="speech"),
        "those who have left free their places",
    )


def taken(cluster, sent_away):
    """How many clients who speak the gateway serves, and how many it has sent away."""
    gateway = {"replica": "gateway", "route": "speech"}
    return sample(cluster, "myna_requests_in_progress", **gateway) + len(sent_away())


def begun(client):
    """The first bytes of an answer, as far as they are there."""
    readable, _, _ = select.select([client], [], [], 0)
    return client.recv(12, socket.MSG_PEEK) if readable else b""


def test_a_replica_that_dies_under_load_costs_no_request_and_none_is_answered_twice(
    cluster, monologue
):
    """Long ones, so that both are at work when it happens, and short ones before and after.

    A replica that has just answered its last one when it is killed shows nothing: then another."""
    while "lost its replica" not in cluster.log:
        with_one_killed(cluster, monologue)


def with_one_killed(cluster, monologue):
    serving(cluster)
    gateway = {"replica": "gateway", "route": "transcriptions"}
    cluster.eventually(
        lambda: not sample(cluster, "myna_requests_in_progress", **gateway),
        "what others have asked for is counted",
    )
    before = sample(cluster, "myna_requests_total", **gateway)
    texts = [f"This is request number {number}." for number in range(24)]

    def short(text):
        return text, cluster.transcribe(recording(text))

    with ThreadPoolExecutor(PLACES - 1) as threads:
        long = [threads.submit(cluster.transcribe, monologue) for _ in range(4)]
        load = [threads.submit(short, text) for text in texts]
        cluster.eventually(
            lambda: busy(cluster) or all(one.done() for one in long), "both replicas are at work"
        )
        os.kill(replicas(cluster)[0], signal.SIGKILL)
        answers = [one.result() for one in load]
        whole = [one.result() for one in long]
    assert [reply.json()["text"] for _, reply in answers] == [text for text, _ in answers]
    assert len({reply.json()["text"] for reply in whole}) == 1
    names = {reply.headers["x-request-id"] for reply in [*whole, *(one for _, one in answers)]}
    assert len(names) == len(whole) + len(answers)

    def answered():
        line = r"^\S+ INFO +(\S+) POST \S+ 200 "
        return [name for name in re.findall(line, cluster.log, re.MULTILINE) if name in names]

    def counted():
        return sample(cluster, "myna_requests_total", **gateway) - before

    # An answer is logged and counted just behind its end.
    cluster.eventually(lambda: set(answered()) == names, "the gateway has logged every answer")
    cluster.eventually(lambda: counted() >= len(names), "the gateway has counted every answer")
    assert (len(answered()), counted()) == (len(names), len(names)), "and each of them once"
    serving(cluster)


def busy(cluster):
    """Whether audio waits in two replicas."""
    page = cluster.get("/metrics").text
    waits = r'^myna_queued_audio_seconds\{.*replica="(SpeechToText#\w+)".*\} (?!0\.0$)'
    return len(set(re.findall(waits, page, re.MULTILINE))) == 2


def test_an_answer_that_had_begun_is_broken_off_and_the_next_request_waits_for_a_replica(
    cluster, monologue
):
    serving(cluster)
    doomed = replicas(cluster)
    body = cluster.form(monologue, {"stream": "true"})
    path = "/v1/audio/transcriptions"
    with cluster.asking("POST", path, body, cluster.form_headers) as response:
        assert response.readline().startswith(b"data: ")
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    assert cluster.transcribe(recording(TEXT)).json()["text"] == TEXT


def test_speech_that_had_begun_is_broken_off_where_its_client_sees_it(cluster):
    fields = {"input": " ".join([SPOKEN] * 80), "model": "piper-en_US-joe-medium"}
    kinds = ({"response_format": "pcm"}, {"stream_format": "sse"})
    with ExitStack() as stack:
        answers = []
        for kind in kinds:
            body = json.dumps(cluster.speech_body(**fields, **kind))
            head = {"Content-Type": "application/json"}
            asking = cluster.asking("POST", "/v1/audio/speech", body, head)
            answers.append(stack.enter_context(asking))
        for answer in answers:
            assert answer.status == 200
            assert answer.read(1)
        for pid in replicas(cluster, "TextToSpeech"):
            os.kill(pid, signal.SIGKILL)
        for answer in answers:
            with pytest.raises(http.client.IncompleteRead) as broken:
                answer.read()
            assert b"speech.audio.done" not in broken.value.partial
    assert cluster.speak(model="fake").status == 200


def test_a_replica_that_was_killed_leaves_no_decoder_behind(cluster):
    serving(cluster)
    before = {pid: descendants(pid) for pid in replicas(cluster)}
    assert all(before.values())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    children = [child for found in before.values() for child in found]
    cluster.eventually(lambda: not any(map(alive, children)), "the decoders are gone")
