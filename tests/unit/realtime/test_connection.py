"""A connection: what it does with a client that leaves, does not read, or sends too fast."""

import asyncio
import base64
import gc
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from myna.engines.contract.transcriber import WindowJob
from myna.errors import EngineFailure, RateLimited
from myna.realtime import connection as module
from myna.realtime.configuration import Configuration
from myna.realtime.connection import EXPIRED, TOO_SLOW, Connection
from myna.realtime.habits import Habits
from myna.realtime.session import Session
from myna.stages import Unrecorded

from .conftest import FakeHearing, spoken

MANUAL = Configuration(turn_detection=None)
TEXT = "The myna repeats what it hears."
COMMIT = {"type": "input_audio_buffer.commit"}


def audio(samples):
    data = (samples * 32767).astype("<i2").tobytes()
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}


class SlowHearing(FakeHearing):
    """A model that answers when the test opens the gate."""

    def __init__(self, failure=None):
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure = failure
        self.decoding = 0
        self.tickets = []
        self.cancelled = []

    async def decode_whole(self, ticket, window, options):
        self.tickets.append(ticket)
        self.decoding += 1
        try:
            await self.gate.wait()
        finally:
            self.decoding -= 1
        if self.failure:
            raise self.failure
        (result,) = self.engine.run([WindowJob(window, options)])
        return result

    def cancel(self, ticket):
        self.cancelled.append(ticket)


class Peer:
    """The client's side."""

    def __init__(self, hearing=None, configuration=MANUAL):
        self.hearing = hearing or SlowHearing()
        self.inbox = asyncio.Queue()
        self.events = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.changed = asyncio.Event()
        self.taken = 0
        habits = Habits(lambda _: self.hearing, lambda _: True, lambda _: False)
        self.session = Session(habits, configuration)

    async def receive(self):
        message = await self.inbox.get()
        self.taken += 1
        return message if message is None or isinstance(message, bytes) else json.dumps(message)

    async def send(self, text):
        await self.reads.wait()
        self.events.append(json.loads(text))
        self.changed.set()

    def put(self, *messages):
        for message in messages:
            self.inbox.put_nowait(message)

    async def until(self, kind, count=1):
        while sum(event["type"].endswith(kind) for event in self.events) < count:
            self.changed.clear()
            await self.changed.wait()


@dataclass
class Notes(Unrecorded):
    """What became known of a session."""

    audio_s: float = 0.0
    stages: list[str] = field(default_factory=list)

    def audio(self, seconds):
        self.audio_s += seconds

    def stage(self, stage, begun_s, ended_s):
        assert begun_s <= ended_s
        self.stages.append(stage)


def play(scene, peer_maker=Peer, longest_s=None, guessing=None, **also):
    """Run a scene beside a connection; what the connection ended with."""

    async def everything():
        peer = peer_maker()
        with ThreadPoolExecutor(2) as threads:
            connection = Connection(
                peer.session,
                peer.receive,
                peer.send,
                threads=threads,
                guessing=guessing,
                caller="alice",
                **also,
            )
            running = asyncio.create_task(connection.run(longest_s))
            async with asyncio.timeout(240):
                await scene(peer)
                ending = await running
        assert len(asyncio.all_tasks()) == 1, "no task is left behind"
        return peer, ending

    return asyncio.run(everything())


def test_a_client_that_leaves_ends_its_session():
    async def scene(peer):
        await peer.until("session.created")
        peer.put(None)

    _, ending = play(scene)
    assert ending is None


def test_a_commit_is_answered():
    async def scene(peer):
        peer.put(audio(spoken(TEXT)), COMMIT)
        await peer.until("completed")
        peer.put(None)

    peer, _ = play(scene)
    assert peer.events[-1]["transcript"] == TEXT
    assert [ticket.caller for ticket in peer.hearing.tickets] == ["alice"]
    assert peer.hearing.tickets[0].live


def test_where_its_time_goes_and_what_was_written_down_is_told():
    words = spoken(TEXT)

    async def scene(peer):
        peer.put(audio(words[:9600]), audio(words[9600:]), COMMIT)
        await peer.until("completed")
        peer.put(None)

    notes = Notes()
    play(scene, record=notes)
    assert notes.stages.count("decode") == 1
    assert "encode-out" in notes.stages
    assert notes.audio_s == pytest.approx(len(words) / 24_000, abs=0.1)


