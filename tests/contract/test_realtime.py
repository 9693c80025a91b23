"""Realtime transcription over WebSockets, with the fake engine.

Numbers are those of the contract's checks.
"""

import asyncio
import base64
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import av
import numpy as np
import openai
import pytest
import websockets
from websockets.sync.client import connect

KEY = "sk-alice-4f1d0c7e9b2a6835"
TEXT = "The myna repeats what it hears."
RATE_HZ = 24_000
INTENT = "/v1/realtime?intent=transcription"
ITEM = "conversation.item.input_audio_transcription"
MIB = 1024 * 1024
PATIENT = {"open_timeout": 240, "ping_timeout": 240}


def address(server, path=INTENT):
    return f"ws://127.0.0.1:{server.port}{path}"


class Client:
    """A raw client."""

    def __init__(self, socket):
        self.socket = socket
        self.events = []

    def send(self, type_, **members):
        self.socket.send(json.dumps({"type": type_} | members))

    def update(self, **audio_input):
        session = {"type": "transcription", "audio": {"input": audio_input}}
        self.send("session.update", session=session)

    def append(self, data, block=4800):
        for at in range(0, len(data), block):
            audio = base64.b64encode(data[at : at + block]).decode()
            self.send("input_audio_buffer.append", audio=audio)

    def next(self):
        event = json.loads(self.socket.recv(timeout=240))
        assert re.fullmatch(r"event_\w+", event["event_id"])
        self.events.append(event)
        return event

    def has_come(self, kind, within_s):
        """Whether there has been such an event; none is waited for any longer."""
        with suppress(TimeoutError):
            self.events.append(json.loads(self.socket.recv(timeout=within_s)))
        return kind in types(self.events)

    def until(self, kind):
        """Read on to an event whose type ends so; what was read."""
        found = [self.next()]
        while not found[-1]["type"].endswith(kind):
            assert found[-1]["type"] != "error", found[-1]
            found.append(self.next())
        return found


@contextmanager
def client(server, path=INTENT, **options):
    with connect(address(server, path), **PATIENT | options) as socket:
        yield Client(socket)


def welcome(server):
    """Whether there is room for a session."""
    with suppress(websockets.InvalidStatus), client(server) as peer:
        return peer.next()["type"] == "session.created"


def deserted(server):
    """Whether the server knows that all sessions have been left."""
    return 'myna_requests_in_progress{route="realtime"} 0.0' in server.get("/metrics").text


def types(events):
    return [event["type"] for event in events]


@pytest.fixture(scope="module")
def phrase_pcm(fake_server):
    """TEXT in the fake engine's voice, 24 kHz."""
    return fake_server.speak(input=TEXT, response_format="pcm").body


def quiet(seconds):
    return bytes(int(seconds * RATE_HZ) * 2)


COMMITTED = [
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]


def test_the_first_message_is_the_session(fake_server):  # [107]
    before = int(time.time())
    with client(fake_server) as peer:
        assert peer.socket.response.headers["x-request-id"].startswith("req_")
        event = peer.next()
    assert event["type"] == "session.created"
    session = event["session"]
    assert session["type"] == "transcription"
    assert session["object"] == "realtime.transcription_session"
    assert session["id"].startswith("sess_")
    assert before + 3600 <= session["expires_at"] <= time.time() + 3600


PLACES = [
    "/v1/realtime?intent=transcription",
    "/realtime?intent=transcription",
    "/openai/v1/realtime?intent=transcription",
    "/v1/realtime?intent=transcription&model=gpt-4o-transcribe",
    "/v1/realtime?intent=transcription&model=something-else",
    "/v1/realtime?model=gpt-realtime",
    "/v1/realtime",
]


@pytest.mark.parametrize("path", PLACES)  # [109]
def test_a_session_opens_wherever_clients_look_for_one(fake_server, path):
    with client(fake_server, path) as peer:
        assert peer.next()["type"] == "session.created"


