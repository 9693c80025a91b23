"""The input audio buffer: what a client has sent and not committed, and whose turn it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from myna.audio.activity import FRAME
from myna.engines.contract.samples import Samples
from myna.realtime.configuration import Configuration
from myna.realtime.ear import AudioFormat, Ear, Heard, seconds
from myna.realtime.items import FRAME_S, Item, SpeechSource
from myna.realtime.turns import ONSET_FRAMES, Turns, frames

MANUAL_LEAD_S = 1.0
"""Audio before the first speech that is decoded with it where the client commits."""


@dataclass(frozen=True, slots=True)
class TurnChange:
    """Something that the turn detection found."""

    what: Literal["started", "stopped", "idle"]
    item: Item
    at_ms: int
    """All the session's audio counts."""
    from_ms: int
    """Where the item's audio begins."""


class InputBuffer:
    """Takes audio and makes items of it."""

    def __init__(
        self,
        configuration: Configuration,
        speech: SpeechSource,
        new_item: Callable[[float], Item],
    ) -> None:
        """`new_item` makes one for audio whose first so many seconds may be no speech."""
        self._new_item = new_item
        self.item: Item | None = None
        """Whose audio is coming."""
        self.pending_s = 0.0
        """What the client has sent since the last commit."""
        self._frames = 0
        """Heard in the whole session."""
        self._lead: deque[tuple[Samples, float]] = deque()
        """Frames before a turn, as many as may become part of it."""
        self._speech = speech
        self._format: AudioFormat = configuration.format
        self._ear = Ear(self._format, speech())
        self._turns: Turns | None = None
        self._set_turns(configuration)

    def configure(self, configuration: Configuration, speech: SpeechSource) -> None:
        """Go on with other settings; what has been heard stays."""
        if (configuration.format, speech) != (self._format, self._speech):
            self._format, self._speech = configuration.format, speech
            self._ear = Ear(self._format, speech())
        self._set_turns(configuration)

    def append(self, data: bytes) -> list[TurnChange]:
        """Take audio; what it changed, in order.

        Raises:
            BadRequest: the data ends within a sample; nothing of it is taken.
        """
        self.pending_s += seconds(data, self._format)
        return self._take(self._ear.hear(data))

    def cut(self) -> list[TurnChange]:
        """Take what is short of a frame; the next audio begins anew. What it changed, in order."""
        heard = self._ear.finish()
        self._ear = Ear(self._format, self._speech())
        return self._take(heard)

    def close(self) -> Item:
        """End the item, whose audio is then complete, or make one of what there is."""
        item = self.item or self._begin()
        self._forget()
        return item

    def clear(self) -> Item | None:
        """Forget everything that is not committed; the item that it would have been."""
        item = self.item
        self._ear = Ear(self._format, self._speech())
        self._forget()
        return item

    def _forget(self) -> None:
        self.item = None
        self.pending_s = 0.0
        self._lead.clear()
        if self._turns is not None:
            self._turns = Turns(self._turns.rules)

    def _set_turns(self, configuration: Configuration) -> None:
        detection = configuration.turn_detection
        rules = None if detection is None else detection.rules
        if rules is None or self._turns is None or self._turns.rules != rules:
            speaking = self.item is not None
            self._turns = None if rules is None else Turns(rules, speaking=speaking)

    def _take(self, heard: Heard) -> list[TurnChange]:
        if self._turns is not None:
            blocks = heard.samples.reshape(-1, FRAME)
            pairs = zip(blocks, heard.probabilities.tolist(), strict=True)
            return [change for pair in pairs if (change := self._step(self._turns, *pair))]
        self._frames += len(heard.probabilities)
        item = self.item or self._begin()
        item.feed(heard.samples, heard.probabilities)
        return []

    def _step(self, turns: Turns, frame: Samples, probability: float) -> TurnChange | None:
        self._frames += 1
        if self.item is not None:
            self.item.feed(frame, np.array([probability], np.float32))
        else:
            self._lead.append((frame, probability))
            while len(self._lead) > frames(turns.rules.padding_ms) + ONSET_FRAMES:
                self._lead.popleft()
        what = turns.step(probability)
        if what is None:
            return None
        item = self.item or self._begin()
        start = self._frames - item.frames
        change = TurnChange(what, item, self._ms(self._frames), self._ms(start))
        if what != "started":
            self._forget()
        return change

    def _begin(self) -> Item:
        """An item that begins with the audio that leads up to it."""
        lead_s = MANUAL_LEAD_S if self._turns is None else len(self._lead) * FRAME_S
        item = self.item = self._new_item(lead_s)
        for frame, probability in self._lead:
            item.feed(frame, np.array([probability], np.float32))
        self._lead.clear()
        return item

    @staticmethod
    def _ms(count: int) -> int:
        return round(count * FRAME_S * 1000)
