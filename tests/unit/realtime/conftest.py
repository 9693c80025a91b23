"""A session with a clock that the test turns and an engine that answers when the test lets it."""

import base64
import itertools
import json

import numpy as np
import pytest

from myna.audio.activity import FRAME, AnySound
from myna.engines.contract.transcriber import WindowJob
from myna.engines.fake import FakeSynthesizer, FakeTranscriber
from myna.realtime.configuration import Configuration
from myna.realtime.habits import Habits
from myna.realtime.session import Session

RATE_HZ = 24_000
FRAME_S = FRAME / 16_000


class FakeHearing:
    """A loaded model, as a session sees it."""

    def __init__(self, engine=None):
        self.engine = engine or FakeTranscriber()
        self.speech = AnySound


class Talk:
    """A client and an engine around one session."""

    def __init__(self, configuration=None, *, find=None, **also):
        self.now_s = 100.0
        numbers = itertools.count(1)
        hearing = FakeHearing()
        habits = Habits(
            find or (lambda _: hearing),
            lambda model: model == "whisper-1",
            lambda model: model == "gpt-transcribe",
        )
        self.session = Session(
            habits,
            configuration or Configuration(),
            clock=lambda: self.now_s,
            new_id=lambda kind: f"{kind}_{next(numbers)}",
            **also,
        )
        self.events = []
        self.asked = None
        """What the engine has been asked and has not answered."""
        self.asks = []
        self.written_s = 0.0
        """Audio that has got its last word."""
        self._took(self.session.open())

    def send(self, message):
        """A message of the client's; the events that it brought."""
        text = json.dumps(message) if isinstance(message, dict) else message
        return self._took(self.session.receive(text))

    def update(self, **audio_input):
        session = {"type": "transcription", "audio": {"input": audio_input}}
        return self.send({"type": "session.update", "session": session})

    def append(self, samples, step_s=None):
        """Samples in [-1, 1] at 24 kHz; at their own pace where `step_s` cuts them."""
        found = []
        size = len(samples) if step_s is None else int(step_s * RATE_HZ)
        for at in range(0, len(samples), max(1, size)):
            if step_s is not None:
                self.now_s += step_s
            data = (samples[at : at + size] * 32767).astype("<i2").tobytes()
            event = {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}
            found += self.send(event)
            if step_s is not None:
                found += self.answer()
        return found

    def commit(self, **also):
        return self.send({"type": "input_audio_buffer.commit"} | also)

    def answer(self, failure=None):
        """Let the engine answer until it has nothing left to do; what it brought."""
        found = []
        while self.asked is not None:
            ask, self.asked = self.asked, None
            engine = ask.item.manner.hearing.engine
            (result,) = [failure] if failure else engine.run([WindowJob(ask.window, ask.options)])
            found += self._took(self.session.answered(ask, result))
        return found

    def said(self, kind):
        """All events so far whose type ends so."""
        return [event for event in self.events if event["type"].endswith(kind)]

    def _took(self, step):
        if step.drop:
            self.asked = None
        if step.ask is not None:
            assert self.asked is None, "the engine is asked one thing at a time"
            self.asked = step.ask
            self.asks.append(step.ask)
        self.written_s += step.written_s
        self.events += step.events
        return step.events


def spoken(text):
    """The text in the fake engine's voice, 24 kHz; 60 ms of silence on either side."""
    engine = FakeSynthesizer()
    (stretch,) = engine.synthesize(text, engine.voices[0], 1.0)
    sounding = np.flatnonzero(stretch.samples)
    return stretch.samples[: sounding[-1] + RATE_HZ * 60 // 1000]


def silence(length_s):
    return np.zeros(int(length_s * RATE_HZ), np.float32)


@pytest.fixture
def talk():
    return Talk