def test_a_model_in_the_address_is_the_one_that_is_used(fake_server):
    with client(fake_server, f"{INTENT}&model=gpt-4o-transcribe") as peer:
        shown = peer.next()["session"]["audio"]["input"]
    assert shown["transcription"]["model"] == "gpt-4o-transcribe"


def test_settings_are_shown_when_they_hold(fake_server):  # [110]
    settings = {
        "format": {"type": "audio/pcmu"},
        "transcription": {"model": "gpt-4o-mini-transcribe", "language": "de", "prompt": "Hallo"},
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.6,
            "prefix_padding_ms": 200,
            "silence_duration_ms": 400,
        },
        "noise_reduction": {"type": "near_field"},
    }
    with client(fake_server) as peer:
        peer.next()
        peer.update(**settings)
        event = peer.next()
    assert event["type"] == "session.updated"
    assert event["session"]["audio"]["input"] == settings


def test_what_is_committed_is_transcribed(fake_server, phrase_pcm):  # [111]
    with client(fake_server) as peer:
        peer.update(turn_detection=None)
        peer.until("session.updated")
        peer.append(phrase_pcm)
        peer.send("input_audio_buffer.commit")
        events = peer.until(".completed")
    assert types(events) == [*COMMITTED, f"{ITEM}.delta", f"{ITEM}.completed"]
    assert {event.get("item_id", events[0]["item_id"]) for event in events} == {
        events[0]["item_id"]
    }
    completed = events[-1]
    assert completed["transcript"] == "".join(e["delta"] for e in events if "delta" in e) == TEXT
    assert completed["content_index"] == 0
    assert completed["usage"] == {"type": "duration", "seconds": 3}


def test_a_commit_of_nothing_is_an_error_and_the_socket_stays_open(
    fake_server, phrase_pcm
):  # [112]
    with client(fake_server) as peer:
        peer.update(turn_detection=None)
        peer.until("session.updated")
        peer.append(phrase_pcm[:2400])
        peer.send("input_audio_buffer.commit", event_id="mine")
        error = peer.next()["error"]
        assert error["code"] == "input_audio_buffer_commit_empty"
        assert (error["type"], error["event_id"]) == ("invalid_request_error", "mine")
        peer.append(phrase_pcm[2400:])
        peer.send("input_audio_buffer.commit")
        assert peer.until(".completed")[-1]["transcript"] == TEXT


def test_speech_and_silence_make_a_turn(fake_server, phrase_pcm):  # [113]
    with client(fake_server) as peer:
        peer.append(quiet(1) + phrase_pcm + quiet(1))
        events = peer.until(".completed")[1:]
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        *COMMITTED,
        f"{ITEM}.delta",
        f"{ITEM}.completed",
    ]
    assert len({event["item_id"] for event in events if "item_id" in event}) == 1
    assert events[-1]["transcript"] == TEXT


def test_deltas_come_while_somebody_is_speaking(fake_server):
    pcm = fake_server.speak(
        input="The birds sing in the garden early every morning and nobody minds at all. ",
        response_format="pcm",
    ).body
    with client(fake_server) as peer:
        # The speaker goes on until the first words are there, however long the server takes.
        for at in range(0, 60 * RATE_HZ * 2, 9600):
            peer.append((pcm + pcm)[at % len(pcm) :][:9600], block=9600)
            patience_s = 0.1 if at < 10 * RATE_HZ * 2 else 2
            if peer.has_come(f"{ITEM}.delta", within_s=patience_s):
                break
        peer.append(quiet(1))
        peer.until(".completed")
    events = peer.events
    kinds = types(events)
    assert kinds.index(f"{ITEM}.delta") < kinds.index("input_audio_buffer.speech_stopped")
    assert "".join(e["delta"] for e in events if "delta" in e) == events[-1]["transcript"]


