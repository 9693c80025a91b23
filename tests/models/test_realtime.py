"""Live speech with real models: what Piper says is what a session writes down."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from myna.audio.codecs import layout_of
from myna.audio.g711 import expand
from myna.audio.resample import Resampler
from myna.realtime.configuration import Configuration
from myna.realtime.connection import Connection
from myna.realtime.habits import Habits
from myna.realtime.session import Session
from myna.scheduling.pieces import Utterance
from myna.scheduling.voices import voice_named

pytestmark = pytest.mark.models

RATE_HZ = 24_000
SENTENCE = "Please send the report to the office before nine o'clock tomorrow morning."
PASSAGE = (
    "She bought three apples, two oranges and a loaf of bread at the market.",
    "Our train leaves from platform seven in about twenty minutes.",
    "They walked along the beach and watched the sun go down.",
)
STORY = (
    "The old lighthouse stood at the end of a narrow road.",
    "Every evening the keeper climbed the stairs and lit the lamp.",
    "Fishermen could see it from twenty miles away.",
    "In winter the wind was so strong that nobody left the house.",
    "Children from the village brought him bread and fresh milk.",
    "He told them stories about ships and distant countries.",
    "One morning a stranger came to the door with a letter.",
    "It said that a new machine would soon do his work.",
)
ITEM = "conversation.item.input_audio_transcription"


@pytest.fixture(scope="module")
def said(residents):
    """`said(text)`: 24 kHz, 16 bits, with a second of silence behind it."""

    async def speak(text):
        service = residents.tts.residents[0].service
        utterance = Utterance(text, voice_named("alloy", service.engine), 1.0, layout_of("pcm"))
        return b"".join([part.data async for part in service.speak(utterance)])

    return lambda text: asyncio.run(speak(text)) + bytes(2 * RATE_HZ)


class Speaker:
    """A client that sends audio, 100 ms at a time, and waits for as many turns as it has."""

    def __init__(self, data, pace, turns, session, preludes=()):
        self.data, self.pace, self.turns, self.session = data, pace, turns, session
        self.preludes, self.begun = itertools.cycle(preludes) if preludes else None, 0
        self.events = []
        self.done = asyncio.Event()
        self.coming = self.messages()

    async def messages(self):
        if self.session is not None:
            yield {"type": "session.update", "session": self.session}
        while self.preludes and not any("delta" in event for event in self.events):
            self.begun += 1
            async for message in self.said(next(self.preludes)):
                yield message
        async for message in self.said(self.data):
            yield message
        if self.session is not None:
            yield {"type": "input_audio_buffer.commit"}
        await self.done.wait()

    async def said(self, data):
        for at in range(0, len(data), 4800):
            audio = base64.b64encode(data[at : at + 4800]).decode()
            yield {"type": "input_audio_buffer.append", "audio": audio}
            await asyncio.sleep(0.1 / self.pace if self.pace else 0)

    async def receive(self):
        return json.dumps(message) if (message := await anext(self.coming, None)) else None

    async def send(self, text):
        self.events.append(json.loads(text))
        if len([one for one in self.events if one["type"] == f"{ITEM}.completed"]) == self.turns:
            self.done.set()


def talk(residents, data, *, pace=None, clients=1, turns=1, session=None, preludes=()):
    """What each client has got for the audio. `pace` is how many times faster than life it comes;
    without one, at once. `preludes` come first, one after the other until there is a word of
    them: however slow the machine, somebody still speaks."""

    async def one(threads):
        service = residents.stt.residents[0].service.on(threads)
        habits = Habits(lambda _: service, lambda _: True, lambda _: False)
        speaker = Speaker(data, pace, turns, session, preludes)
        talking = Session(habits, Configuration())
        await Connection(talking, speaker.receive, speaker.send, threads=threads).run()
        return speaker

    async def everybody():
        with ThreadPoolExecutor(2) as threads:
            async with asyncio.timeout(500):
                return await asyncio.gather(*(one(threads) for _ in range(clients)))

    return asyncio.run(everybody())


def assert_said(text, speaker):
    """The words are right but for one in ten, and what was shown was never taken back."""
    events = speaker.events
    completed = [event for event in events if event["type"] == f"{ITEM}.completed"]
    heard = " ".join(event["transcript"] for event in completed)
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(text), normal(heard)) <= 0.1, heard
    for event in completed:
        deltas = [e["delta"] for e in events if "delta" in e and e["item_id"] == event["item_id"]]
        assert "".join(deltas) == event["transcript"]
    assert not [event for event in events if event["type"] == "error"]


def test_speech_at_its_own_pace_is_written_down_while_it_is_spoken(residents, said):
    # Each sentence another: of one again and again Whisper would believe that it loops.
    preludes = [said(sentence).removesuffix(bytes(2 * RATE_HZ)) for sentence in STORY]
    (speaker,) = talk(residents, said(SENTENCE), pace=1, preludes=preludes)
    told = itertools.islice(itertools.cycle(STORY), speaker.begun)
    assert_said(" ".join([*told, SENTENCE]), speaker)
    kinds = [event["type"] for event in speaker.events]
    assert kinds.index(f"{ITEM}.delta") < kinds.index("input_audio_buffer.speech_stopped")


def test_speech_that_comes_at_once_is_too(residents, said):
    (speaker,) = talk(residents, b"".join(map(said, PASSAGE)), turns=3)
    assert_said(" ".join(PASSAGE), speaker)


def test_what_the_client_commits_is_written_down_as_one(residents, said):
    turns = {"audio": {"input": {"turn_detection": None, "transcription": {"language": "en"}}}}
    (speaker,) = talk(residents, b"".join(map(said, PASSAGE)), session=turns)
    assert_said(" ".join(PASSAGE), speaker)


def test_telephone_speech_is_written_down(residents, said):
    """Mu-law at 8 kHz, each sample the nearest of its 256."""
    resampler = Resampler(RATE_HZ, 8000)
    samples = np.frombuffer(said(SENTENCE), np.int16).astype(np.float32) / 32768
    slow = np.concatenate([resampler.push(samples), resampler.flush()])
    levels = expand(bytes(range(256)), "mu")
    order = np.argsort(levels, kind="stable")
    between = (levels[order][1:] + levels[order][:-1]) / 2
    data = order[np.searchsorted(between, slow)].astype(np.uint8).tobytes()
    session = {"audio": {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": None}}}
    (speaker,) = talk(residents, data, session=session)
    assert_said(SENTENCE, speaker)


def test_four_people_speak_at_the_same_time_and_none_is_starved(residents, said):
    everybody = talk(residents, said(SENTENCE), pace=1, clients=4)
    assert len(everybody) == 4
    for speaker in everybody:
        assert_said(SENTENCE, speaker)


def test_nothing_is_written_down_where_nobody_speaks(residents):
    noise = np.random.default_rng(0).normal(0, 30, 10 * RATE_HZ).astype("<i2").tobytes()
    session = {"audio": {"input": {"turn_detection": None}}}
    (speaker,) = talk(residents, noise, session=session)
    events = speaker.events
    assert events[-1]["transcript"] == ""
    assert [a for a, b in itertools.pairwise(events) if a == b] == []