def test_who_may_have_nothing_written_down_is_told_so_item_by_item():
    """Others are admitted again later, and the session goes on."""
    refusals = [RateLimited("audio-seconds", 10), None]

    def admit():
        if refusal := refusals.pop(0):
            raise refusal

    async def scene(peer):
        peer.put(audio(spoken(TEXT)), COMMIT)
        await peer.until("failed")
        peer.put(audio(spoken(TEXT)), COMMIT)
        await peer.until("completed")
        peer.put(None)

    notes = Notes()
    peer, _ = play(scene, admit=admit, record=notes)
    (failed,) = (event for event in peer.events if event["type"].endswith("failed"))
    assert failed["error"]["code"] == "rate_limit_exceeded"
    assert len(peer.hearing.tickets) == 1
    assert notes.audio_s > 0


def test_a_client_that_leaves_in_the_middle_takes_its_work_along():
    async def scene(peer):
        peer.hearing.gate.clear()
        peer.put(audio(spoken(TEXT)), COMMIT)
        await peer.until("conversation.item.done")
        peer.put(None)

    peer, ending = play(scene)
    assert ending is None
    assert peer.hearing.decoding == 0


def test_a_failure_of_the_engine_is_told():
    async def scene(peer):
        peer.put(audio(spoken(TEXT)), COMMIT)
        await peer.until("failed")
        peer.put(None)

    play(scene, lambda: Peer(SlowHearing(EngineFailure("it broke"))))


def test_a_client_that_does_not_read_is_sent_away(monkeypatch):
    monkeypatch.setattr(module, "MOST_EVENTS", 8)
    monkeypatch.setattr(module, "_LAST_EVENTS_S", 0.01)

    async def scene(peer):
        peer.reads.clear()
        peer.put(*[{"type": "nonsense"}] * 20)

    _, ending = play(scene)
    assert ending is TOO_SLOW


def test_nor_may_one_event_take_for_ever(monkeypatch):
    monkeypatch.setattr(module, "_SEND_S", 0.01)
    monkeypatch.setattr(module, "_LAST_EVENTS_S", 0.01)

    async def scene(peer):
        peer.reads.clear()

    _, ending = play(scene)
    assert ending is TOO_SLOW


def test_nothing_more_is_read_while_too_much_waits():
    async def scene(peer):
        peer.hearing.gate.clear()
        peer.put(*[audio(spoken("One.")), COMMIT] * 20)
        await peer.until("conversation.item.done", count=4)
        for _ in range(50):
            await asyncio.sleep(0)
        assert peer.taken < 12
        peer.hearing.gate.set()
        await peer.until("completed", count=20)
        peer.put(None)

    peer, _ = play(scene)
    assert peer.taken == 41


def test_a_session_ends_when_its_time_is_up_and_says_so():
    async def scene(peer):
        await peer.until("error")

    peer, ending = play(scene, longest_s=0.01)
    assert ending is EXPIRED
    assert peer.events[-1]["error"]["code"] == "session_expired"


def test_a_crash_is_not_hidden():
    class Broken(SlowHearing):
        async def decode_whole(self, *_):
            raise ZeroDivisionError

    async def scene(peer):
        peer.put(audio(spoken(TEXT)), COMMIT)

    with pytest.raises(BaseExceptionGroup) as crash:
        play(scene, lambda: Peer(Broken()))
    assert crash.group_contains(ZeroDivisionError)


def test_a_session_leaves_nothing_in_memory():
    async def scene(peer):
        peer.put(audio(spoken(TEXT)), COMMIT)
        await peer.until("completed")
        peer.put(None)

    before = kept()  # by others: whatever else runs in this process
    play(scene)
    gc.collect()
    assert [one for one in kept() if not any(one is other for other in before)] == []


def kept():
    """The sessions and connections that are in memory."""
    return [one for one in gc.get_objects() if type(one) in {Session, Connection}]


def test_hypotheses_of_all_sessions_wait_for_each_other_and_last_words_for_none():
    guessing = asyncio.Semaphore(1)

    async def scene(peer):
        async with guessing:  # another session's hypothesis is at the engine
            words = spoken("The birds sing in the garden early every morning and at night.")
            for at in range(0, len(words), 2400):
                peer.put(audio(words[at : at + 2400]))
                await asyncio.sleep(0.1)
            assert peer.hearing.tickets == []
            peer.put(COMMIT)
            await peer.until("completed")
        peer.put(None)

    peer, _ = play(scene, guessing=guessing)
    assert [ticket.live for ticket in peer.hearing.tickets] == [True]