@pytest.mark.parametrize(  # [114]
    ("message", "event_id"),
    [
        ("{", None),
        ("[]", None),
        (b"\x00\x01\x02", None),
        (json.dumps({"type": "response.create", "event_id": "mine"}), "mine"),
        (json.dumps({"type": "nonsense", "event_id": "mine"}), "mine"),
        (json.dumps({"event_id": "mine"}), "mine"),
        (json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA"}), None),
        (json.dumps({"type": "input_audio_buffer.append", "audio": "?"}), None),
        (json.dumps({"type": "input_audio_buffer.append", "audio": "A" * (15 * MIB + 4)}), None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_makes_no_sense_is_an_error_and_the_session_goes_on(
    fake_server, phrase_pcm, message, event_id
):
    with client(fake_server) as peer:
        peer.next()
        peer.socket.send(message)
        event = peer.next()
        assert event["type"] == "error"
        assert event["error"]["type"] == "invalid_request_error"
        assert event["error"]["event_id"] == event_id
        peer.append(phrase_pcm + quiet(1))
        assert peer.until(".completed")[-1]["transcript"] == TEXT


def test_a_message_beyond_all_bounds_closes_the_socket(fake_server):
    with client(fake_server) as peer:
        peer.next()
        with suppress(websockets.ConnectionClosed):
            peer.socket.send("x" * (17 * MIB))
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            peer.socket.recv(timeout=240)
    assert closed.value.rcvd.code == 1009


def test_broken_text_closes_the_socket(fake_server):
    with client(fake_server) as peer:
        peer.next()
        peer.socket.send(b"\xff\xfe", text=True)
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            peer.socket.recv(timeout=240)
    assert closed.value.rcvd.code == 1007


def test_the_older_dialect_is_understood(fake_server, phrase_pcm):  # [115]
    with client(fake_server, additional_headers={"OpenAI-Beta": "realtime=v1"}) as peer:
        assert peer.next()["type"] == "transcription_session.created"
        session = {"input_audio_format": "pcm16", "turn_detection": None}
        peer.send("transcription_session.update", session=session)
        event = peer.next()
        assert event["type"] == "transcription_session.updated"
        assert event["session"]["turn_detection"] is None
        peer.append(phrase_pcm)
        peer.send("input_audio_buffer.commit")
        events = peer.until(".completed")
    assert types(events)[:2] == ["input_audio_buffer.committed", "conversation.item.created"]
    assert events[-1]["transcript"] == TEXT


@pytest.mark.parametrize("law", ["pcm_mulaw", "pcm_alaw"])
def test_telephone_speech_is_understood(fake_server, phrase_pcm, law):
    codec = av.CodecContext.create(law, "w")
    codec.sample_rate, codec.layout, codec.format = 8000, "mono", "s16"
    samples = np.frombuffer(phrase_pcm, np.int16)
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = RATE_HZ
    resampler = av.AudioResampler(format="s16", layout="mono", rate=8000)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    data = b"".join(bytes(packet) for one in frames for packet in codec.encode(one))
    kind = {"pcm_mulaw": "audio/pcmu", "pcm_alaw": "audio/pcma"}[law]
    with client(fake_server) as peer:
        peer.update(format={"type": kind}, turn_detection=None)
        peer.append(data)
        peer.send("input_audio_buffer.commit")
        assert peer.until(".completed")[-1]["transcript"] == TEXT


def test_pipecat_waits_for_each_answer(fake_server, phrase_pcm):
    """It waits for session.created, then for session.updated, then streams 20 ms at a time."""
    with client(fake_server, additional_headers={"Authorization": "Bearer local"}) as peer:
        assert peer.next()["type"] == "session.created"
        peer.update(
            format={"type": "audio/pcm", "rate": 24000},
            transcription={"model": "gpt-4o-transcribe", "language": "en"},
            turn_detection=None,
        )
        assert peer.next()["type"] == "session.updated"
        peer.append(phrase_pcm, block=960)
        peer.send("input_audio_buffer.commit")
        events = peer.until(".completed")
    assert events[-1]["transcript"] == TEXT
    assert events[-1]["usage"]["type"] == "tokens"


def test_livekit_names_a_model_and_lets_the_server_find_turns(fake_server, phrase_pcm):
    path = f"{INTENT}&model=gpt-4o-mini-transcribe"
    with client(fake_server, path, additional_headers={"Authorization": "Bearer local"}) as peer:
        peer.update(
            format={"type": "audio/pcm", "rate": 24000},
            transcription={"model": "gpt-4o-mini-transcribe", "prompt": "", "language": "en"},
            turn_detection={
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 600,
                "silence_duration_ms": 350,
            },
        )
        for _ in range(2):
            peer.append(phrase_pcm + quiet(1), block=2400)
        texts = [peer.until(".completed")[-1]["transcript"] for _ in range(2)]
    assert texts == [TEXT, TEXT]


def test_vercel_sends_everything_at_once_with_its_key_as_a_subprotocol(keyed_server, phrase_pcm):
    """And ends on the first completed."""
    offered = ["realtime", f"openai-insecure-api-key.{KEY}"]
    with client(keyed_server, subprotocols=offered) as peer:
        assert peer.socket.subprotocol == "realtime"
        peer.update(
            format={"type": "audio/pcm", "rate": 24000},
            transcription={"model": "gpt-realtime-whisper"},
            turn_detection=None,
        )
        peer.append(phrase_pcm)  # [116]
        peer.send("input_audio_buffer.commit")
        events = peer.until(".completed")
    assert types(events)[:2] == ["session.created", "session.updated"]
    assert events[-1]["transcript"] == TEXT


def test_the_official_sdk_streams_and_understands_every_event(fake_server, phrase_pcm):
    async def talk():
        sdk = openai.AsyncOpenAI(base_url=f"{fake_server.url}/v1", api_key="local")
        events = []
        async with sdk.realtime.connect(
            extra_query={"intent": "transcription"}, websocket_connection_options=PATIENT
        ) as connection:
            await connection.session.update(
                session={
                    "type": "transcription",
                    "audio": {
                        "input": {
                            "format": {"type": "audio/pcm", "rate": 24000},
                            "transcription": {"model": "gpt-4o-transcribe"},
                            "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
                        }
                    },
                    "include": ["item.input_audio_transcription.logprobs"],
                }
            )
            audio = base64.b64encode(phrase_pcm + quiet(1)).decode()
            await connection.input_audio_buffer.append(audio=audio)
            async for event in connection:
                events.append(event)
                if event.type.endswith(".completed"):
                    break
        await sdk.close()
        return events

    events = asyncio.run(asyncio.wait_for(talk(), 240))
    assert [event.type for event in events] == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        *COMMITTED,
        f"{ITEM}.delta",
        f"{ITEM}.completed",
    ]
    assert {type(event).__name__ for event in events} == {
        "SessionCreatedEvent",
        "SessionUpdatedEvent",
        "InputAudioBufferSpeechStartedEvent",
        "InputAudioBufferSpeechStoppedEvent",
        "InputAudioBufferCommittedEvent",
        "ConversationItemAdded",
        "ConversationItemDone",
        "ConversationItemInputAudioTranscriptionDeltaEvent",
        "ConversationItemInputAudioTranscriptionCompletedEvent",
    }
    for event in events:
        type(event).model_validate(event.model_dump(warnings="error"))
    completed = events[-1]
    assert completed.transcript == TEXT
    assert completed.usage.type == "tokens"
    assert "".join(token.token for token in completed.logprobs).strip() == TEXT


def test_the_sdk_gets_a_client_secret_that_opens_a_session_and_nothing_else(
    keyed_server, phrase_pcm
):
    before = int(time.time())
    with openai.OpenAI(base_url=f"{keyed_server.url}/v1", api_key=KEY) as sdk:
        made = sdk.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 1200},
            session={
                "type": "transcription",
                "audio": {
                    "input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}
                },
            },
        )
    assert made.value.startswith("ek_")
    assert before + 1200 <= made.expires_at <= time.time() + 1200
    assert made.session.type == "transcription"
    for options in (
        {"additional_headers": {"Authorization": f"Bearer {made.value}"}},
        {"subprotocols": ["realtime", f"openai-insecure-api-key.{made.value}"]},
    ):
        with client(keyed_server, "/v1/realtime", **options) as peer:
            assert peer.next()["session"]["audio"]["input"]["turn_detection"] is None
            peer.append(phrase_pcm)
            peer.send("input_audio_buffer.commit")
            assert peer.until(".completed")[-1]["transcript"] == TEXT
    with (
        openai.OpenAI(base_url=f"{keyed_server.url}/v1", api_key=made.value) as sdk,
        pytest.raises(openai.AuthenticationError),
    ):
        sdk.models.list()


def test_the_older_way_to_a_client_secret_is_there_too(keyed_server):
    before = int(time.time())
    with openai.OpenAI(base_url=f"{keyed_server.url}/v1", api_key=KEY) as sdk:
        made = sdk.beta.realtime.transcription_sessions.create(
            input_audio_format="g711_alaw", turn_detection={"type": "server_vad", "threshold": 0.6}
        )
    assert made.input_audio_format == "g711_alaw"
    assert before + 60 <= made.client_secret.expires_at <= time.time() + 60
    headers = {"Authorization": f"Bearer {made.client_secret.value}"}
    with client(keyed_server, additional_headers=headers) as peer:
        event = peer.next()
    assert event["type"] == "transcription_session.created"
    assert event["session"]["input_audio_format"] == "g711_alaw"
    assert event["session"]["turn_detection"]["threshold"] == 0.6


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_after": {"seconds": 9}}, "expires_after.seconds"),
        ({"expires_after": {"seconds": 7201}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "now"}}, "expires_after.anchor"),
        ({"session": {"type": "realtime"}}, "session.type"),
        (
            {"session": {"audio": {"input": {"transcription": {"language": "xx"}}}}},
            "session.audio.input.transcription.language",
        ),
    ],
)
def test_a_secret_for_what_cannot_be_is_refused(fake_server, body, param):
    fake_server.post_json("/v1/realtime/client_secrets", body).refused(400, param=param)


@pytest.mark.parametrize("body", [b"{", b"[]", b"NaN"])
def test_a_body_that_is_no_object_is_refused(fake_server, body):
    fake_server.post_json("/v1/realtime/client_secrets", body).refused(400)


def test_secrets_need_a_key(keyed_server):
    for path in ("/v1/realtime/client_secrets", "/v1/realtime/transcription_sessions"):
        keyed_server.post_json(path, {}).refused(401)


def refusal(server, path=INTENT, **options):
    """How a handshake was refused: status and the envelope's error."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        connect(address(server, path), **PATIENT | options)
    response = refused.value.response
    assert re.fullmatch("req_[0-9a-f]{32}", response.headers["x-request-id"])
    assert response.headers["content-type"] == "application/json"
    error = json.loads(response.body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response, error


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, None),
        ({"subprotocols": ["realtime"]}, None),
        ({"additional_headers": {"Authorization": "Bearer sk-wrong-0123456789abcdef"}}, "invalid"),
        ({"subprotocols": ["realtime", "openai-insecure-api-key.x-short-1"]}, "invalid"),
        ({"additional_headers": {"Authorization": "Bearer ek_guess"}}, "invalid"),
    ],
)
def test_nobody_comes_in_without_a_key(keyed_server, options, code):
    response, error = refusal(keyed_server, **options)
    assert response.status_code == 401
    assert error["code"] == (code and "invalid_api_key")


def test_a_key_in_a_header_opens_a_session(keyed_server):
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"api-key": KEY}):
        with client(keyed_server, additional_headers=headers) as peer:
            assert peer.next()["type"] == "session.created"


def test_the_key_is_never_echoed(keyed_server):  # [108]
    """Where it is all that is offered, nothing is."""
    with connect(
        address(keyed_server), subprotocols=[f"openai-insecure-api-key.{KEY}"], **PATIENT
    ) as socket:
        assert socket.subprotocol is None
        assert KEY not in str(socket.response.headers)


def test_a_conversation_is_refused(fake_server):
    response, error = refusal(fake_server, "/v1/realtime?intent=conversation")
    assert (response.status_code, error["param"]) == (400, "intent")


@pytest.fixture(scope="module")
def crowded_server(launch):
    """Room for three sessions, and for pages of one origin."""
    limits = ("--max-sessions", "3", "--cors-origins", "https://ui.example")
    return launch("crowded", "--stt", "fake", "--tts", "none", *limits)


def test_there_is_room_for_so_many_sessions_and_again_when_one_ends(crowded_server):
    with client(crowded_server) as first, client(crowded_server), client(crowded_server):
        first.next()
        response, error = refusal(crowded_server)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert error["code"] == "server_is_overloaded"
        first.socket.close()

        crowded_server.eventually(lambda: welcome(crowded_server), "there is room again")
    crowded_server.eventually(lambda: deserted(crowded_server), "all have left")


def test_a_session_ends_when_its_time_is_up(launch):
    server = launch("brisk", "--stt", "fake", "--tts", "none", "--max-session-s", "1")
    with client(server) as peer:
        peer.next()
        assert peer.next()["error"]["code"] == "session_expired"
        with pytest.raises(websockets.ConnectionClosed) as closed:
            peer.socket.recv(timeout=240)
    assert closed.value.rcvd.code == 1001


def test_pages_of_other_origins_stay_outside(crowded_server):
    with client(crowded_server, origin="https://ui.example") as peer:
        peer.next()
    own = f"http://127.0.0.1:{crowded_server.port}"
    with client(crowded_server, origin=own) as peer:
        peer.next()
    crowded_server.eventually(lambda: deserted(crowded_server), "both have left")
    response, error = refusal(crowded_server, origin="https://evil.example")
    assert response.status_code == 401
    assert "cors_origins" in error["message"]


def test_twenty_sessions_speak_at_the_same_time_and_none_is_starved(fake_server, phrase_pcm):
    rounds = 3

    def talk(_):
        with client(fake_server) as peer:
            for _ in range(rounds):
                for at in range(0, len(phrase_pcm), 9600):
                    peer.append(phrase_pcm[at : at + 9600], block=9600)
                    time.sleep(0.02)
                peer.append(quiet(0.6))
            return [peer.until(".completed")[-1]["transcript"] for _ in range(rounds)]

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(talk, range(20))) == [[TEXT] * rounds] * 20


def test_live_speech_is_understood_beside_an_hour_of_it(fake_server, monologue, phrase_pcm):
    with ThreadPoolExecutor(1) as threads:
        file = threads.submit(fake_server.transcribe, monologue)
        with client(fake_server) as peer:
            peer.append(phrase_pcm + quiet(1))
            assert peer.until(".completed")[-1]["transcript"] == TEXT
        assert file.result().status == 200


def test_a_client_that_never_reads_is_cut_off(crowded_server):
    """And its place is free again."""
    server = crowded_server
    raw = socket.create_connection(("127.0.0.1", server.port))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.sendall(
        f"GET {INTENT} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    # Masked text frames, each of which is answered with an error.
    frames, at = b"\x81\x82\x00\x00\x00\x00{}" * 1000, 0
    raw.settimeout(1)

    def noticed():
        nonlocal at
        with suppress(OSError):  # the server reads no more of them for now, or never will
            for _ in range(100):
                at = (at + raw.send(frames[at:])) % len(frames)
        return "events are not read" in server.log

    server.eventually(noticed, "it is noticed")
    with client(server), client(server):
        server.eventually(lambda: welcome(server), "its place is free")
    raw.settimeout(240)
    with suppress(ConnectionError):  # what was on its way to it, then the end
        while raw.recv(65536):
            pass
    raw.close()
